"""Texts through Twilio's official client, to a server that speaks Twilio's API."""

import socket
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.delivery.models import Message, State
from accounts.delivery.providers import providers_for
from accounts.delivery.providers.twilio import REASONS
from accounts.delivery.services import hand_over
from tests.codes import code_of
from tests.servers.twilio import Accept, CutAfter, CutBefore, Garbage, Hang, Refuse, ServerError, TooMany

from .conftest import challenge_of, fresh


def test_a_text_is_posted_with_status_callback_and_validity_period(ada, queued, deliver, twilio):
    message = queued(ada)
    deliver()
    [got] = twilio.messages
    message = fresh(message)
    assert (got.to, got.from_, got.messaging_service_sid) == ("+4915112345678", "+15017122661", None)
    assert got.status_callback == f"http://localhost:8000/hooks/twilio/status/?message={message.pk}"
    assert 295 <= got.validity_period <= 300
    assert (message.state, message.provider, message.provider_id) == (State.HANDED_OVER, "twilio", got.sid)
    assert got.body.endswith(f"\n\n@localhost #{code_of(challenge_of(message))}")
    assert got.segments == 1


def test_the_validity_period_is_the_remaining_life(ada, queued, twilio):
    message = queued(ada)
    with time_machine.travel(message.queued_at + timedelta(seconds=540), tick=False):
        hand_over(message.pk)
    assert twilio.messages[0].validity_period in (59, 60)


def test_a_messaging_service_picks_the_sender(ada, queued, deliver, twilio, settings):
    settings.TWILIO_MESSAGING_SERVICE_SID = "MG" + "a" * 32
    message = queued(ada)
    deliver()
    assert (twilio.messages[0].from_, twilio.messages[0].messaging_service_sid) == (None, "MG" + "a" * 32)
    assert fresh(message).state == State.HANDED_OVER


@pytest.mark.parametrize(
    ("behaviour", "state", "reason", "code", "requests"),
    [
        (Accept(), "handed_over", "", "", 1),
        # Refused for good.
        (Refuse(21211), "failed", "bad_number", "21211", 1),
        (Refuse(21614), "failed", "bad_number", "21614", 1),
        (Refuse(21610), "failed", "opted_out", "21610", 1),
        (Refuse(21408), "failed", "country", "21408", 1),
        (Refuse(20003), "failed", "provider", "20003", 1),
        (Refuse(21635), "failed", "landline", "21635", 1),
        (Refuse(20404, 404), "failed", "provider", "20404", 1),
        (Refuse(99999), "failed", "provider", "99999", 1),
        # Not taken: tried again.
        (TooMany(retry_after=3), "queued", "", "", 1),
        (TooMany(retry_after=None), "queued", "", "", 1),
        (ServerError(503), "queued", "", "", 1),
        (ServerError(503, retry_after=3), "queued", "", "", 1),
        # Nobody knows: not repeated.
        (ServerError(500), "unknown", "", "", 1),
        (Hang(5), "unknown", "", "", 1),
        (CutBefore(), "unknown", "", "", 0),
        (CutAfter(), "unknown", "", "", 1),
        (Garbage(), "unknown", "", "", 1),
        (Garbage(accepted=True), "unknown", "", "", 1),
        (Garbage(502), "unknown", "", "", 1),
        (Garbage(503), "queued", "", "", 1),
        (Garbage(302), "unknown", "", "", 1),
        (Garbage(404), "failed", "provider", "404", 1),
    ],
)
def test_what_twilio_answers_decides_what_happens(
    ada, queued, deliver, twilio, settings, behaviour, state, reason, code, requests
):
    settings.CARRIER_TIMEOUT = 0.3
    twilio.answer_next(behaviour)
    message = queued(ada)
    deliver()
    message = fresh(message)
    assert (message.state, message.reason, message.provider_code) == (state, reason, code)
    assert len(twilio.requests) == requests
    # A second look, after any pause: what was not taken is sent, all else is not repeated.
    hand_over(message.pk, timezone.now() + timedelta(minutes=1))
    assert len(twilio.requests) == requests + (state == "queued")
    assert fresh(message).state == ("handed_over" if state == "queued" else state)
    bodies = {request.form["Body"] for request in twilio.requests}
    assert len(bodies) <= 1  # the same code each time


@pytest.mark.parametrize(
    ("behaviour", "pause"),
    [
        (TooMany(retry_after=7), 7),
        (ServerError(503, retry_after=7), 7),
        (TooMany(retry_after=0), 0),
        (TooMany(retry_after=None), 2),
        (ServerError(503), 2),
    ],
)
def test_it_waits_as_long_as_twilio_asks(ada, queued, deliver, twilio, behaviour, pause):
    twilio.answer_next(behaviour)
    message = queued(ada)
    with time_machine.travel(message.not_before, tick=False):
        deliver()
        assert (fresh(message).not_before - timezone.now()).total_seconds() == pause


def test_retries_end_with_the_life_of_the_code(ada, queued, twilio):
    twilio.behaviour = TooMany(retry_after=150)
    message = queued(ada)
    with time_machine.travel(message.not_before, tick=False) as clock:
        for _ in range(8):
            hand_over(message.pk)
            clock.shift(150)
    assert fresh(message).state == State.EXPIRED
    assert len(twilio.requests) == 4  # after 0, 150, 300 and 450 seconds


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://twilio.invalid"])
def test_what_never_left_is_tried_again(ada, queued, deliver, twilio, settings, url):
    settings.TWILIO_API_URL = url.format(port=closed_port())
    message = queued(ada)
    deliver()
    assert fresh(message).state == State.QUEUED


def test_without_credentials_it_fails_at_once(ada, queued, deliver, twilio, settings):
    settings.TWILIO_ACCOUNT_SID = settings.TWILIO_AUTH_TOKEN = ""
    message = queued(ada)
    deliver()
    message = fresh(message)
    assert (message.state, message.reason, message.provider_code) == (State.FAILED, "provider", "20003")


def test_an_answer_that_is_json_but_no_message_is_unknown(ada, queued, deliver, twilio, monkeypatch):
    monkeypatch.setattr(type(twilio), "_resource", lambda self, item: ["not", "an", "object"])
    message = queued(ada)
    deliver()
    assert fresh(message).state == State.UNKNOWN


def test_no_log_holds_the_code_or_the_number(ada, queued, deliver, twilio, caplog, settings):
    settings.CARRIER_TIMEOUT = 0.3
    with caplog.at_level("DEBUG"):
        for behaviour in (Accept(), Refuse(21211), TooMany(), ServerError(500), Hang(5), CutBefore(), Garbage()):
            twilio.answer_next(behaviour)
            message = queued(ada)
            deliver()
            code = code_of(challenge_of(message))
            Message.objects.all().delete()
            challenge_of(message).delete()
            assert code not in caplog.text and "15112345678" not in caplog.text
            caplog.clear()


def test_the_provider_is_made_once(twilio):
    assert providers_for("text") is providers_for("text")


def test_every_reason_has_words():
    assert all(reason.label for reason in REASONS.values())
