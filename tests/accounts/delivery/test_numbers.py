"""What is counted of messages, over a period and at this moment."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from accounts.delivery import numbers
from accounts.delivery.models import Alarm, Breaker, Heartbeat, Message, State
from accounts.delivery.tasks import beat
from shop import settings as shop_settings

pytestmark = pytest.mark.django_db
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=7)
SECOND = timedelta(seconds=1)


def message(at=SINCE, *, handed=None, delivered=None, **fields):
    """One that was asked for at that time, and left and arrived so many seconds later."""
    return Message.objects.create(
        **{"kind": "code", "channel": "text", "destination": "+4915112345678"} | fields,
        queued_at=at,
        handed_over_at=None if handed is None else at + handed * SECOND,
        delivered_at=None if delivered is None else at + delivered * SECOND,
    )


def test_codes_are_counted_at_each_step_they_reached_and_within_the_period_only():
    message(country="DE", carrier="A", provider="twilio", handed=1, delivered=3, cost=Decimal("0.07"))
    message(country="DE", carrier="B", provider="twilio", handed=1, cost=Decimal("0.08"))
    message(country="AT", provider="twilio", delivered=2)  # a report overtook the answer, which got lost
    message(channel="email", destination="a@example.org")
    message(kind="notice", handed=1)
    message(SINCE - SECOND, handed=1)
    message(UNTIL, handed=1)
    by_all = numbers.codes_by_all(SINCE, UNTIL)
    assert numbers.total(by_all.values()) == numbers.Steps(4, 3, 2, 0, Decimal("0.15"))
    assert numbers.together(by_all, "country") == {
        "DE": numbers.Steps(2, 2, 1, 0, Decimal("0.15")),
        "": numbers.Steps(1),
        "AT": numbers.Steps(1, 1, 1),
    }
    assert list(numbers.together(by_all, "carrier")) == ["", "A", "B"]
    assert list(numbers.together(by_all, "channel")) == ["text", "email"]


def test_seconds_from_the_tap_are_those_that_so_many_of_the_codes_keep():
    for seconds in range(1, 102):
        message(handed=seconds, delivered=10 * seconds)
    message(handed=9999, kind="notice")
    message(channel="email", handed=4)
    message(channel="call")
    handed, delivered = numbers.waits_by_channel(SINCE, UNTIL)["text"]
    assert handed == numbers.Waits(51, 96, 100)
    assert delivered == numbers.Waits(510, 960, 1000)
    assert numbers.waits_by_channel(SINCE, UNTIL)["email"] == (numbers.Waits(4, 4, 4), numbers.Waits(None, None, None))
    assert numbers.waits_by_channel(SINCE, UNTIL)["call"][0].p50 is None


def test_days_are_the_shops_and_cost_is_summed_by_day_and_by_country():
    message(datetime(2026, 3, 2, 22, 59, tzinfo=UTC), handed=1, country="DE", cost=Decimal("0.0712"))
    message(datetime(2026, 3, 2, 23, 1, tzinfo=UTC), handed=1, country="DE", cost=Decimal("0.0712"))  # Berlin's 3rd
    message(datetime(2026, 3, 2, 23, 2, tzinfo=UTC), handed=1, country="FR")
    message(datetime(2026, 3, 2, 23, 3, tzinfo=UTC), country="FR")
    days = numbers.by_day(SINCE, UNTIL)
    assert {str(day): found["text"].asked for day, found in days.items()} == {"2026-03-02": 1, "2026-03-03": 3}
    assert [found["text"].cost for found in days.values()] == [Decimal("0.0712")] * 2
    costs = numbers.cost_by_country(SINCE, UNTIL)
    assert [(row["country"], row["sent"], row["money"], row["unknown"]) for row in costs] == [
        ("DE", 2, Decimal("0.1424"), 0),
        ("FR", 1, Decimal(0), 1),
    ]  # fmt: skip


def test_what_did_not_arrive_is_counted_by_reason():
    for state, reason in [("failed", "carrier"), ("failed", "carrier"), ("expired", ""), ("unknown", ""), ("sent", "")]:
        message(state=state, reason=reason)
    found = [(each.state, each.reason, each.count) for each in numbers.failures(SINCE, UNTIL)]
    assert found == [("failed", "carrier", 2), ("expired", "", 1), ("unknown", "", 1)]


def test_a_periods_numbers_read_no_rows_but_its_own():
    """With the index, a scan of the whole table is never the plan."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = on")
    assert "queued_at" in numbers.of_period(SINCE, UNTIL).explain()
    assert "Index" in numbers.of_period(SINCE, UNTIL).explain()
    assert any(index.fields == ["queued_at"] for index in Message._meta.indexes)


class TestThePulse:
    def beat_all(self, now):
        for queue in numbers.QUEUES:
            numbers.beat(queue, now)

    def test_all_is_well_where_the_workers_answer_and_nothing_waits(self):
        now = timezone.now()
        self.beat_all(now)
        message(now, state=State.DELIVERED, handed=1)
        message(now, not_before=now + timedelta(minutes=9))  # its provider asked for patience
        pulse = numbers.pulse(now)
        assert pulse.well
        assert pulse.queues == {"codes": 0, "mail": 0, "slow": 0}
        assert pulse.oldest == {"codes": timedelta(0), "mail": timedelta(0)}

    @pytest.mark.parametrize("trouble", ["silent", "never", "late code", "late mail", "breaker", "alarm", "broker"])
    def test_it_is_not_well_with(self, trouble, monkeypatch):
        now = timezone.now()
        self.beat_all(now)
        match trouble:
            case "silent":
                Heartbeat.objects.filter(queue="mail").update(at=now - timedelta(minutes=3))
            case "never":
                Heartbeat.objects.filter(queue="slow").delete()
            case "late code":
                message(now - timedelta(minutes=1), not_before=now - timedelta(minutes=1))
            case "late mail":
                message(now - timedelta(minutes=1), not_before=now - timedelta(minutes=1), kind="notice")
            case "breaker":
                Breaker.objects.create(provider="twilio", failures=5, open_until=now + SECOND)
            case "alarm":
                Alarm.objects.create(kind=Alarm.Kind.CREDENTIALS, about="twilio")
            case "broker":
                monkeypatch.setattr(numbers, "queue_lengths", lambda: None)  # tests/faults/test_broker.py
        pulse = numbers.pulse(now)
        assert not pulse.well
        assert pulse.silent == {"silent": ["mail"], "never": ["slow"]}.get(trouble, [])
        assert pulse.late == trouble.startswith("late")
        assert (pulse.queues is None) == (trouble == "broker")

    def test_what_is_over_troubles_nobody(self):
        now = timezone.now()
        self.beat_all(now)
        Breaker.objects.create(provider="twilio")
        Alarm.objects.create(kind=Alarm.Kind.CREDENTIALS, about="twilio", ended_at=now)
        assert numbers.pulse(now).well


def test_each_queue_gets_its_sign_of_life_from_a_worker_of_its_own():
    rows = [row for row in shop_settings.CELERY_BEAT_SCHEDULE.values() if row["task"] == beat.name]
    assert [(row["args"], row["options"]["queue"]) for row in rows] == [((queue,), queue) for queue in numbers.QUEUES]
    assert all(timedelta(seconds=3 * row["schedule"]) < numbers.SILENT_AFTER for row in rows)
    for row in rows:
        beat(*row["args"])
        beat(*row["args"])
    assert Heartbeat.objects.count() == len(numbers.QUEUES)
