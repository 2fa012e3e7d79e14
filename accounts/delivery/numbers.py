"""How messages do, in numbers: over a period for the shop's people, and at this moment for the operator.

All of it is counted in the database when somebody asks, in a fixed number of queries, over a period that the index on
`queued_at` keeps to its own rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Aggregate, Count, F, FloatField, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Extract, TruncDate
from django.utils import timezone

from accounts.delivery.models import Alarm, Breaker, Heartbeat, Message, State
from accounts.delivery.queues import KINDS_OF_CODES, held

QUEUES = ("codes", "mail", "slow")
# A worker's sign of life is due twice a minute (CELERY_BEAT_SCHEDULE).
SILENT_AFTER = timedelta(minutes=2)
# A code that waits for so long is late, whoever is to blame.
LATE_AFTER = timedelta(seconds=30)
DIMENSIONS = ("channel", "provider", "country", "carrier")
NEVER_LEFT = [State.FAILED, State.EXPIRED, State.UNKNOWN]


@dataclass
class Steps:
    """How far the codes of one kind came. Each step is part of the one before it."""

    asked: int = 0
    handed_over: int = 0
    delivered: int = 0
    passed: int = 0
    cost: Decimal = Decimal(0)

    def add(self, other: "Steps") -> None:
        for name in ("asked", "handed_over", "delivered", "passed", "cost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(frozen=True)
class Waits:
    """Seconds from the tap: as fast as half of the codes, as all but 5 in 100, as all but 1 in 100."""

    p50: float | None
    p95: float | None
    p99: float | None


@dataclass
class Day:
    asked: int = 0
    handed_over: int = 0
    delivered: int = 0
    cost: Decimal = Decimal(0)


@dataclass
class Failure:
    channel: str
    state: str
    reason: str
    count: int


class _Percentiles(Aggregate):
    function = "percentile_cont"
    template = "%(function)s(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field: Any = ArrayField(FloatField())


def _seconds_to(moment: str) -> Extract:
    return Extract(F(moment) - F("queued_at"), "epoch", output_field=FloatField())


def of_period(since: datetime, until: datetime) -> QuerySet[Message]:
    """What was asked for in it."""
    return Message.objects.filter(queued_at__gte=since, queued_at__lt=until)


def codes_by_all(since: datetime, until: datetime) -> dict[tuple[str, ...], Steps]:
    """By channel, provider, country and carrier together. The step `passed` is the challenge's to add."""
    rows = (
        of_period(since, until)
        .filter(kind=Message.Kind.CODE)
        .values(*DIMENSIONS)
        .annotate(
            asked=Count("pk"),
            # A report may say "delivered" of what nobody saw leave: it was handed over then.
            handed=Count(Coalesce("handed_over_at", "sent_at", "delivered_at")),
            arrived=Count("delivered_at"),
            money=Coalesce(Sum("cost"), Decimal(0)),
        )
        .order_by(*DIMENSIONS)
    )
    return {
        tuple(row[name] for name in DIMENSIONS): Steps(
            asked=row["asked"], handed_over=row["handed"], delivered=row["arrived"], cost=row["money"]
        )
        for row in rows
    }


def together(by_all: dict[tuple[str, ...], Steps], dimension: str) -> dict[str, Steps]:
    """By one of DIMENSIONS, the most asked for first."""
    found: dict[str, Steps] = {}
    for key, steps in by_all.items():
        found.setdefault(key[DIMENSIONS.index(dimension)], Steps()).add(steps)
    return dict(sorted(found.items(), key=lambda item: (-item[1].asked, item[0])))


def total(steps: Iterable[Steps]) -> Steps:
    found = Steps()
    for each in steps:
        found.add(each)
    return found


def waits_by_channel(since: datetime, until: datetime) -> dict[str, tuple[Waits, Waits]]:
    """Of codes: seconds from the tap to hand-over, and to delivery."""
    rows = (
        of_period(since, until)
        .filter(kind=Message.Kind.CODE)
        .values("channel")
        .annotate(handed=_Percentiles(_seconds_to("handed_over_at")), arrived=_Percentiles(_seconds_to("delivered_at")))
        .order_by("channel")
    )
    none = [None] * 3
    return {row["channel"]: (Waits(*(row["handed"] or none)), Waits(*(row["arrived"] or none))) for row in rows}


def by_day(since: datetime, until: datetime) -> dict[Any, dict[str, Day]]:
    """Everything that was sent, by the shop's own days and by channel."""
    rows = (
        of_period(since, until)
        .annotate(day=TruncDate("queued_at"))
        .values("day", "channel")
        .annotate(
            asked=Count("pk"),
            handed=Count(Coalesce("handed_over_at", "sent_at", "delivered_at")),
            arrived=Count("delivered_at"),
            money=Coalesce(Sum("cost"), Decimal(0)),
        )
        .order_by("day", "channel")
    )
    days: dict[Any, dict[str, Day]] = {}
    for row in rows:
        days.setdefault(row["day"], {})[row["channel"]] = Day(row["asked"], row["handed"], row["arrived"], row["money"])
    return days


def cost_by_country(since: datetime, until: datetime) -> list[dict[str, Any]]:
    """What everything that was sent costs, the dearest first; `unknown` counts what has no price."""
    rows: Any = of_period(since, until).exclude(handed_over_at=None).values("country", "channel")
    rows = rows.annotate(
        sent=Count("pk"), money=Coalesce(Sum("cost"), Decimal(0)), unknown=Count("pk", filter=Q(cost=None))
    )
    return [dict(row) for row in rows.order_by("-money", "-sent", "country", "channel")]


def failures(since: datetime, until: datetime) -> list[Failure]:
    """Everything that did not arrive, the most frequent first."""
    rows = of_period(since, until).filter(state__in=NEVER_LEFT).values("channel", "state", "reason")
    return [
        Failure(row["channel"], row["state"], row["reason"], row["count"])
        for row in rows.annotate(count=Count("pk")).order_by("-count", "channel", "state", "reason")
    ]


def states(since: datetime, until: datetime) -> list[dict[str, Any]]:
    """How many messages of the period are where, for the metrics."""
    names = ("channel", "provider", "country", "state", "reason")
    return list(of_period(since, until).values(*names).annotate(count=Count("pk")).order_by(*names))


def spent_since(since: datetime) -> Decimal:
    return Message.objects.filter(queued_at__gte=since).aggregate(money=Coalesce(Sum("cost"), Decimal(0)))["money"]


# --- at this moment ---------------------------------------------------------------------------------------------------


@dataclass
class Pulse:
    """What an operator looks at first."""

    queues: dict[str, int] | None  # None: the broker is out of reach
    oldest: dict[str, timedelta]  # by queue, how long the oldest message waits that could have left
    heartbeats: dict[str, timedelta | None]  # by queue, how long ago its worker gave a sign of life
    breakers: dict[str, bool]  # by provider that has failed at some time: is it left alone now?
    alarms: list[Alarm] = field(default_factory=list)

    @property
    def silent(self) -> list[str]:
        return [queue for queue, age in self.heartbeats.items() if age is None or age > SILENT_AFTER]

    @property
    def late(self) -> bool:
        return any(age > LATE_AFTER for age in self.oldest.values())

    @property
    def well(self) -> bool:
        left_alone = any(self.breakers.values())
        return self.queues is not None and not (self.silent or self.late or self.alarms or left_alone)


def pulse(now: datetime | None = None) -> Pulse:
    now = now or timezone.now()
    waiting = Message.objects.filter(state__in=Message.WAITING, not_before__lte=now)
    codes = Q(kind__in=KINDS_OF_CODES)
    oldest = waiting.aggregate(codes=Min("not_before", filter=codes), mail=Min("not_before", filter=~codes))
    beats = dict(Heartbeat.objects.values_list("queue", "at"))
    return Pulse(
        queues=queue_lengths(),
        oldest={queue: now - at if at else timedelta(0) for queue, at in oldest.items()},
        heartbeats={queue: now - beats[queue] if queue in beats else None for queue in QUEUES},
        breakers={
            breaker.provider: bool(breaker.open_until and breaker.open_until > now)
            for breaker in Breaker.objects.order_by("provider")
        },
        alarms=list(Alarm.objects.filter(ended_at=None).order_by("-raised_at")),
    )


def beat(queue: str, now: datetime | None = None) -> None:
    """A worker does what is in this queue."""
    Heartbeat.objects.update_or_create(queue=queue, defaults={"at": now or timezone.now()})


def queue_lengths() -> dict[str, int] | None:
    """How many tasks wait in each queue; None where the broker is out of reach."""
    lengths = {}
    for queue in QUEUES:
        length = held(queue)
        if length is None:
            return None  # nor would it tell of the others
        lengths[queue] = length
    return lengths
