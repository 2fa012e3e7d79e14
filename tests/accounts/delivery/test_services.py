"""The life of a message, whoever carries it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from accounts.delivery import queues, services
from accounts.delivery.composing import Content
from accounts.delivery.models import Message, Reason, State
from accounts.delivery.providers.base import NotNow, NotTaken, Refused, Unanswered
from accounts.delivery.services import hand_over, move, report, sweep
from accounts.stepup.models import Challenge
from tests.codes import code_of

from .conftest import challenge_of, fresh

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Carrier:
    """A provider that does as it is told and remembers what it got."""

    name = "carrier"

    def __init__(self) -> None:
        self.answer: Any = "id-1"
        self.got: list[Content] = []
        self.states: list[str] = []

    def hand_over(self, message: Message, content: Content) -> str:
        self.states.append(fresh(message).state)
        self.got.append(content)
        if isinstance(self.answer, Exception):
            raise self.answer
        return str(self.answer)


@pytest.fixture
def carrier(monkeypatch):
    carrier = Carrier()
    monkeypatch.setattr(services, "providers_for", lambda channel: (carrier,))
    return carrier


@pytest.fixture
def enqueued(monkeypatch):
    """Whom the workers are told of, by a broker that holds nothing."""
    told: list[Any] = []
    monkeypatch.setattr(queues, "held", lambda queue: 0)
    monkeypatch.setattr(services, "enqueue", lambda message_id, kind: told.append(message_id) or True)
    return told


def test_a_message_is_enqueued_after_the_commit(ada, queued, enqueued, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        message = queued(ada)
        assert message.state == State.QUEUED and enqueued == []
    assert enqueued == [message.pk]


def test_a_message_holds_no_text(ada, queued, carrier):
    message = queued(ada)
    hand_over(message.pk)
    code = code_of(challenge_of(message))
    assert code in carrier.got[0].text
    assert code not in str(Message.objects.values()) + str(Challenge.objects.values())
    assert code not in repr(carrier.got[0])


def test_it_is_claimed_before_the_provider_is_called(ada, queued, carrier):
    message = queued(ada)
    hand_over(message.pk)
    assert carrier.states == [State.HANDING_OVER]
    message = fresh(message)
    assert (message.state, message.provider, message.provider_id) == (State.HANDED_OVER, "carrier", "id-1")
    assert message.handing_over_at and message.handed_over_at and message.tries == 1


def test_a_second_copy_of_the_task_finds_it_taken(ada, queued, carrier):
    message = queued(ada)
    hand_over(message.pk)
    hand_over(message.pk)
    assert len(carrier.got) == 1


@pytest.mark.parametrize("state", [state for state in State if state != State.QUEUED])
def test_only_what_waits_is_handed_over(ada, queued, carrier, state):
    message = queued(ada)
    Message.objects.update(state=state)
    hand_over(message.pk)
    assert carrier.got == [] and fresh(message).state == state


def test_an_unknown_message_is_no_error(db, carrier):
    hand_over(uuid4())
    assert carrier.got == []


def test_it_waits_for_its_time(ada, queued, carrier):
    message = queued(ada)
    now = timezone.now()
    Message.objects.update(not_before=now + MINUTE)
    hand_over(message.pk, now)
    assert carrier.got == []
    hand_over(message.pk, now + MINUTE)
    assert len(carrier.got) == 1


def test_a_refusal_is_final(ada, queued, carrier):
    message = queued(ada)
    carrier.answer = Refused(Reason.OPTED_OUT, "21610")
    hand_over(message.pk)
    message = fresh(message)
    assert (message.state, message.reason, message.provider_code) == (State.FAILED, "opted_out", "21610")
    assert message.ended_at and not message.handed_over_at
    hand_over(message.pk)
    assert len(carrier.got) == 1


def test_silence_is_unknown_and_not_repeated(ada, queued, carrier):
    message = queued(ada)
    carrier.answer = Unanswered()
    hand_over(message.pk)
    assert fresh(message).state == State.UNKNOWN
    hand_over(message.pk), sweep(timezone.now() + MINUTE), hand_over(message.pk, timezone.now() + MINUTE)
    assert len(carrier.got) == 1


@pytest.mark.parametrize(("retry_after", "pauses"), [(None, [2, 4, 8, 16, 32, 60, 60]), (7.0, [7] * 7)])
def test_what_was_not_taken_is_tried_again_later_and_later(ada, queued, carrier, retry_after, pauses):
    message = queued(ada)
    Challenge.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    carrier.answer = NotNow(retry_after)  # NotTaken would open the breaker (test_breaker.py)
    found = []
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(8):
            hand_over(message.pk)
            message = fresh(message)
            if message.state == State.QUEUED:
                pause = message.not_before - timezone.now()
                found.append(pause.total_seconds())
                clock.shift(pause)
    assert found == pauses
    assert (message.state, message.reason, message.tries) == (State.FAILED, "provider", 8)


def test_a_retry_that_succeeds_carries_the_same_code(ada, queued, carrier):
    message = queued(ada)
    carrier.answer = NotTaken(0.0)
    hand_over(message.pk)
    carrier.answer = "id-2"
    hand_over(message.pk)
    first, second = carrier.got
    assert first.text == second.text and fresh(message).state == State.HANDED_OVER


class TestTheClock:
    """Rule 2."""

    @pytest.fixture
    def clock(self):
        with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False) as clock:
            yield clock

    @pytest.mark.parametrize(("waited", "life"), [(0, 300), (120, 300), (299, 300), (300, 300), (400, 200), (590, 10)])
    def test_the_provider_is_told_the_remaining_life(self, clock, ada, queued, carrier, waited, life):
        message = queued(ada)
        asked = timezone.now()
        clock.shift(waited * SECOND)
        hand_over(message.pk)
        assert carrier.got[0].valid_for == life
        assert challenge_of(message).expires_at == asked + (waited + life) * SECOND

    def test_what_is_over_is_dropped(self, clock, ada, queued, carrier):
        message = queued(ada)
        clock.shift(10 * MINUTE)
        hand_over(message.pk)
        assert carrier.got == []
        message = fresh(message)
        assert message.state == State.EXPIRED and message.ended_at == timezone.now()

    @pytest.mark.parametrize("change", [{"state": "passed"}, {"state": "superseded"}, {"attempts_left": 0}])
    def test_what_nobody_waits_for_any_more_is_dropped(self, ada, queued, carrier, change):
        message = queued(ada)
        Challenge.objects.update(**change)
        hand_over(message.pk)
        assert carrier.got == [] and fresh(message).state == State.EXPIRED

    def test_without_its_key_it_is_dropped(self, ada, queued, carrier, settings):
        message = queued(ada)
        settings.CODE_KEYS = ["a new key"]
        hand_over(message.pk)
        assert carrier.got == [] and fresh(message).state == State.EXPIRED

    def test_a_slow_provider_takes_nothing_from_the_shopper(self, clock, ada, queued, carrier, monkeypatch):
        message = queued(ada)
        asked = timezone.now()
        monkeypatch.setattr(carrier, "hand_over", lambda message, content: str(clock.shift(9 * SECOND)))
        hand_over(message.pk)
        assert fresh(message).handed_over_at == asked + 9 * SECOND
        assert challenge_of(message).expires_at == asked + 9 * SECOND + 5 * MINUTE

    def test_silence_starts_it_too(self, clock, ada, queued, carrier):
        message = queued(ada)
        carrier.answer = Unanswered()
        hand_over(message.pk)
        assert challenge_of(message).expires_at == timezone.now() + 5 * MINUTE

    @pytest.mark.parametrize("answer", [Refused(Reason.BAD_NUMBER), NotTaken()])
    def test_what_did_not_leave_starts_none(self, clock, ada, queued, carrier, answer):
        message = queued(ada)
        carrier.answer = answer
        hand_over(message.pk)
        assert challenge_of(message).expires_at == timezone.now() + 10 * MINUTE


class TestSweep:
    def test_a_dead_workers_claim_becomes_unknown(self, ada, queued, carrier, enqueued):
        message = queued(ada)
        now = timezone.now()
        Message.objects.update(state=State.HANDING_OVER, handing_over_at=now)
        sweep(now + services.CLAIM_LIFE)
        assert fresh(message).state == State.HANDING_OVER
        sweep(now + services.CLAIM_LIFE + SECOND)
        message = fresh(message)
        assert message.state == State.UNKNOWN and message.ended_at
        assert challenge_of(message).expires_at == now + 5 * MINUTE
        assert enqueued == []  # this send is not repeated by itself

    def test_a_claim_outlives_every_wait_for_a_provider(self, settings):
        assert services.CLAIM_LIFE.total_seconds() > 2 * settings.PROVIDER_TIMEOUT

    def test_what_the_broker_lost_is_enqueued_again(self, ada, queued, enqueued):
        message = queued(ada)
        sweep(message.queued_at + services.REQUEUE_AFTER)
        assert enqueued == []
        sweep(message.queued_at + services.REQUEUE_AFTER + SECOND)
        assert enqueued == [message.pk]

    def test_what_waits_for_its_time_is_left_alone(self, ada, queued, enqueued):
        message = queued(ada)
        later = message.queued_at + MINUTE
        Message.objects.update(not_before=later)
        sweep(later - SECOND)
        assert enqueued == []
        sweep(later)
        assert enqueued == [message.pk]

    @pytest.mark.parametrize("state", [State.HANDED_OVER, State.SENT, State.DELIVERED, State.FAILED, State.EXPIRED])
    def test_what_is_done_is_left_alone(self, ada, queued, enqueued, state):
        message = queued(ada)
        Message.objects.update(state=state)
        sweep(timezone.now() + timedelta(days=1))
        assert enqueued == [] and fresh(message).state == state

    def test_an_answer_that_comes_after_all_is_better_than_unknown(self, ada, queued, carrier, monkeypatch):
        """The worker was not dead, only slower than its claim lives."""
        message = queued(ada)

        def slow(message, content):
            sweep(timezone.now() + services.CLAIM_LIFE + SECOND)
            assert fresh(message).state == State.UNKNOWN
            return "id-1"

        monkeypatch.setattr(carrier, "hand_over", slow)
        hand_over(message.pk)
        message = fresh(message)
        assert (message.state, message.provider_id) == (State.HANDED_OVER, "id-1")

    def test_a_late_no_repeats_nothing(self, ada, queued, carrier, monkeypatch):
        message = queued(ada)

        def slow(message, content):
            sweep(timezone.now() + services.CLAIM_LIFE + SECOND)
            raise NotTaken

        monkeypatch.setattr(carrier, "hand_over", slow)
        hand_over(message.pk)
        assert fresh(message).state == State.UNKNOWN


class TestMoves:
    """A message never goes backwards."""

    FORWARD = [
        ("queued", "handing_over"), ("queued", "failed"), ("queued", "expired"),
        ("handing_over", "queued"), ("handing_over", "handed_over"), ("handing_over", "sent"),
        ("handing_over", "delivered"), ("handing_over", "failed"), ("handing_over", "expired"),
        ("handing_over", "unknown"),
        ("unknown", "handed_over"), ("unknown", "sent"), ("unknown", "delivered"), ("unknown", "failed"),
        ("handed_over", "sent"), ("handed_over", "delivered"), ("handed_over", "failed"),
        ("sent", "delivered"), ("sent", "failed"),
    ]  # fmt: skip

    @pytest.mark.parametrize("to", State.values)
    @pytest.mark.parametrize("state", State.values)
    def test_each_move_is_allowed_or_does_nothing(self, ada, queued, state, to):
        message = queued(ada)
        Message.objects.update(state=state)
        allowed = (state, to) in self.FORWARD
        assert move(message.pk, State(to)) is allowed
        assert fresh(message).state == (to if allowed else state)

    def test_a_report_may_overtake_the_providers_answer(self, ada, queued, carrier, monkeypatch):
        message = queued(ada)

        def overtaken(message, content):
            assert report(message, State.DELIVERED, provider_id="id-1")
            return "id-1"

        monkeypatch.setattr(carrier, "hand_over", overtaken)
        hand_over(message.pk)
        message = fresh(message)
        assert (message.state, message.provider_id) == (State.DELIVERED, "id-1")
        assert message.delivered_at and message.handed_over_at
        assert challenge_of(message).expires_at < timezone.now() + 6 * MINUTE
