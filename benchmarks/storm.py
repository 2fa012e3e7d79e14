"""Workers are killed with -9, one every second, while they hand over codes. What became of each, and is it true?

Real PostgreSQL, Valkey, Celery and a local Twilio, whose book is compared with the rows. `--codes 10000` for more.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from accounts.delivery import services
from accounts.delivery.models import Message, State
from accounts.stepup import challenges
from accounts.stepup.challenges import Asker
from accounts.stepup.models import Challenge
from benchmarks import _guests
from benchmarks._stage import stage
from tests.servers.twilio import Slow

TAKEN = {State.HANDED_OVER, State.SENT, State.DELIVERED}
NOT_TAKEN = {State.FAILED, State.EXPIRED}
PATIENCE = 900.0  # seconds


@dataclass
class Report:
    """What the rows say beside what the provider's book says."""

    killed: int
    seconds: float
    states: Counter[str]
    in_the_book: Counter[str]  # of the messages in each state, how many the provider has
    twice: list[UUID]  # reached the provider more than once
    untrue: list[UUID]  # the state says another thing than the book
    stuck: list[UUID]
    asked: int  # how many people asked for a code
    arrived: int  # how many of them have one

    def __str__(self) -> str:
        lines = [f"{self.asked} people asked, {self.killed} workers were killed in {self.seconds:.0f} s"]
        lines += [f"{'state of the message':28} {'messages':>9} {'in the provider’s book':>24}"]
        lines += [f"{state:28} {count:9} {self.in_the_book[state]:24}" for state, count in sorted(self.states.items())]
        lines += [
            f"reached the provider twice   {len(self.twice):9}",
            f"in a state that is not true  {len(self.untrue):9}",
            f"still waiting                {len(self.stuck):9}",
            f"people whose code arrived    {self.arrived:9}",
        ]
        return "\n".join(lines)


def measure(options: Sequence[str] = ()) -> None:
    codes = _guests.how_many(options)
    with stage() as on:
        on.twilio.behaviour = Slow(0.2)
        print(run(on.workers, on.twilio, codes, "--loglevel", "ERROR"))


def run(workers: Any, twilio: Any, codes: int, *options: str, alive: int = 4) -> Report:
    """Kill the oldest of `alive` workers each second until nothing waits; then one that nobody kills ends it."""
    for message in _guests.ask(codes):
        services.enqueue(message.pk, message.kind)
    began = time.monotonic()
    running = [workers.start(*options) for _ in range(alive)]
    killed = 0
    while Message.objects.filter(state=State.QUEUED).exists():
        assert time.monotonic() - began < PATIENCE, Counter(Message.objects.values_list("state", flat=True))
        done = len(twilio.requests)
        time.sleep(1)  # the storm's beat
        # Where the machine is so busy that a worker needs longer to begin, the storm waits for it.
        while len(twilio.requests) < done + 5 and Message.objects.filter(state=State.QUEUED).exists():
            assert time.monotonic() - began < PATIENCE, Counter(Message.objects.values_list("state", flat=True))
            time.sleep(0.1)
            services.sweep(timezone.now() + services.REQUEUE_AFTER)
        workers.kill(running.pop(0))
        killed += 1
        running.append(workers.start(*options))
        services.sweep(timezone.now() + services.REQUEUE_AFTER)
        ask_again()
    for worker in running:
        workers.kill(worker)
        killed += 1
    seconds = time.monotonic() - began

    # Nobody is alive who could still answer for these.
    services.sweep(timezone.now() + services.CLAIM_LIFE + timedelta(seconds=1))
    ask_again()
    workers.start(*options)
    services.sweep(timezone.now() + services.REQUEUE_AFTER)
    while Message.objects.filter(state__in=Message.WAITING).exists():
        assert time.monotonic() - began < PATIENCE, Counter(Message.objects.values_list("state", flat=True))
        time.sleep(0.1)
    return compare(twilio, killed, seconds)


def ask_again() -> None:
    """Whoever's last message is in doubt presses "send again", as soon as the page says so."""
    last = Message.objects.filter(challenge=OuterRef("pk")).order_by("-send_number").values("state")[:1]
    Challenge.objects.exclude(next_send_at=None).update(next_send_at=None)
    for challenge in Challenge.objects.alias(last=Subquery(last)).filter(last=State.UNKNOWN):
        try:
            who = Asker(browser=challenge.browser, contact=challenge.contact)
            challenges.send(challenge, asker=who, factor="text")
        except (challenges.ChallengeOver, challenges.NoMoreSends):
            pass


def compare(twilio: Any, killed: int = 0, seconds: float = 0) -> Report:
    book = Counter(_message_of(each.form) for each in twilio.messages)
    knocks = Counter(_message_of(each.form) for each in twilio.requests)
    rows = list(Message.objects.values_list("pk", "state", "challenge"))
    states = Counter(str(state) for _pk, state, _challenge in rows)
    return Report(
        killed=killed,
        seconds=seconds,
        states=states,
        in_the_book=Counter(str(state) for pk, state, _challenge in rows if book[pk]),
        twice=[pk for pk, _state, _challenge in rows if book[pk] > 1 or knocks[pk] > 1],
        untrue=[
            pk
            for pk, state, _challenge in rows
            if (state in TAKEN and book[pk] != 1) or (state in NOT_TAKEN and book[pk])
        ],
        stuck=[pk for pk, state, _challenge in rows if state in Message.WAITING],
        asked=Challenge.objects.count(),
        arrived=len({challenge for pk, _state, challenge in rows if book[pk]}),
    )


def _message_of(form: dict[str, str]) -> UUID:
    """The callback's address names our message, and so the number of its send."""
    return UUID(parse_qs(urlsplit(form["StatusCallback"]).query)["message"][0])
