"""A provider that fails again and again is probed, and not hammered."""

import logging
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.delivery import breaker, services
from accounts.delivery.models import Alarm, Breaker, Channel, Message, Reason, State
from accounts.delivery.providers.base import NotAdmitted, NotNow, NotTaken, Refused, Unanswered
from tests.servers.twilio import Refuse, ServerError, TooMany

from .conftest import fresh
from .test_services import Carrier

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture
def carrier(monkeypatch):
    carrier = Carrier()
    monkeypatch.setattr(services, "providers_for", lambda channel: (carrier,))
    return carrier


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


def mail(number):
    return services.queue_message(
        kind=Message.Kind.CODE, channel=Channel.EMAIL, destination=f"guest{number}@example.org"
    )


@pytest.fixture
def hand_over(queued, carrier, monkeypatch):
    """`hand_over()` hands a new message over and gives it back."""
    from accounts.delivery.composing import Content, Writer

    monkeypatch.setattr(services, "writer_of", lambda message: Writer(lambda message, now: Content("words")))
    numbers = iter(range(1000))

    def hand_one_over():
        message = mail(next(numbers))
        services.hand_over(message.pk)
        return fresh(message)

    return hand_one_over


def fail(carrier, hand_over, answer, times):
    carrier.answer = answer
    return [hand_over() for _ in range(times)]


@pytest.mark.parametrize("answer", [NotTaken(), Unanswered()])
def test_five_failures_in_a_row_open_it(clock, carrier, hand_over, answer):
    waiting = fail(carrier, hand_over, answer, 7)[-1]
    assert len(carrier.got) == breaker.FAILURES == 5
    assert (waiting.state, waiting.tries) == (State.QUEUED, 0)
    assert waiting.not_before == timezone.now() + breaker.REST


@pytest.mark.parametrize("answer", [NotNow(1.0), Refused(Reason.BAD_NUMBER, "21211")])
def test_what_is_no_fault_of_the_provider_opens_nothing(clock, carrier, hand_over, answer):
    fail(carrier, hand_over, answer, 7)
    assert len(carrier.got) == 7


def test_a_success_in_between_begins_the_count_anew(clock, carrier, hand_over):
    fail(carrier, hand_over, Unanswered(), 4)
    carrier.answer = "id"
    hand_over()
    fail(carrier, hand_over, Unanswered(), 4)
    assert len(carrier.got) == 9


def test_while_it_is_open_one_message_in_thirty_seconds_asks_how_it_is(clock, carrier, hand_over):
    fail(carrier, hand_over, Unanswered(), 5)
    for _ in range(600):  # ten minutes, one message a second
        clock.shift(SECOND)
        hand_over()
    assert len(carrier.got) == 5 + 600 // 30


def test_a_probe_that_is_taken_closes_it(clock, carrier, hand_over):
    fail(carrier, hand_over, Unanswered(), 6)
    waiting = Message.objects.get(state=State.QUEUED)
    clock.shift(breaker.REST)
    carrier.answer = "id"
    services.hand_over(waiting.pk)
    assert fresh(waiting).state == State.HANDED_OVER
    assert hand_over().state == State.HANDED_OVER
    assert Breaker.objects.get().open_until is None


def test_a_message_that_is_over_is_dropped_while_its_provider_is_left_alone(clock, ada, queued, carrier):
    message = queued(ada)
    Breaker.objects.create(provider=carrier.name, failures=5, open_until=timezone.now() + timedelta(days=1))
    services.hand_over(message.pk)
    message = fresh(message)
    assert message.state == State.QUEUED
    clock.shift(timedelta(minutes=10))
    Message.objects.update(not_before=timezone.now())
    services.hand_over(message.pk)
    assert fresh(message).state == State.EXPIRED and carrier.got == []


def test_what_has_waited_for_days_has_failed(clock, carrier, hand_over):
    Breaker.objects.create(provider=carrier.name, failures=5, open_until=timezone.now() + timedelta(days=3))
    message = hand_over()
    assert (message.state, message.reason) == (State.FAILED, Reason.PROVIDER)


class TestAlarms:
    def test_one_is_raised_when_it_opens_and_ends_when_it_closes(self, clock, carrier, hand_over, caplog):
        with caplog.at_level(logging.WARNING, "accounts.delivery.alarms"):
            fail(carrier, hand_over, Unanswered(), 20)
            clock.shift(breaker.REST)
            hand_over()  # a probe that fails
            alarm = Alarm.objects.get()
            assert (alarm.kind, alarm.about, alarm.ended_at) == ("provider_down", "carrier", None)
            clock.shift(breaker.REST)
            carrier.answer = "id"
            hand_over()
        assert fresh(alarm).ended_at == timezone.now()
        said = [record.levelname for record in caplog.records if record.name == "accounts.delivery.alarms"]
        assert said == ["ERROR", "WARNING"]

    def test_refused_credentials_open_it_at_once(self, clock, carrier, hand_over):
        fail(carrier, hand_over, NotAdmitted(Reason.PROVIDER, "20003"), 3)
        assert len(carrier.got) == 1
        assert Alarm.objects.get().kind == "credentials"


@pytest.mark.parametrize(
    ("answer", "opens"),
    [
        (ServerError(500), True),
        (ServerError(503), True),
        (TooMany(retry_after=1), False),
        (Refuse(21211), False),
        (Refuse(21610), False),
    ],
)
def test_what_twilio_answers_opens_it_or_not(cleo, queued, twilio, answer, opens):
    message = queued(cleo)
    twilio.behaviour = answer
    for _ in range(6):
        Message.objects.update(state=State.QUEUED, not_before=timezone.now())
        services.hand_over(message.pk)
    assert Breaker.objects.filter(provider="twilio").exclude(open_until=None).exists() is opens


def test_wrong_credentials_at_twilio_raise_an_alarm_at_once(cleo, queued, twilio):
    message = queued(cleo)
    twilio.behaviour = Refuse(20003)
    services.hand_over(message.pk)
    message = fresh(message)
    assert (message.state, message.provider_code) == (State.FAILED, "20003")
    assert Alarm.objects.get().about == "twilio"
