"""The guard against pumping: somebody asks for code after code to numbers of a block that pays them for each text.

Nobody types those codes. Counted are the sends to each prefix and the codes typed, in slices of ten minutes. A prefix
is stopped when of the last hour's sends

- at least PUMPING_UNVERIFIED were not typed,
- less than three in ten were typed, and
- those not typed are more than three times its usual hour (the mean of the seven days before).

The stop lasts an hour, twice as long each time it comes again within a day, at most eight hours. It holds for
numbers that nobody has proven yet: sign-ups, guests, resets, new phones. Who owns a proven phone gets codes as ever, so
that pumping locks nobody out, and so does every other prefix.

Sends to a prefix are counted one after another, under the lock of its budget (budgets.py).
Source for the pattern: Twilio docs, "Preventing Toll Fraud", "SMS Pumping Fraud".
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from accounts import limits
from accounts.delivery.alarms import end_alarm, raise_alarm
from accounts.delivery.models import Alarm, PrefixStop, PrefixTraffic

SLICE = timedelta(minutes=10)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
USUAL = timedelta(days=7)
TYPED_AT_LEAST = 0.3
GROWTH = 3
REST = timedelta(hours=1)
LONGEST_REST = timedelta(hours=8)

_ADD = """
INSERT INTO delivery_prefixtraffic AS t (prefix, began_at, sends, passes) VALUES (%s, %s, %s, %s)
ON CONFLICT (prefix, began_at) DO UPDATE SET sends = t.sends + excluded.sends, passes = t.passes + excluded.passes
"""
_SUMS = """
SELECT coalesce(sum(sends) FILTER (WHERE began_at > %(hour)s), 0),
       coalesce(sum(passes) FILTER (WHERE began_at > %(hour)s), 0),
       coalesce(sum(greatest(sends - passes, 0)) FILTER (WHERE began_at <= %(hour)s), 0)
FROM delivery_prefixtraffic WHERE prefix = %(prefix)s AND began_at > %(week)s
"""


def may_send(prefix: str, *, proven: bool, now: datetime) -> bool:
    """Count a send to this prefix; False where it is stopped. The send that makes it unusual is the last one."""
    if not proven and is_stopped(prefix, now):
        return False
    _add(prefix, now, sends=1)
    if _is_unusual(prefix, now):
        _stop(prefix, now)
    return True


def is_stopped(prefix: str, now: datetime) -> bool:
    return PrefixStop.objects.filter(prefix=prefix, ended_at=None, until__gt=now).exists()


def passed(prefix: str, sent_at: datetime) -> None:
    """The code of a send to this prefix was typed."""
    _add(prefix, sent_at, passes=1)


def lift(stop: PrefixStop, *, by: int, reason: str, now: datetime) -> bool:
    """Staff say that it was honest. What was counted in the last hour is forgotten, else the next send stops it again.

    One UPDATE decides; False where it was over already.
    """
    with transaction.atomic():
        mine = PrefixStop.objects.filter(pk=stop.pk, ended_at=None)
        if not mine.update(ended_at=now, lifted_by_id=by, lift_reason=reason):
            return False
        PrefixTraffic.objects.filter(prefix=stop.prefix, began_at__gt=now - HOUR - SLICE).delete()
        limits.forget("sends to a prefix", stop.prefix)
        end_alarm(Alarm.Kind.PUMPING, about=stop.prefix, now=now)
    return True


def review(now: datetime) -> None:
    """End what is over, and forget what is too old to tell what is usual. Run every minute."""
    for stop in PrefixStop.objects.filter(ended_at=None, until__lte=now):
        if PrefixStop.objects.filter(pk=stop.pk, ended_at=None).update(ended_at=stop.until):
            end_alarm(Alarm.Kind.PUMPING, about=stop.prefix, now=now)
    PrefixTraffic.objects.filter(began_at__lt=now - USUAL - DAY).delete()


def _add(prefix: str, at: datetime, *, sends: int = 0, passes: int = 0) -> None:
    began_at = at - timedelta(minutes=at.minute % (SLICE.seconds // 60), seconds=at.second, microseconds=at.microsecond)
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [prefix, began_at, sends, passes])


def _is_unusual(prefix: str, now: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, {"prefix": prefix, "hour": now - HOUR, "week": now - USUAL})
        sends, passes, before = cursor.fetchone()
    unverified = sends - passes
    usual = before / ((USUAL - HOUR) / HOUR)
    return unverified >= settings.PUMPING_UNVERIFIED and passes < TYPED_AT_LEAST * sends and unverified > GROWTH * usual


def _stop(prefix: str, now: datetime) -> None:
    if is_stopped(prefix, now):
        return
    PrefixStop.objects.filter(prefix=prefix, ended_at=None).update(ended_at=now)  # the one before, not yet reviewed
    before = PrefixStop.objects.filter(prefix=prefix, stopped_at__gt=now - DAY, lifted_by=None).count()
    until = now + min(REST * 2**before, LONGEST_REST)
    PrefixStop.objects.create(prefix=prefix, stopped_at=now, until=until)
    raise_alarm(Alarm.Kind.PUMPING, about=prefix, now=now)
