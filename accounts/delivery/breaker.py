"""A breaker for each provider: one that fails again and again is left alone, and asked now and then how it is.

Five failures in a row open it. While it is open one message in thirty seconds is let through as a probe; one that is
taken closes it again. It is kept in the database, so that all workers know, and a flushed cache forgets nothing.

Source: M. Nygard, "Release It!", Circuit Breaker.
"""

from datetime import datetime, timedelta

from django.db.models import F

from accounts.delivery.alarms import end_alarm, raise_alarm
from accounts.delivery.models import Alarm, Breaker

FAILURES = 5
REST = timedelta(seconds=30)


def closed_again_at(provider: str, now: datetime) -> datetime | None:
    """None where a message may be handed over now; else when to ask again.

    Of those who ask when the rest is over one is told None: it is the probe, and the rest begins anew for the others.
    """
    breaker = Breaker.objects.filter(provider=provider).exclude(open_until=None).first()
    if breaker is None or breaker.open_until is None:
        return None
    if breaker.open_until > now:
        return breaker.open_until
    is_probe = Breaker.objects.filter(provider=provider, open_until=breaker.open_until).update(open_until=now + REST)
    return None if is_probe else now + REST


def left_alone(now: datetime) -> set[str]:
    """The names of the providers to whom nothing is handed over at the moment."""
    return set(Breaker.objects.filter(open_until__gt=now).values_list("provider", flat=True))


def failed(provider: str, now: datetime) -> None:
    """It was silent, or turned a message away for reasons of its own."""
    Breaker.objects.get_or_create(provider=provider)
    Breaker.objects.filter(provider=provider, failures__lt=FAILURES).update(failures=F("failures") + 1)
    if Breaker.objects.filter(provider=provider, failures__gte=FAILURES, open_until=None).update(open_until=now + REST):
        raise_alarm(Alarm.Kind.PROVIDER_DOWN, about=provider, now=now)


def refused_us(provider: str, now: datetime, kind: Alarm.Kind = Alarm.Kind.CREDENTIALS) -> None:
    """It takes nothing of ours, whatever it is: nothing will pass before somebody mends that."""
    Breaker.objects.update_or_create(provider=provider, defaults={"failures": FAILURES, "open_until": now + REST})
    raise_alarm(kind, about=provider, now=now)


def succeeded(provider: str, now: datetime) -> None:
    """It took a message, or refused one for reasons of that message's own."""
    if Breaker.objects.filter(provider=provider, failures__gt=0).update(failures=0, open_until=None):
        for kind in (Alarm.Kind.PROVIDER_DOWN, Alarm.Kind.CREDENTIALS, Alarm.Kind.CREDIT):
            end_alarm(kind, about=provider, now=now)
