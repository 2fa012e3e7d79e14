"""A local Twilio: the part of its REST API and of its webhooks that Countersign uses.

    with TwilioServer() as server:
        server.answer_next(Refuse(21610), TooMany(retry_after=3))   # then `server.behaviour`, which accepts
        ...                                                         # TWILIO_API_URL=server.url
        message = server.wait_for(1)[0]
        server.post_status(message.sid, "undelivered", error_code=30003)

By hand: `python -m tests.servers.twilio --port 9100` prints each message and call it accepts.

Where the wire format comes from (twilio.com/docs):

- resources: /messaging/api/message-resource, /voice/api/call-resource. Phone numbers are E.164, times RFC 2822 in GMT.
- first status: /messaging/guides/outbound-message-status-in-status-callbacks. "queued" with a From number; "accepted",
  no From and num_segments "0" with a Messaging Service. No callback is sent for the first status.
- callbacks: /messaging/guides/track-outbound-message-status. A form POST; they may arrive out of order, and with
  fields not seen before. RawDlrDoneDate (YYMMDDhhmm) comes with most delivered and undelivered ones.
- TwiML requests and call callbacks: /voice/twiml#request-parameters, /usage/webhooks/voice-webhooks.
- errors: /usage/troubleshooting/debugging-your-application (the JSON), /api/errors/<code> (the codes).
- signature: /usage/security#validating-requests; computed here by Twilio's own `RequestValidator`.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import parse_qs, urlencode, urlsplit

from requests import Response, Session
from twilio.request_validator import RequestValidator

from . import Behaviours, Log

ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "test-auth-token"
API_VERSION = "2010-04-01"
SERVICE_SENDER = "+15017250604"
"""The number a Messaging Service picks as sender; only its callbacks show it."""

Resource = Literal["Messages", "Calls"]

REFUSALS = {
    20003: "Authenticate",
    20404: "The requested resource {path} was not found",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    20503: "Service unavailable",
    21201: "No 'To' number is specified",
    21205: "Url or Twiml is required",
    21211: "The 'To' number {to} is not a valid phone number.",
    21215: "Account not authorized to call {to}.",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21612: "The 'To' phone number: {to}, is not currently reachable using the 'From' phone number via SMS",
    21610: "Attempt to send to unsubscribed recipient",
    21614: "'To' number is not a valid mobile number: {to}",
    21635: "'To' number cannot be a landline: {to}",
}
"""What the API says in a refusal. The code is the contract: Twilio rewords the texts, and many name the number."""

DELIVERY_ERRORS = {
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
}
"""ErrorCode of a "failed" or "undelivered" callback."""


# What the server does with a message or call


@dataclass(frozen=True)
class Accept:
    """201."""


@dataclass(frozen=True)
class Slow:
    """Accept after a while (at once on `release()`), even if the client no longer waits."""

    seconds: float


@dataclass(frozen=True)
class Refuse:
    """Twilio's error JSON. Default: 401 for code 20003, else 400."""

    code: int
    http_status: int | None = None
    message: str | None = None


@dataclass(frozen=True)
class TooMany:
    """429, code 20429: not processed, safe to retry (/api/errors/20429)."""

    retry_after: int | None = 1


@dataclass(frozen=True)
class ServerError:
    """500 or 503."""

    http_status: int = 500
    retry_after: int | None = None


@dataclass(frozen=True)
class Hang:
    """Read the request, answer nothing, close at the end (or on `release()`). Not accepted."""

    seconds: float = 60


@dataclass(frozen=True)
class CutBefore:
    """Close the connection unread. (One set for a number must read it first, and then closes.) Not accepted."""


@dataclass(frozen=True)
class CutAfter:
    """Accept, then close the connection without an answer."""


@dataclass(frozen=True)
class Garbage:
    """A success without JSON, as from a proxy on the way."""

    http_status: int = 201
    accepted: bool = False


Behaviour = Accept | Slow | Refuse | TooMany | ServerError | Hang | CutBefore | CutAfter | Garbage


# What the server saw


@dataclass(frozen=True)
class Request:
    """A request that was read, accepted or not."""

    method: str
    path: str
    form: dict[str, str]
    at: datetime


@dataclass
class Message:
    sid: str
    to: str
    from_: str | None
    messaging_service_sid: str | None
    body: str
    status_callback: str | None
    validity_period: int | None
    at: datetime
    form: dict[str, str]
    status: str
    error_code: int | None = None

    @property
    def segments(self) -> int:
        return segments(self.body)


@dataclass
class Call:
    sid: str
    to: str
    from_: str | None
    url: str | None
    twiml: str | None
    method: str
    status_callback: str | None
    at: datetime
    form: dict[str, str]
    status: str = "queued"
    callbacks: int = 0


class WebhookOptions(TypedDict, total=False):
    """`url` instead of the one given with the message or call; `auth_token` to sign with another token; `signature`
    instead of the computed one, "" for none; `extra` fields, signed too."""

    url: str | None
    auth_token: str | None
    signature: str | None
    extra: dict[str, str] | None


@dataclass(frozen=True)
class Webhook:
    """A signed request to the shop. `send()` posts it; Django's test client can send its parts as well."""

    method: str
    url: str
    form: dict[str, str]
    headers: dict[str, str]
    deliver_to: str | None = None

    def send(self) -> Response:
        """Post it as Twilio does, without following a redirect; Twilio waits 15 s."""
        url, headers = self.url, dict(self.headers)
        if self.deliver_to:
            public = urlsplit(url)
            headers |= {"Host": public.netloc, "X-Forwarded-Proto": public.scheme}
            url = self.deliver_to.rstrip("/") + public._replace(scheme="", netloc="").geturl()
        with Session() as session:
            session.trust_env = False
            return session.request(self.method, url, data=self.form, headers=headers, timeout=15, allow_redirects=False)


class TwilioServer:
    """Accepts messages and calls for one account. `deliver_to` is where the shop really listens when the public
    address in its callback URLs does not lead there: webhooks go to it with the public Host, as through a proxy."""

    def __init__(
        self,
        *,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
        port: int = 0,
        deliver_to: str | None = None,
        on_accept: Callable[[Message | Call], None] | None = None,
    ) -> None:
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.deliver_to = deliver_to
        self._on_accept = on_accept
        self._behaviours: Behaviours[Behaviour] = Behaviours(Accept())
        self._messages: Log[Message] = Log("messages")
        self._calls: Log[Call] = Log("calls")
        self._requests: Log[Request] = Log("requests")
        self.price: tuple[str | None, str] = (None, "USD")
        """Mostly not known yet when a message or call was created."""
        self._waiting = threading.Condition()
        self._releases = 0
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.twilio = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    # Life

    def start(self) -> TwilioServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), name="twilio", daemon=True).start()
        return self

    def stop(self) -> None:
        self.release()
        self._http.shutdown()
        self._http.server_close()
        self.release()

    def __enter__(self) -> TwilioServer:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def reset(self) -> None:
        """Forget everything seen and every behaviour set."""
        self._behaviours.reset()
        self.release()
        for log in (self._messages, self._calls, self._requests):
            log.clear()

    # Behaviour

    @property
    def behaviour(self) -> Behaviour:
        """For every message and call without another one."""
        return self._behaviours.default

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviours.default = behaviour

    def answer_next(self, *behaviours: Behaviour) -> None:
        """For the next messages and calls, in this order."""
        self._behaviours.queue(*behaviours)

    def set_for(self, to: str, behaviour: Behaviour | None, *, only: Resource | None = None) -> None:
        """For one number, before the queue; `only` its messages or its calls. None takes it back."""
        self._behaviours.set_for((only, to) if only else to, behaviour)

    def release(self) -> None:
        """End every `Hang` and `Slow` that is under way."""
        with self._waiting:
            self._releases += 1
            self._waiting.notify_all()

    # What arrived

    @property
    def messages(self) -> list[Message]:
        return self._messages.all()

    @property
    def calls(self) -> list[Call]:
        return self._calls.all()

    @property
    def requests(self) -> list[Request]:
        return self._requests.all()

    def wait_for(self, count: int, timeout: float = 5) -> list[Message]:
        """The accepted messages, once there are `count`."""
        return self._messages.wait_for(count, timeout)

    def wait_for_calls(self, count: int, timeout: float = 5) -> list[Call]:
        return self._calls.wait_for(count, timeout)

    def wait_for_requests(self, count: int, timeout: float = 5) -> list[Request]:
        """The requests read, accepted or not: to know that a hanging one has arrived."""
        return self._requests.wait_for(count, timeout)

    def find(self, sid: str) -> Message | Call:
        items: list[Message | Call] = [*self.messages, *self.calls]
        for item in items:
            if item.sid == sid:
                return item
        raise KeyError(sid)

    # Webhooks

    def status_webhook(
        self,
        sid: str,
        status: str,
        *,
        error_code: int | None = None,
        **options: Unpack[WebhookOptions],
    ) -> Webhook:
        """The status callback of a message or a call, signed with the account's token over its public URL."""
        item = self.find(sid)
        item.status = status
        now = datetime.now(UTC)
        form = {"AccountSid": self.account_sid, "ApiVersion": API_VERSION, "To": item.to}
        if isinstance(item, Message):
            item.error_code = error_code
            form |= {"From": item.from_ or SERVICE_SENDER, "MessageSid": sid, "MessageStatus": status}
            form |= {"SmsSid": sid, "SmsStatus": status}
            if item.messaging_service_sid:
                form["MessagingServiceSid"] = item.messaging_service_sid
            if status in ("delivered", "undelivered"):
                form["RawDlrDoneDate"] = now.strftime("%y%m%d%H%M")
        else:
            form |= self._call_form(item) | {
                "CallbackSource": "call-progress-events",
                "SequenceNumber": str(item.callbacks),
                "Timestamp": format_datetime(now),
            }
            if status == "completed":
                form |= {"CallDuration": "12", "Duration": "1"}
            item.callbacks += 1
        if error_code is not None:
            form["ErrorCode"] = str(error_code)
        method = item.form.get("StatusCallbackMethod", "POST")
        return self._webhook(method, item.status_callback, form, options)

    def post_status(
        self,
        message_sid: str,
        status: str,
        *,
        error_code: int | None = None,
        **options: Unpack[WebhookOptions],
    ) -> Response:
        """Send the status callback (see `status_webhook`)."""
        return self.status_webhook(message_sid, status, error_code=error_code, **options).send()

    def twiml_webhook(
        self,
        call: Call,
        *,
        digits: str | None = None,
        **options: Unpack[WebhookOptions],
    ) -> Webhook:
        """The request for what to say: first the call's URL, then (with `digits`, what was keyed) a Gather's action."""
        call.status = "in-progress"
        form = self._call_form(call) | {"AccountSid": self.account_sid, "ApiVersion": API_VERSION, "To": call.to}
        if digits is not None:
            form["Digits"] = digits
        return self._webhook(call.method, call.url, form, options)

    def fetch_twiml(
        self,
        call: Call,
        *,
        digits: str | None = None,
        **options: Unpack[WebhookOptions],
    ) -> Response:
        """Ask the shop what to say in the call (see `twiml_webhook`)."""
        return self.twiml_webhook(call, digits=digits, **options).send()

    def incoming_webhook(
        self, url: str, number: str, body: str, *, sid: str | None = None, **options: Unpack[WebhookOptions]
    ) -> Webhook:
        """A text from a person's `number` to ours, posted to the `url` that the console names for it.

        With Advanced Opt-Out, Twilio adds OptOutType (/messaging/tutorials/advanced-opt-out).
        """
        sid = sid or "SM" + secrets.token_hex(16)
        form = {"AccountSid": self.account_sid, "ApiVersion": API_VERSION, "MessageSid": sid, "SmsSid": sid}
        form |= {"SmsMessageSid": sid, "From": number, "To": SERVICE_SENDER, "Body": body, "NumMedia": "0"}
        form |= {"NumSegments": "1", "SmsStatus": "received"}
        return self._webhook("POST", url, form, options)

    def _call_form(self, call: Call) -> dict[str, str]:
        sender = call.from_ or ""
        return {
            "CallSid": call.sid,
            "CallStatus": call.status,
            "Direction": "outbound-api",
            "From": sender,
            "Caller": sender,
            "Called": call.to,
        }

    def _webhook(self, method: str, url: str | None, form: dict[str, str], options: WebhookOptions) -> Webhook:
        url = options.get("url") or url
        if url is None:
            raise ValueError("The message or call was created without a URL for this")
        form = form | (options.get("extra") or {})
        if method == "GET":  # then the parameters are part of the signed URL
            url, form = f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(form)}", {}
        signature = options.get("signature")
        if signature is None:
            token = options.get("auth_token")
            signature = RequestValidator(self.auth_token if token is None else token).compute_signature(url, form)
        headers = {"User-Agent": "TwilioProxy/1.1", "I-Twilio-Idempotency-Token": secrets.token_hex(16)}
        if signature:
            headers["X-Twilio-Signature"] = signature
        return Webhook(method, url, form, headers, self.deliver_to)

    # For the handler

    def _pause(self, seconds: float) -> None:
        with self._waiting:
            before = self._releases
            self._waiting.wait_for(lambda: self._releases != before, seconds)

    def _accept(self, resource: Resource, form: dict[str, str]) -> Message | Call:
        now = datetime.now(UTC)
        item: Message | Call
        if resource == "Messages":
            service = form.get("MessagingServiceSid")
            validity = form.get("ValidityPeriod")
            item = Message(
                sid="SM" + secrets.token_hex(16),
                to=form["To"],
                from_=form.get("From"),
                messaging_service_sid=service,
                body=form["Body"],
                status_callback=form.get("StatusCallback"),
                validity_period=int(validity) if validity else None,
                at=now,
                form=form,
                status="accepted" if service else "queued",
            )
            self._messages.add(item)
        else:
            item = Call(
                sid="CA" + secrets.token_hex(16),
                to=form["To"],
                from_=form.get("From"),
                url=form.get("Url"),
                twiml=form.get("Twiml"),
                method=form.get("Method", "POST"),
                status_callback=form.get("StatusCallback"),
                at=now,
                form=form,
            )
            self._calls.add(item)
        if self._on_accept:
            self._on_accept(item)
        return item

    def _resource(self, item: Message | Call) -> dict[str, Any]:
        kind = "Messages" if isinstance(item, Message) else "Calls"
        uri = f"/{API_VERSION}/Accounts/{self.account_sid}/{kind}/{item.sid}"
        date = format_datetime(item.at)
        common = {
            "account_sid": self.account_sid,
            "api_version": API_VERSION,
            "date_created": date,
            "date_updated": date,
            "direction": "outbound-api",
            "from": item.from_,
            "price": self.price[0],
            "price_unit": self.price[1],
            "sid": item.sid,
            "status": item.status,
            "to": item.to,
            "uri": f"{uri}.json",
        }
        if isinstance(item, Message):
            sent = item.status in ("sent", "delivered", "undelivered")
            unassigned = item.messaging_service_sid and item.status == "accepted"
            return common | {
                "body": item.body,
                "date_sent": date if sent else None,
                "error_code": item.error_code,
                "error_message": DELIVERY_ERRORS.get(item.error_code) if item.error_code else None,
                "messaging_service_sid": item.messaging_service_sid,
                "num_media": "0",
                "num_segments": "0" if unassigned else str(item.segments),
                "subresource_uris": {"media": f"{uri}/Media.json"},
            }
        return common | {
            "answered_by": None,
            "caller_name": None,
            "duration": None,
            "end_time": None,
            "forwarded_from": None,
            "from_formatted": item.from_,
            "group_sid": None,
            "parent_call_sid": None,
            "phone_number_sid": None,
            "queue_time": "0",
            "start_time": None,
            "subresource_uris": {"recordings": f"{uri}/Recordings.json"},
            "to_formatted": item.to,
            "trunk_sid": None,
        }


# HTTP


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    twilio: TwilioServer


class _Handler(BaseHTTPRequestHandler):
    """One request for each connection."""

    server: _Server
    timeout = 30
    _PATH = re.compile(rf"/{API_VERSION}/Accounts/([^/]+)/(Messages|Calls)(?:/([^/]+))?\.json")

    def handle(self) -> None:
        if not self.server.twilio._behaviours.take_if(CutBefore):
            self.handle_one_request()

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        posted = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        fields = parse_qs(posted, keep_blank_values=True)
        self._serve({name: " ".join(values) for name, values in fields.items()})

    def _serve(self, form: dict[str, str]) -> None:
        twilio = self.server.twilio
        path = urlsplit(self.path).path
        twilio._requests.add(Request(self.command, path, form, datetime.now(UTC)))
        expected = base64.b64encode(f"{twilio.account_sid}:{twilio.auth_token}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            return self._refuse(20003, 401, form)
        found = self._PATH.fullmatch(path)
        if not found or found[1] != twilio.account_sid or (self.command == "POST") == bool(found[3]):
            return self._refuse(20404, 404, form)
        resource: Resource = "Messages" if found[2] == "Messages" else "Calls"
        if self.command == "POST":
            return self._create(resource, form)
        try:
            item = twilio.find(found[3])
        except KeyError:
            return self._refuse(20404, 404, form)
        self._answer(200, twilio._resource(item))

    def _create(self, resource: Resource, form: dict[str, str]) -> None:
        twilio = self.server.twilio
        if code := _missing(resource, form):
            return self._refuse(code, 400, form)
        to = form["To"]
        match twilio._behaviours.take((resource, to), to):
            case Refuse(code, http_status, message):
                self._refuse(code, http_status or (401 if code == 20003 else 400), form, message)
            case TooMany(retry_after):
                self._refuse(20429, 429, form, retry_after=retry_after)
            case ServerError(http_status, retry_after):
                self._refuse(20503 if http_status == 503 else 20500, http_status, form, retry_after=retry_after)
            case Garbage(http_status, accepted):
                if accepted:
                    twilio._accept(resource, form)
                self._answer(http_status, "<html><body>Welcome to the hotel network</body></html>")
            case CutBefore():
                pass
            case CutAfter():
                twilio._accept(resource, form)
            case Hang(seconds):
                twilio._pause(seconds)
            case Slow(seconds):
                twilio._pause(seconds)
                self._answer(201, twilio._resource(twilio._accept(resource, form)))
            case Accept():
                self._answer(201, twilio._resource(twilio._accept(resource, form)))

    def _refuse(
        self,
        code: int,
        http_status: int,
        form: dict[str, str],
        message: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        text = message or REFUSALS.get(code, "Refused").format(to=form.get("To"), path=self.path)
        more = f"https://www.twilio.com/docs/errors/{code}"
        self._answer(
            http_status, {"code": code, "message": text, "more_info": more, "status": http_status}, retry_after
        )

    def _answer(self, http_status: int, body: dict[str, Any] | str, retry_after: int | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        try:
            self.send_response(http_status)
            self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Connection", "close")
            if http_status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="Twilio API"')
            if retry_after is not None:
                self.send_header("Retry-After", str(retry_after))
            self.end_headers()
            self.wfile.write(data)
        except ConnectionError:
            pass  # the client gave up waiting

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _missing(resource: Resource, form: dict[str, str]) -> int | None:
    """The code with which Twilio refuses an incomplete request."""
    sms = resource == "Messages"
    if not form.get("To"):
        return 21604 if sms else 21201
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", form["To"]):
        return 21211
    if not form.get("From") and not (sms and form.get("MessagingServiceSid")):
        return 21603
    if sms and not form.get("Body"):
        return 21602
    if not sms and not form.get("Url") and not form.get("Twiml"):
        return 21205
    return None


_GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_7_TWO = frozenset("\f^{}\\[~]|€")


def segments(text: str) -> int:
    """SMS segments of a text: 160 (153 when split) GSM-7 septets, or 70 (67) UTF-16 units if any character is not in
    GSM-7 (/glossary/what-sms-character-limit; the alphabet is 3GPP TS 23.038's)."""
    if set(text) <= _GSM_7 | _GSM_7_TWO:
        size, whole, part = sum(2 if c in _GSM_7_TWO else 1 for c in text), 160, 153
    else:
        size, whole, part = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if size <= whole else -(-size // part)


# By hand


def _show(item: Message | Call) -> None:
    content = item.body if isinstance(item, Message) else item.twiml or item.url
    sender = item.from_ or item.form.get("MessagingServiceSid")
    print(f"{item.at:%H:%M:%S} {item.sid} {sender} -> {item.to}\n{content}\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.servers.twilio", description="A local Twilio.")
    parser.add_argument("--port", type=int, default=9100, help="0: any free one")
    parser.add_argument("--account-sid", default=os.environ.get("TWILIO_ACCOUNT_SID") or ACCOUNT_SID)
    parser.add_argument("--auth-token", default=os.environ.get("TWILIO_AUTH_TOKEN") or AUTH_TOKEN)
    options = parser.parse_args()
    with TwilioServer(
        account_sid=options.account_sid, auth_token=options.auth_token, port=options.port, on_accept=_show
    ) as server:
        print(f"TWILIO_API_URL={server.url} TWILIO_ACCOUNT_SID={server.account_sid}\n", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
