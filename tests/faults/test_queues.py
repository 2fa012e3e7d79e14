"""The queues on a real broker: their order, what the sweep adds to them, and what a worker does that is told to go."""

import json
import os
import pickle
import signal
from base64 import b64encode
from collections import Counter as Tally
from datetime import timedelta
from uuid import uuid4

import pytest
import redis
from django.utils import timezone

from accounts.delivery import queues, services
from accounts.delivery.models import Message, State
from accounts.delivery.tasks import hand_over, sweep
from accounts.stepup.models import Challenge
from benchmarks import _guests as guests
from tests.servers.twilio import Accept, Hang, Slow

from .conftest import until

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def valkey(broker):
    with redis.Redis.from_url(broker) as client:
        yield client


@pytest.fixture
def ask(broker):
    """`ask(7)`: seven guests have asked for a code, and the broker was told; or their mail, in `queue="codes"`."""

    def ask(count: int, queue: str = queues.CODES) -> list[Message]:
        messages = guests.ask(count)
        for message in messages:
            hand_over.apply_async((str(message.pk),), queue=queue)
        return messages

    return ask


def states() -> Tally[str]:
    return Tally(Message.objects.values_list("state", flat=True))


def sent(twilio) -> Tally[str]:
    return Tally(request.form["To"] for request in twilio.requests)


def sweep_in(**delta: float) -> None:
    services.sweep(timezone.now() + timedelta(**delta))


def test_a_backlog_is_not_multiplied_by_the_sweep(valkey, ask, workers, twilio):
    """The workers are behind for minutes, and the sweep comes every ten seconds."""
    ask(100)
    for seconds in range(11, 120, 10):
        sweep_in(seconds=seconds)
    assert valkey.llen("codes") == 100

    valkey.ltrim("codes", 0, 59)  # the broker loses the 40 that would be next
    sweep_in(seconds=130)
    assert valkey.llen("codes") == 100
    workers.start()
    until(lambda: states() == {State.HANDED_OVER: 100})
    assert set(sent(twilio).values()) == {1}


def test_what_waits_for_its_time_is_told_when_it_comes_however_much_the_queue_holds(valkey, ask):
    ask(20)
    later = timezone.now() + timedelta(seconds=30)
    one = Message.objects.order_by("told_at")[7]
    Message.objects.filter(pk=one.pk).update(not_before=later)  # it was tried, and not taken
    sweep_in(seconds=29)
    assert valkey.llen("codes") == 20
    services.sweep(later)
    services.sweep(later)
    assert valkey.llen("codes") == 21
    assert json.loads(valkey.lindex("codes", 0))["headers"]["argsrepr"] == f"('{one.pk}',)"


def test_two_sweeps_at_once_tell_once(valkey, ask, monkeypatch):
    """The second one asks the broker before the first has told it anything."""
    ask(5)
    valkey.flushdb()
    at = timezone.now() + timedelta(seconds=11)
    enqueue, told = services.enqueue, []

    def meanwhile(message_id, kind):
        if not told:
            told.append(True)
            services.sweep(at)
        return enqueue(message_id, kind)

    monkeypatch.setattr(services, "enqueue", meanwhile)
    services.sweep(at)
    assert valkey.llen("codes") == 5


def test_codes_come_before_mail_before_the_rest(valkey, ask, workers, twilio):
    """One worker that takes one at a time, so that the order in which it begins is the order of the queues.

    Three were told of each, the least urgent first.
    """
    for _ in range(3):
        sweep.apply_async()
    mail, codes = ask(3, queues.MAIL), ask(3)
    workers.start("--concurrency", "1")
    until(lambda: states() == {State.HANDED_OVER: 6} and not valkey.exists("slow", "unacked"))
    assert [request.form["To"] for request in twilio.requests] == [message.destination for message in codes + mail]
    said = workers.log.read_text().splitlines()
    began = [line.split("Task ")[1].split("[")[0] for line in said if line.endswith(" received")]
    assert began[6:] == ["accounts.delivery.tasks.sweep"] * 3


def test_a_worker_takes_no_more_than_it_works_on(valkey, ask, workers, twilio):
    """What it has taken waits for a while when it dies, and is given to another then."""
    twilio.behaviour = Hang(60)
    ask(20)
    workers.start("--concurrency", "4")
    twilio.wait_for_requests(4, timeout=30)
    assert 4 <= valkey.hlen("unacked") <= 5 and valkey.llen("codes") >= 15  # not done, so not acknowledged
    twilio.release()


def test_told_to_go_it_finishes_what_it_began_and_gives_back_the_rest(valkey, ask, workers, twilio):
    twilio.behaviour = Slow(60)
    ask(20)
    worker = workers.start("--concurrency", "4")
    twilio.wait_for_requests(4, timeout=30)
    os.kill(worker, signal.SIGTERM)
    until(lambda: "Warm shutdown" in workers.log.read_text())
    twilio.release()
    workers.gone(worker)
    assert states() == {State.HANDED_OVER: 4, State.QUEUED: 16}
    assert valkey.llen("codes") == 16 and not valkey.exists("unacked")

    twilio.behaviour = Accept()
    workers.start()
    until(lambda: states() == {State.HANDED_OVER: 20})
    assert set(sent(twilio).values()) == {1}


def test_a_code_that_came_too_late_is_dropped_with_a_state(valkey, workers, twilio):
    """Its task expires with its challenge, and is not begun; the sweep then finds the row and ends it."""
    [message] = guests.ask(1)
    Challenge.objects.update(expires_at=timezone.now())
    services.enqueue(message.pk, message.kind)
    [task] = valkey.lrange("codes", 0, -1)
    assert json.loads(task)["headers"]["expires"] is not None
    valkey.delete("codes")
    hand_over.apply_async((str(message.pk),), queue="codes", expires=timezone.now() - timedelta(seconds=1))
    workers.start()
    until(lambda: "revoked" in workers.log.read_text())
    assert states() == {State.QUEUED: 1}
    sweep_in(seconds=11)
    until(lambda: states() == {State.EXPIRED: 1})
    assert not twilio.requests


class Trap:
    def __reduce__(self):
        return os.mkdir, (f"/tmp/countersign-{uuid4()}",)


def test_a_pickle_is_not_opened_and_stops_nobody(valkey, ask, workers, twilio):
    ask(1)
    task = json.loads(valkey.lindex("codes", 0))
    trap = Trap()
    folder = trap.__reduce__()[1][0]
    task["content-type"], task["content-encoding"] = "application/x-python-serialize", "binary"
    task["body"] = b64encode(pickle.dumps(trap)).decode()
    valkey.rpush("codes", json.dumps(task))
    workers.start()
    until(lambda: states() == {State.HANDED_OVER: 1})
    assert "Refusing to deserialize" in workers.log.read_text() and not os.path.exists(folder)


def test_the_broker_keeps_no_results(valkey, ask, workers):
    ask(3)
    workers.start()
    until(lambda: states() == {State.HANDED_OVER: 3} and not valkey.exists("unacked"))
    assert all(key.startswith(b"_kombu.binding") for key in valkey.scan_iter())


def test_no_task_outlives_the_time_after_which_it_is_given_to_another(settings):
    """A mail server is asked a dozen things, each of which may take PROVIDER_TIMEOUT; nothing else is waited for."""
    longest = 12 * settings.PROVIDER_TIMEOUT
    assert settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"] > 2 * longest
    # A claim's life is shorter: it begins when the task does, and its end only says what isn't known yet.
    assert services.CLAIM_LIFE.total_seconds() < settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]
