"""The local servers, driven by the clients the shop uses: Twilio's own and smtplib."""

from __future__ import annotations

import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from . import smtp
from .smtp import SmtpServer
from .twilio import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    Accept,
    Behaviour,
    CutAfter,
    CutBefore,
    Garbage,
    Hang,
    Refuse,
    ServerError,
    Slow,
    TooMany,
    TwilioServer,
    WebhookOptions,
    segments,
)

TO = "+14155552671"
FROM = "+15017122661"
SERVICE = "MG" + "a" * 32


class Redirected(TwilioHttpClient):
    """Twilio's client, talking to another address."""

    def __init__(self, base: str, timeout: float = 5) -> None:
        super().__init__(timeout=timeout)
        self.base = base
        assert self.session
        self.session.trust_env = False

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self.base), *args, **kwargs)


def client(server: TwilioServer, *, token: str = AUTH_TOKEN, timeout: float = 5) -> Client:
    return Client(ACCOUNT_SID, token, http_client=Redirected(server.url, timeout))


def send(server: TwilioServer, *, timeout: float = 5, to: str = TO, **fields: Any) -> Any:
    return client(server, timeout=timeout).messages.create(to=to, **({"from_": FROM, "body": "Hi"} | fields))


@pytest.fixture
def server() -> Iterator[TwilioServer]:
    with TwilioServer() as running:
        yield running


class Shop:
    """Records the webhooks it is sent."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], dict[str, str]]] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                shop.seen.append((self.path, dict(parse_qsl(form, keep_blank_values=True)), dict(self.headers)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<Response><Say>1, 2, 3</Say></Response>")

            do_GET = do_POST

            def log_message(self, *args: Any) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def shop() -> Iterator[Shop]:
    running = Shop()
    yield running
    running.http.shutdown()
    running.http.server_close()


# Twilio: accepted


def test_a_message_is_accepted(server: TwilioServer) -> None:
    sent = send(server, body="Code 123456 £", status_callback="https://shop.example/sms/", validity_period=300)
    [message] = server.wait_for(1)
    assert sent.sid == message.sid and len(sent.sid) == 34 and sent.sid.startswith("SM")
    assert (sent.status, sent.num_segments, sent.error_code) == ("queued", "1", None)
    assert abs((sent.date_created - message.at).total_seconds()) < 1
    assert (message.to, message.from_, message.messaging_service_sid) == (TO, FROM, None)
    assert (message.body, message.validity_period) == ("Code 123456 £", 300)
    assert message.status_callback == message.form["StatusCallback"] == "https://shop.example/sms/"
    assert client(server).messages(sent.sid).fetch().body == "Code 123456 £"


def test_a_messaging_service_assigns_the_sender_later(server: TwilioServer) -> None:
    sent = client(server).messages.create(to=TO, messaging_service_sid=SERVICE, body="Hi")
    assert (sent.status, sent.num_segments, sent.from_) == ("accepted", "0", None)
    assert sent.messaging_service_sid == server.messages[0].messaging_service_sid == SERVICE


def test_a_call_is_accepted(server: TwilioServer) -> None:
    made = client(server).calls.create(
        to=TO, from_=FROM, url="https://shop.example/voice/abc/", status_callback="https://shop.example/call/"
    )
    [call] = server.wait_for_calls(1)
    assert made.sid == call.sid and made.sid.startswith("CA") and made.status == "queued"
    assert (call.url, call.method, call.twiml) == ("https://shop.example/voice/abc/", "POST", None)
    assert client(server).calls(made.sid).fetch().to == TO
    assert server.messages == []


@pytest.mark.parametrize(
    ("text", "count"),
    [("a" * 160, 1), ("a" * 161, 2), ("[" * 80, 1), ("[" * 81, 2), ("ł" * 70, 1), ("ł" * 71, 2), ("😀" * 36, 2)],
)
def test_segments(text: str, count: int) -> None:
    assert segments(text) == count


# Twilio: refused


def test_the_wrong_token_is_refused_before_any_behaviour(server: TwilioServer) -> None:
    server.answer_next(Refuse(21610))
    with pytest.raises(TwilioRestException) as caught:
        client(server, token="wrong").messages.create(to=TO, from_=FROM, body="Hi")
    assert (caught.value.status, caught.value.code, caught.value.msg[-12:]) == (401, 20003, "Authenticate")
    assert len(server.requests) == 1 and server.messages == []
    with pytest.raises(TwilioRestException, match="unsubscribed"):
        send(server)


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        (Refuse(21211), 400, 21211),
        (Refuse(21614), 400, 21614),
        (Refuse(21610), 400, 21610),
        (Refuse(21408), 400, 21408),
        (Refuse(21408, 403), 403, 21408),
        (Refuse(20003), 401, 20003),
        (TooMany(), 429, 20429),
        (ServerError(), 500, 20500),
        (ServerError(503), 503, 20503),
    ],
)
def test_refusals(server: TwilioServer, behaviour: Behaviour, status: int, code: int) -> None:
    server.answer_next(behaviour)
    with pytest.raises(TwilioRestException) as caught:
        send(server)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert server.messages == []
    assert [(seen.method, seen.form["To"]) for seen in server.requests] == [("POST", TO)]
    assert send(server).sid == server.messages[0].sid


@pytest.mark.parametrize("behaviour", [TooMany(retry_after=7), ServerError(503, retry_after=7)])
def test_retry_after(server: TwilioServer, behaviour: Behaviour) -> None:
    server.answer_next(behaviour)
    url = f"{server.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    form = {"To": TO, "From": FROM, "Body": "Hi"}
    answer = requests.post(url, form, auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=5)
    assert answer.headers["Retry-After"] == "7"
    assert set(answer.json()) == {"code", "message", "more_info", "status"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"to": ""}, 21604), ({"to": "4155552671"}, 21211), ({"from_": ""}, 21603), ({"body": ""}, 21602)],
)
def test_an_incomplete_message_is_refused(server: TwilioServer, fields: dict[str, Any], code: int) -> None:
    with pytest.raises(TwilioRestException) as caught:
        send(server, **fields)
    assert caught.value.code == code


def test_what_is_not_there_is_404(server: TwilioServer) -> None:
    with pytest.raises(TwilioRestException) as caught:
        client(server).messages("SM" + "0" * 32).fetch()
    assert (caught.value.status, caught.value.code) == (404, 20404)


# Twilio: trouble on the way


@pytest.mark.parametrize("behaviour", [CutBefore(), CutAfter()])
def test_cut_connections(server: TwilioServer, behaviour: Behaviour) -> None:
    server.answer_next(behaviour)
    with pytest.raises(requests.ConnectionError):
        send(server)
    accepted = isinstance(behaviour, CutAfter)
    assert len(server.messages) == len(server.requests) == int(accepted)


@pytest.mark.parametrize("behaviour", [Garbage(), Garbage(200, accepted=True)])
def test_garbage(server: TwilioServer, behaviour: Garbage) -> None:
    server.answer_next(behaviour)
    with pytest.raises(ValueError):
        send(server)
    assert len(server.messages) == int(behaviour.accepted)


def test_hang_outlasts_the_client_and_stopping_does_not_wait_for_it() -> None:
    started = time.monotonic()
    with TwilioServer() as server:
        server.behaviour = Hang(60)
        with pytest.raises(requests.ReadTimeout):
            send(server, timeout=0.2)
        assert len(server.requests) == 1
    assert time.monotonic() - started < 5 and server.messages == []


def test_hang_is_released(server: TwilioServer) -> None:
    server.answer_next(Hang(60))
    threading.Timer(0.2, server.release).start()
    with pytest.raises(requests.ConnectionError):
        send(server, timeout=30)
    assert server.messages == []


def test_slow_accepts_even_when_the_client_has_gone(server: TwilioServer) -> None:
    server.answer_next(Slow(0.2), Slow(0.6))
    send(server)
    with pytest.raises(requests.ReadTimeout):
        send(server, timeout=0.2)
    assert len(server.wait_for(2)) == 2


def test_behaviours_by_number_come_first(server: TwilioServer) -> None:
    server.set_for(TO, Refuse(21614), only="Messages")
    server.answer_next(ServerError())
    with pytest.raises(TwilioRestException, match="not a valid mobile"):
        send(server)
    with pytest.raises(TwilioRestException, match="internal"):
        client(server).calls.create(to=TO, from_=FROM, url="https://shop.example/")
    server.set_for(TO, None, only="Messages")
    server.set_for(TO, CutBefore())
    with pytest.raises(requests.ConnectionError):
        send(server)
    server.reset()
    assert send(server).sid and len(server.requests) == 1 and server.behaviour == Accept()


def test_many_at_once(server: TwilioServer) -> None:
    threads = [threading.Thread(target=send, args=(server,)) for _ in range(40)]
    for thread in threads:
        thread.start()
    assert len({message.sid for message in server.wait_for(40, timeout=30)}) == 40


def test_waiting_in_vain(server: TwilioServer) -> None:
    with pytest.raises(TimeoutError, match="0 of 1 messages"):
        server.wait_for(1, timeout=0.05)


# Twilio: webhooks


def test_status_callback(server: TwilioServer, shop: Shop) -> None:
    sid = send(server, status_callback=f"{shop.url}/sms/?m=1").sid
    assert server.post_status(sid, "undelivered", error_code=30003, extra={"New": "é"}).status_code == 200
    [(path, form, headers)] = shop.seen
    assert path == "/sms/?m=1" and form["New"] == "é"
    assert (form["MessageSid"], form["MessageStatus"], form["ErrorCode"]) == (sid, "undelivered", "30003")
    assert (form["To"], form["From"], form["AccountSid"]) == (TO, FROM, ACCOUNT_SID)
    assert RequestValidator(AUTH_TOKEN).validate(f"{shop.url}/sms/?m=1", form, headers["X-Twilio-Signature"])
    fetched = client(server).messages(sid).fetch()
    assert (fetched.status, fetched.error_code) == ("undelivered", 30003)
    assert fetched.error_message == "Unreachable destination handset"


def test_forged_status_callbacks(server: TwilioServer, shop: Shop) -> None:
    sid = send(server).sid
    url = f"{shop.url}/sms/"
    ways: list[WebhookOptions] = [{"auth_token": ""}, {"signature": "forged"}, {"signature": ""}]
    for way in ways:
        server.post_status(sid, "delivered", **(way | {"url": url}))
    empty, forged, none = (headers.get("X-Twilio-Signature") for _, _, headers in shop.seen)
    assert RequestValidator("").validate(url, shop.seen[0][1], empty)
    assert forged == "forged" and none is None
    with pytest.raises(ValueError):
        server.post_status(sid, "sent")


def test_webhooks_reach_a_shop_behind_its_public_address(shop: Shop) -> None:
    with TwilioServer(deliver_to=shop.url) as server:
        sid = send(server, status_callback="https://shop.example/sms/?m=1").sid
        server.post_status(sid, "sent")
    [(path, form, headers)] = shop.seen
    assert (path, headers["Host"], headers["X-Forwarded-Proto"]) == ("/sms/?m=1", "shop.example", "https")
    assert RequestValidator(AUTH_TOKEN).validate("https://shop.example/sms/?m=1", form, headers["X-Twilio-Signature"])


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_call_is_walked(server: TwilioServer, shop: Shop, method: str) -> None:
    client(server).calls.create(
        to=TO, from_=FROM, url=f"{shop.url}/voice/", method=method, status_callback=f"{shop.url}/call/"
    )
    [call] = server.calls
    assert "<Say>" in server.fetch_twiml(call).text
    server.fetch_twiml(call, digits="1", url=f"{shop.url}/voice/pressed/")
    server.post_status(call.sid, "completed")
    for path, form, headers in shop.seen:
        assert RequestValidator(AUTH_TOKEN).validate(shop.url + path, form, headers["X-Twilio-Signature"])
    pressed = shop.seen[1][1] or dict(parse_qsl(shop.seen[1][0].partition("?")[2]))
    assert (pressed["Digits"], pressed["CallSid"], pressed["CallStatus"]) == ("1", call.sid, "in-progress")
    assert shop.seen[2][1]["CallStatus"] == "completed" and shop.seen[2][1]["CallDuration"]


def test_stand_alone() -> None:
    command = [sys.executable, "-m", "tests.servers.twilio", "--port", "0"]
    command += ["--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            address = process.stdout.readline().split()[0].removeprefix("TWILIO_API_URL=")
            api = Client(ACCOUNT_SID, AUTH_TOKEN, http_client=Redirected(address))
            api.messages.create(to=TO, from_=FROM, body="Code 123456")
            process.stdout.readline()
            assert TO in process.stdout.readline() and "Code 123456" in process.stdout.readline()
        finally:
            process.terminate()


# SMTP


@pytest.fixture
def mail() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def post(server: SmtpServer, to: str = "ada@example.org", timeout: float = 5) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.org", to, "Your code – £5"
    message.set_content("Code 123456 für dich\n")
    with smtplib.SMTP("127.0.0.1", server.port, timeout=timeout) as connection:
        connection.send_message(message)


def test_a_mail_is_kept(mail: SmtpServer) -> None:
    assert mail.url == f"smtp://127.0.0.1:{mail.port}"
    post(mail)
    [kept] = mail.wait_for(1)
    assert (kept.sender, kept.recipients) == ("shop@example.org", ("ada@example.org",))
    assert (kept.subject, kept.text) == ("Your code – £5", "Code 123456 für dich\n")


def test_mail_refusals(mail: SmtpServer) -> None:
    mail.answer_next(smtp.NO_SUCH_MAILBOX, smtp.TRY_LATER)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        post(mail)
    assert refused.value.recipients["ada@example.org"][0] == 550
    with pytest.raises(smtplib.SMTPDataError) as failed:
        post(mail)
    assert failed.value.smtp_code == 451
    mail.set_for("bob@example.org", smtp.Refuse(451, "4.7.1 Greylisted"))
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        post(mail, to="bob@example.org")
    post(mail)
    assert len(mail.messages) == 1


def test_mail_dropped_after_data(mail: SmtpServer) -> None:
    mail.answer_next(smtp.CutAfter())
    with pytest.raises(smtplib.SMTPServerDisconnected):
        post(mail)
    assert len(mail.messages) == 1


def test_mail_hangs(mail: SmtpServer) -> None:
    mail.answer_next(smtp.Hang(60), smtp.Hang(0.1), smtp.Hang(60))
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):  # smtplib's name for a timeout here
        post(mail, timeout=0.5)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        post(mail)
    threading.Timer(0.2, mail.release).start()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        post(mail, timeout=30)
    assert mail.messages == []


def test_mail_server_stops_under_a_hanging_client() -> None:
    failures: list[Exception] = []

    def hang(server: SmtpServer) -> None:
        try:
            post(server, timeout=30)
        except smtplib.SMTPServerDisconnected as error:
            failures.append(error)

    with SmtpServer() as server:
        server.behaviour = smtp.Hang(60)
        thread = threading.Thread(target=hang, args=(server,))
        thread.start()
        time.sleep(0.2)
    thread.join(5)
    assert len(failures) == 1
