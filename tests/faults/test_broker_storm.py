"""The broker is stopped, started and flushed while people ask for codes, ask again and type them."""

import time
from collections import Counter as Tally
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from django.utils import timezone

from accounts.delivery import budgets, queues, services
from accounts.delivery.models import Message, State
from accounts.stepup import challenges
from accounts.stepup.models import Challenge, Grant
from benchmarks import _guests, storm
from benchmarks._stage import Broker
from tests.codes import code_of
from tests.conftest import in_threads

from .conftest import Workers, environment, until, use_broker

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

PESTERED = "+4915199999999"


@pytest.fixture
def own_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A Valkey that nobody else uses."""
    monkeypatch.setattr(queues, "_rests_until", 0.0)
    broker = Broker(tmp_path)
    broker.start()
    use_broker(broker.url)
    yield broker
    use_broker("memory://")
    broker.stop()


@pytest.fixture
def own_workers(own_broker: Broker, twilio, transactional_db: None, tmp_path: Path) -> Iterator[Workers]:
    nursery = Workers(environment(own_broker.url, twilio.url), tmp_path / "worker.log")
    yield nursery
    nursery.stop()


def test_no_limit_is_lifted_no_code_works_twice_and_nothing_is_lost(own_broker, own_workers, twilio, asker, settings):
    _guests.lift_budgets(settings)  # of those that many share; the one of a number is what this tries
    over = Event()
    refusals: Tally[str] = Tally()

    def the_brokers_bad_day(_number: int) -> None:
        try:
            for _ in range(3):
                time.sleep(1)  # how long things go well, and how long they don't, is what makes the storm
                own_broker.stop()
                time.sleep(1)
                own_broker.start()
                time.sleep(1)
                with own_broker.client() as client:
                    client.flushall()
        finally:
            over.set()

    def shopper(number: int) -> None:
        while not over.is_set():
            who = _guests.guest()
            challenge = challenges.begin(asker=who, **_guests.BEGIN)
            for _ in range(3):
                with pytest.raises(challenges.TooSoon):
                    challenges.send(challenge, asker=who, factor="text")
            if number % 2:
                type_code(challenge, who)
                with pytest.raises(challenges.ChallengeOver):
                    type_code(challenge, who)

    def pest(_number: int) -> None:
        """Asks for the same phone from one browser after another."""
        while not over.is_set():
            browser = _guests.guest().browser
            challenge = challenges.begin(asker=asker(contact=PESTERED, browser=browser), **_guests.BEGIN)
            refusals["sent" if challenge.sends else "refused"] += 1
            over.wait(0.02)

    def type_code(challenge: Challenge, who: challenges.Asker) -> None:
        said = {"purpose": challenge.purpose, "digest": _guests.DIGEST, "code": code_of(challenge)}
        challenges.answer(challenge.pk, asker=who, **said)

    for _ in range(2):
        own_workers.start()
    parts = [the_brokers_bad_day, shopper, shopper, pest]
    failures = in_threads(len(parts), lambda number: parts[number](number))
    assert failures == [None] * len(parts)

    def nothing_waits() -> bool:
        services.sweep(timezone.now() + services.REQUEUE_AFTER)
        time.sleep(0.2)
        return not Message.objects.filter(state__in=Message.WAITING).exists()

    until(nothing_waits, seconds=40)
    # The workers have found their broker again by themselves.
    assert own_workers.all_alive(), own_workers.log.read_text()[-5000:]
    report = storm.compare(twilio)
    assert not report.twice and not report.untrue and not report.stuck, report
    passed = Challenge.objects.filter(state=Challenge.State.PASSED)
    dropped = Message.objects.filter(state=State.EXPIRED)
    assert set(dropped.values_list("challenge__state", flat=True)) <= {Challenge.State.PASSED}
    assert report.states[State.HANDED_OVER] + dropped.count() == Message.objects.count(), report

    assert Grant.objects.count() == passed.count() > 0
    assert refusals["sent"] == budgets.NUMBER.most and refusals["refused"]
    assert Message.objects.filter(destination=PESTERED).count() == budgets.NUMBER.most
    assert not Message.objects.filter(send_number__gt=1).exists()
