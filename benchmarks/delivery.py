"""How long does who asks for a code wait: for the page, and for the carrier? How fast does a backlog drain?

Real PostgreSQL, Valkey, one Celery worker and a local Twilio. `--codes 10000` for a longer backlog.
"""

import statistics
import time
from collections.abc import Sequence
from datetime import timedelta
from itertools import count

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.models import Breaker, Message, State
from accounts.delivery.tasks import hand_over
from benchmarks import _guests
from benchmarks._stage import Stage, stage
from tests.servers.twilio import Accept, Behaviour, Hang, Slow

LATENCY = 0.2  # seconds until the provider answers
CONCURRENCIES = (8, 16, 32)
QUIET = ("--loglevel", "ERROR")

_visitors = count()


def measure(options: Sequence[str] = ()) -> None:
    codes = _guests.how_many(options)
    with stage() as on:
        request_time(on)
        drain(on, codes)
        tap_to_hand_over(on)


def tap() -> float:
    """A new guest asks for a code on the page of the sign-up; the seconds until it answers."""
    number = next(_visitors)
    client = Client(REMOTE_ADDR=f"198.51.{number // 250 % 250}.{number % 250 + 1}")
    contact = _guests.guest().contact
    began = time.perf_counter()
    answer = client.post(reverse("sign_in:sign_up"), {"contact": contact})
    took = time.perf_counter() - began
    assert answer.status_code == 302, answer.content.decode()
    return took


def request_time(on: Stage, blocks: int = 10, block: int = 20) -> None:
    """In turn, so that whatever else the machine does falls on both."""
    worker = on.workers.start(*QUIET)
    behaviours: dict[str, Behaviour] = {"answers at once": Accept(), "answers after 30 s": Hang(30)}
    times: dict[str, list[float]] = {what: [] for what in behaviours}
    for _ in range(20):
        tap()
    for number in range(blocks):
        for what in sorted(behaviours, reverse=bool(number % 2)):
            on.twilio.behaviour = behaviours[what]
            Breaker.objects.all().delete()
            times[what] += [tap() for _ in range(block)]
            on.twilio.release()
    print(f"\n{'the page, when the provider':34} {'p50':>9} {'p95':>9}")
    for what, took in times.items():
        print(f"{what:34} {statistics.median(took) * 1000:6.1f} ms {_percentile(took, 95) * 1000:6.1f} ms")
    quick, slow = (statistics.median(took) for took in times.values())
    print(f"{'ratio of the medians':34} {slow / quick:9.3f}   (budget: under 1.1)")
    on.twilio.behaviour = Accept()
    on.clear(worker)


def drain(on: Stage, codes: int) -> None:
    print(f"\n{codes} codes wait, the provider answers in {LATENCY} s, one worker process")
    print(f"{'threads':>8} {'codes a second':>15} {'threads / latency':>18} {'of it':>7}   (budget: 80%)")
    on.twilio.behaviour = Slow(LATENCY)
    for concurrency in CONCURRENCIES:
        for message in _guests.ask(codes):
            hand_over.apply_async((str(message.pk),), queue="codes")
        worker = on.workers.start(*QUIET, "--concurrency", str(concurrency))
        while Message.objects.filter(state__in=Message.WAITING).exists():
            time.sleep(0.2)
        states = set(Message.objects.values_list("state", flat=True))
        assert states == {State.HANDED_OVER}, states
        # Without the first and the last tenth, in which not all threads have something to do.
        at = sorted(request.at for request in on.twilio.requests)[codes // 10 : -(codes // 10)]
        rate = (len(at) - 1) / (at[-1] - at[0]).total_seconds()
        most = concurrency / LATENCY
        print(f"{concurrency:8} {rate:15.1f} {most:18.1f} {rate / most:7.0%}", flush=True)
        on.clear(worker)


def tap_to_hand_over(on: Stage, idle: int = 40, loaded: int = 200, a_second: int = 10) -> None:
    print(f"\nFrom the tap until the carrier has it, which takes {LATENCY} s to say so")
    print(f"{'':44} {'p50':>8} {'p95':>8} {'p99':>8}")
    on.twilio.behaviour = Slow(LATENCY)
    worker = on.workers.start(*QUIET, "--concurrency", "16")
    for _ in range(idle):
        tap()
        while Message.objects.filter(state__in=Message.WAITING).exists():
            time.sleep(0.01)
    _show("idle, one after the other", Message.objects.values_list("queued_at", "handed_over_at"))
    Message.objects.all().delete()

    for message in _guests.ask(1000):
        hand_over.apply_async((str(message.pk),), queue="mail")
    mail = timezone.now()
    began = time.monotonic()
    for number in range(loaded):
        time.sleep(max(0.0, began + number / a_second - time.monotonic()))
        tap()
    while Message.objects.filter(state__in=Message.WAITING, queued_at__gt=mail).exists():
        time.sleep(0.05)
    taps = Message.objects.filter(queued_at__gt=mail)
    _show(f"{a_second} a second, while 1000 of mail's queue wait", taps.values_list("queued_at", "handed_over_at"))
    on.clear(worker)


def _show(what: str, times) -> None:  # type: ignore[no-untyped-def]
    took = [(handed_over - queued) / timedelta(seconds=1) for queued, handed_over in times]
    print(f"{what:44}", *(f"{_percentile(took, p):6.2f} s" for p in (50, 95, 99)), flush=True)


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]
