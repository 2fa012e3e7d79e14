"""Calls: handed over, answered, walked as Twilio walks them, and reported."""

import re
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from django.views.debug import ExceptionReporter

from accounts.delivery import calls
from accounts.delivery.models import DemoMessage, Message, Reason, State
from accounts.delivery.services import hand_over
from accounts.models import SecurityEvent
from accounts.stepup import challenges
from accounts.stepup.models import Challenge, Purpose
from shop import checks
from tests.codes import code_of
from tests.servers.phone import Phone, by
from tests.servers.twilio import CutAfter, Garbage, Hang, Refuse, ServerError, TooMany, Webhook

from .conftest import challenge_of, fresh

SHOP = "http://localhost:8000"


def send(client: Client, webhook: Webhook, **more: Any) -> tuple[int, str]:
    return by(client, **more)(webhook)


@pytest.fixture
def phone(twilio, client):
    return Phone(twilio, through=by(client))


@pytest.fixture
def message(ada, queued, deliver, twilio):
    message = queued(ada, "call")
    deliver()
    return fresh(message)


@pytest.fixture
def call(twilio, message):
    return twilio.calls[0]


# --- handing over ----------------------------------------------------------------------------------------------------


def test_a_call_is_asked_for_with_our_address_and_no_code(message, call, twilio):
    assert (call.to, call.from_, call.method, call.twiml) == ("+4915112345678", "+15017122661", "POST", None)
    assert call.url == f"{SHOP}/hooks/twilio/voice/{message.pk}/"
    assert call.status_callback == f"{SHOP}/hooks/twilio/status/?message={message.pk}"
    assert call.form["StatusCallbackEvent"] == "answered completed"
    assert (call.form["Timeout"], call.form["TimeLimit"]) == ("30", "120")
    assert (message.state, message.provider, message.provider_id) == (State.HANDED_OVER, "twilio", call.sid)
    assert not twilio.messages
    assert code_of(challenge_of(message)) not in str(twilio.requests)


def test_the_clock_starts_when_twilio_has_the_call(message):
    assert challenge_of(message).expires_at - message.handed_over_at <= django_settings.CODE_LIFE


def test_it_comes_from_a_number_even_where_texts_go_by_a_service(ada, queued, deliver, twilio, settings):
    settings.TWILIO_MESSAGING_SERVICE_SID = "MG" + "a" * 32
    queued(ada, "call")
    deliver()
    assert twilio.calls[0].from_ == "+15017122661"


@pytest.mark.parametrize(
    ("behaviour", "state", "reason", "code"),
    [
        (Refuse(21211), "failed", "bad_number", "21211"),
        (Refuse(21217), "failed", "bad_number", "21217"),
        (Refuse(21214), "failed", "no_calls", "21214"),
        (Refuse(21215), "failed", "no_calls", "21215"),
        (Refuse(21216), "failed", "no_calls", "21216"),
        (Refuse(20003), "failed", "provider", "20003"),
        (TooMany(retry_after=3), "queued", "", ""),
        (ServerError(503), "queued", "", ""),
        (ServerError(500), "unknown", "", ""),
        (Hang(5), "unknown", "", ""),
        (CutAfter(), "unknown", "", ""),
        (Garbage(), "unknown", "", ""),
    ],
)
def test_what_twilio_answers_decides_what_happens(
    ada, queued, deliver, twilio, settings, behaviour, state, reason, code
):
    settings.CARRIER_TIMEOUT = 0.3
    twilio.answer_next(behaviour)
    message = queued(ada, "call")
    deliver()
    message = fresh(message)
    assert (message.state, message.reason, message.provider_code) == (state, reason, code)
    hand_over(message.pk, timezone.now() + timedelta(minutes=1))
    assert len(twilio.requests) == 1 + (state == "queued")  # an unknown one is not called twice


def test_a_call_whose_time_is_over_is_not_made(ada, queued, twilio):
    message = queued(ada, "call")
    with time_machine.travel(message.queued_at + timedelta(minutes=10), tick=False):
        hand_over(message.pk)
    assert fresh(message).state == State.EXPIRED and not twilio.requests


# --- what it says ----------------------------------------------------------------------------------------------------


def test_after_a_key_it_says_the_code_twice_digit_by_digit(message, call, phone):
    heard = phone.takes(call, presses="5")
    code = code_of(challenge_of(message))
    assert heard.before == [
        "Hello, this is Countersign.",
        "You asked for a code to sign in. If it wasn't you, hang up: without a code nothing happens.",
        "Press any key to hear your code.",
    ]
    apart = [each for digit in code for each in (digit, "…")]
    assert heard.after == [
        "Your code to sign in at Countersign is:",
        *apart,
        "Once more:",
        *apart,
        "Tell it to nobody: we never ask for it. Goodbye.",
    ]
    assert heard.languages == {"en-GB"}
    assert fresh(message).state == State.DELIVERED and fresh(message).delivered_at


@pytest.mark.parametrize("key", ["1", "0", "#", "*"])
def test_any_key_will_do(message, call, phone, key):
    assert phone.takes(call, presses=key).digits == code_of(challenge_of(message)) * 2


@pytest.mark.parametrize("zeros", ["0", "00"])
def test_leading_zeros_are_said_and_the_code_passes(ada, message, call, phone, asker, settings, zeros):
    challenge = challenge_of(message)
    for number in count():
        settings.CODE_KEYS = [f"key {number}"]
        if code_of(challenge).startswith(zeros):
            break
    Challenge.objects.update(code_key=challenges.codes.current_key_id())
    heard = phone.takes(call, presses="1")
    assert heard.digits == code_of(challenge) * 2 and heard.digits.startswith(zeros)
    grant = challenges.answer(
        challenge.pk,
        asker=asker(ada),
        purpose=Purpose.SIGN_IN,
        digest=bytes(challenge.context_digest),
        code=heard.digits[:6],
    )
    assert grant.factor == "call"


def test_nobody_who_presses_no_key_hears_the_code(message, call, phone):
    """An answering machine, say."""
    heard = phone.takes(call)
    assert heard.before[-1].startswith("No key was pressed, so we say no code.")
    assert not heard.after and len(heard.documents) == 1
    assert not re.search("[0-9]", " ".join(heard.before))
    message = fresh(message)
    assert (message.state, message.reason) == (State.FAILED, Reason.NO_KEY)


def test_the_code_is_not_even_made_before_the_key(message, call, phone, monkeypatch):
    made = []
    derive = challenges.codes.derive_code
    monkeypatch.setattr(challenges.codes, "derive_code", lambda *args: made.append(args) or derive(*args))
    phone.takes(call)
    assert not made


def test_a_payment_names_amount_and_shop_before_the_code(message, call, phone):
    Challenge.objects.update(purpose=Purpose.PAY, summary={"amount": "€ 42.00", "shop": "Tom & <Co>"})
    heard = phone.takes(call, presses="1")
    assert heard.before[:2] == [
        "Hello, this is Tom & <Co>.",
        "You asked for a code to approve a payment. If it wasn't you, hang up: without a code nothing happens.",
    ]
    assert heard.after[0] == "Your code to pay € 42.00 to Tom & <Co> is:"


@pytest.mark.parametrize(
    ("language", "voice"),
    [("en", "en-GB"), ("de", "de-DE"), ("de-at", "de-DE"), ("pt-br", "pt-BR"), ("PT-BR", "pt-BR"), ("tlh", "en-GB")],
)
def test_it_speaks_the_language_of_the_message(message, call, phone, language, voice):
    Message.objects.update(language=language)
    heard = phone.takes(call, presses="1")
    assert heard.languages == {voice} and len(heard.digits) == 12


def test_each_language_of_the_shop_has_a_voice():
    assert all(code in calls.VOICES for code, _ in django_settings.LANGUAGES)


@pytest.mark.parametrize(
    "end",
    [
        {"state": "passed"},
        {"state": "superseded"},
        {"attempts_left": 0},
        {"expires_at": timezone.now() - timedelta(seconds=1)},
    ],
)
def test_when_the_code_is_over_it_says_so(message, call, phone, end):
    Challenge.objects.update(**end)
    heard = phone.takes(call, presses="1")
    assert heard.before == ["This code is over, or was said already. Please ask for a new one on the page. Goodbye."]
    assert not heard.after and heard.error is None


def test_it_says_so_too_when_it_ends_while_the_greeting_is_heard(message, call, phone, twilio, client):
    send(client, twilio.twiml_webhook(call))
    Challenge.objects.update(expires_at=timezone.now())
    _, said = send(client, twilio.twiml_webhook(call, digits="1"))
    assert "This code is over" in said and not re.search(">[0-9]<", said)
    assert fresh(message).state == State.SENT


def test_with_its_key_gone_it_is_over(message, call, phone, settings):
    settings.CODE_KEYS = ["a new key"]
    assert "This code is over" in phone.takes(call, presses="1").after[0]


def test_a_call_says_its_code_once(message, call, twilio, client):
    """Whoever catches a signed request and repeats it learns nothing."""
    pressed = twilio.twiml_webhook(call, digits="1")
    first, again = send(client, pressed)[1], send(client, pressed)[1]
    assert len(re.findall(">[0-9]<", first)) == 12
    assert "This code is over, or was said already." in again and not re.search(">[0-9]<", again)


def test_who_has_the_number_of_an_account_already_is_told_so_after_a_key(cleo, asker, deliver, twilio, phone):
    contact = "+4915187654321"
    for number, purpose in enumerate((Purpose.SIGN_UP, Purpose.RESET_PASSWORD)):
        challenges.begin(
            asker=asker(contact=contact), purpose=purpose, digest=b"d" * 32, next_path="/", decoy=True, factor="call"
        )
        deliver()
        heard = phone.takes(twilio.calls[number], presses="1")
        assert heard.before[-1] == "Press any key to hear more."
        assert ("already have an account", "no account at")[number] in heard.after[0]
        assert not heard.digits


def test_the_answer_is_kept_by_nobody_on_the_way(twilio, call, client):
    webhook = twilio.twiml_webhook(call, digits="1")
    answer = client.post("/" + webhook.url.split("/", 3)[3], webhook.form, headers=webhook.headers)
    assert "no-store" in answer["Cache-Control"] and answer["Content-Type"] == "text/xml"
    assert not answer.cookies


# --- who may ask -----------------------------------------------------------------------------------------------------


class TestTheSignature:
    @pytest.mark.parametrize("digits", [None, "1"])
    @pytest.mark.parametrize("signature", ["", "wrong", "Zm9v", "ü", "0" * 28])
    def test_without_a_right_one_nothing_is_said(self, twilio, message, call, client, signature, digits):
        status, said = send(client, twilio.twiml_webhook(call, digits=digits, signature=signature))
        assert (status, said) == (403, "")
        assert fresh(message).state == State.HANDED_OVER

    def test_another_accounts_is_refused(self, twilio, call, client):
        assert send(client, twilio.twiml_webhook(call, digits="1", auth_token="another token"))[0] == 403

    def test_it_covers_the_key(self, twilio, call, client):
        webhook = twilio.twiml_webhook(call)
        webhook.form["Digits"] = "1"
        assert send(client, webhook)[0] == 403

    def test_it_covers_the_message(self, twilio, call, client, queued, cleo, deliver):
        other = queued(cleo, "call")
        deliver()
        webhook = twilio.twiml_webhook(call, digits="1")
        path = f"/hooks/twilio/voice/{other.pk}/"
        assert client.post(path, webhook.form, headers=webhook.headers).status_code == 403

    @pytest.mark.parametrize("token", ["", None])
    def test_an_empty_token_refuses_everything(self, twilio, call, client, settings, token):
        settings.TWILIO_AUTH_TOKEN = token
        assert send(client, twilio.twiml_webhook(call, digits="1", auth_token=""))[0] == 403

    def test_it_is_over_the_public_address_behind_a_proxy(self, twilio, message, call, client, settings):
        settings.SITE_URL, settings.ALLOWED_HOSTS = "https://shop.example.org", ["app.internal"]
        settings.SECURE_SSL_REDIRECT = True
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        url = f"https://shop.example.org/hooks/twilio/voice/{message.pk}/"
        webhook = twilio.twiml_webhook(call, url=url)
        status, said = send(client, webhook, SERVER_NAME="app.internal", HTTP_X_FORWARDED_PROTO="https")
        assert status == 200 and f'action="{url}"' in said


@pytest.mark.parametrize("method", ["get", "put", "delete", "head"])
def test_it_is_posted(client, message, call, method):
    assert getattr(client, method)(f"/hooks/twilio/voice/{message.pk}/").status_code == 405


def test_twilio_needs_no_csrf_token(twilio, call):
    assert send(Client(enforce_csrf_checks=True), twilio.twiml_webhook(call))[0] == 200


class TestWhose:
    def said(self, client, twilio, call, message_id):
        url = f"{SHOP}/hooks/twilio/voice/{message_id}/"
        return [send(client, twilio.twiml_webhook(call, digits=digits, url=url))[1] for digits in (None, "1")]

    def test_another_calls_message_is_over(self, twilio, message, call, client, queued, cleo, deliver):
        other = queued(cleo, "call")
        deliver()
        for said in self.said(client, twilio, call, other.pk):
            assert "This code is over" in said and not re.search(">[0-9]<", said)
        assert fresh(other).state == State.HANDED_OVER

    def test_an_unknown_one_is_over(self, twilio, call, client):
        for said in self.said(client, twilio, call, "00000000-0000-0000-0000-000000000000"):
            assert "This code is over" in said

    def test_a_text_is_not_read_out(self, twilio, call, client, queued, cleo, deliver):
        text = queued(cleo)
        deliver()
        Message.objects.filter(pk=text.pk).update(provider_id=call.sid)
        for said in self.said(client, twilio, call, text.pk):
            assert "This code is over" in said

    def test_another_providers_message_is_not_read_out(self, twilio, message, call, client):
        Message.objects.update(provider="demo")
        for said in self.said(client, twilio, call, message.pk):
            assert "This code is over" in said

    def test_a_notice_of_no_event_has_nothing_to_say(self, twilio, message, call, phone):
        Message.objects.update(kind=Message.Kind.NOTICE, reference="0")
        assert "This is over" in phone.takes(call, presses="1").before[0]

    def test_a_call_whose_answer_was_lost_says_its_code(self, ada, queued, deliver, twilio, phone, settings):
        settings.CARRIER_TIMEOUT = 0.3
        twilio.answer_next(CutAfter())
        message = queued(ada, "call")
        deliver()
        assert fresh(message).state == State.UNKNOWN
        assert phone.takes(twilio.calls[0], presses="1").digits == code_of(challenge_of(message)) * 2
        assert (fresh(message).state, fresh(message).provider_id) == (State.DELIVERED, twilio.calls[0].sid)


# --- reports ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "state", "reason", "code"),
    [
        (["queued", "initiated", "ringing"], "handed_over", "", ""),
        (["ringing", "in-progress"], "sent", "", ""),
        (["in-progress", "completed"], "failed", "no_key", "completed"),
        (["completed", "in-progress"], "failed", "no_key", "completed"),
        (["ringing", "busy"], "failed", "no_answer", "busy"),
        (["ringing", "no-answer"], "failed", "no_answer", "no-answer"),
        (["failed"], "failed", "carrier", "failed"),
        (["canceled"], "failed", "carrier", "canceled"),
        (["never heard of", ""], "handed_over", "", ""),
    ],
)
def test_what_became_of_a_call(message, call, phone, statuses, state, reason, code):
    for status in statuses:
        assert phone.reports(call, status) == 204
    message = fresh(message)
    assert (message.state, message.reason, message.provider_code) == (state, reason, code)


@pytest.mark.parametrize(("error", "reason"), [(32205, "no_calls"), (13224, "bad_number"), (99999, "carrier")])
def test_a_failed_call_says_why(message, call, phone, error, reason):
    phone.reports(call, "failed", error_code=error)
    assert (fresh(message).reason, fresh(message).provider_code) == (reason, str(error))


def test_a_code_that_was_said_has_arrived_however_the_call_ends(message, call, phone):
    phone.takes(call, presses="1")
    for status in ("completed", "failed", "no-answer", "in-progress"):
        phone.reports(call, status)
    assert (fresh(message).state, fresh(message).reason) == (State.DELIVERED, "")


def test_a_report_on_another_call_is_ignored(message, call, twilio, client, queued, cleo, deliver):
    other = queued(cleo, "call")
    deliver()
    webhook = twilio.status_webhook(fresh(other).provider_id, "busy", url=call.status_callback)
    assert send(client, webhook)[0] == 204
    assert fresh(message).state == fresh(other).state == State.HANDED_OVER


def test_a_texts_report_says_nothing_of_a_call(message, call, twilio, client):
    extra = {"CallStatus": "", "MessageStatus": "delivered"}
    assert send(client, twilio.status_webhook(call.sid, "completed", extra=extra))[0] == 204
    assert fresh(message).state == State.HANDED_OVER


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_no_log_no_row_and_no_address_holds_the_code(ada, queued, deliver, twilio, phone, caplog, client):
    with caplog.at_level("DEBUG"):
        message = queued(ada, "call")
        deliver()
        call = twilio.calls[0]
        send(client, twilio.twiml_webhook(call, digits="1", signature="wrong"))
        heard = phone.takes(call, presses="1")
    code = code_of(challenge_of(message))
    assert heard.digits == code * 2
    assert code not in caplog.text and "15112345678" not in caplog.text and "Digits" not in caplog.text
    for hidden in (code, " ".join(code)):
        assert hidden not in str(twilio.requests)
        for model in (Message, Challenge, SecurityEvent):
            assert not any(hidden in str(row) for row in model.objects.values_list()), model


def test_an_error_page_hides_it(message, call, twilio, monkeypatch, settings):
    """Django's report of an exception, as it is logged or mailed to admins, with the values of each frame."""

    def breaks(self, **options):
        raise RuntimeError("no TwiML today")

    monkeypatch.setattr("accounts.delivery.calls.VoiceResponse.pause", breaks)
    reports = []

    def report(request, resolver, error):
        reports.append(ExceptionReporter(request, *error).get_traceback_html())
        return HttpResponse(status=500)

    monkeypatch.setattr("django.core.handlers.exception.handle_uncaught_exception", report)
    client = Client(raise_request_exception=False)
    assert send(client, twilio.twiml_webhook(call, digits="1"))[0] == 500
    code = code_of(challenge_of(message))
    assert "no TwiML today" in reports[0]
    assert code not in reports[0] and " ".join(code) not in reports[0] and "15112345678" not in reports[0]


# --- the demo, and where calls can't be made -------------------------------------------------------------------------


def test_the_demo_inbox_shows_what_a_call_says(ada, queued, deliver):
    message = queued(ada, "call")
    deliver()
    text = DemoMessage.objects.get(message=message).text
    assert text.startswith("Hello, this is Countersign.\n")
    assert text.count(" ".join(code_of(challenge_of(message)))) == 2
    assert fresh(message).state == State.DELIVERED


@pytest.mark.parametrize("sender", ["", "Countersign", "12345", "+1", "MG" + "a" * 32])
def test_without_a_number_the_operator_is_told_mildly(settings, sender):
    settings.DEMO = False
    settings.TWILIO_ACCOUNT_SID = settings.TWILIO_AUTH_TOKEN = settings.EMAIL_URL = "set"
    settings.TWILIO_MESSAGING_SERVICE_SID, settings.TWILIO_FROM = "MG" + "a" * 32, sender
    [found] = checks.providers(None)
    assert (found.id, found.is_serious()) == ("shop.W002", False)
    settings.TWILIO_FROM = "+15017122661"
    assert not checks.providers(None)
