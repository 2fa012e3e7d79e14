"""Numbers that get no texts from us: whose owner wrote STOP, or that our provider called invalid or a landline.

A row outlives challenges and accounts: STOP is about the number, whoever types it. Known and unknown accounts meet the
same rows, so nothing is learned from them.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.delivery.models import Channel, Message, Number, Reason, Reply

# Numbers change hands and move to other networks; after so long an invalid one is tried again.
UNUSABLE_FOR = timedelta(days=90)

# What a provider says of the number itself, and not of this one message.
_OF_THE_NUMBER = {Reason.BAD_NUMBER, Reason.LANDLINE}


def reasons(numbers: Iterable[str], now: datetime | None = None) -> dict[str, Reason]:
    """Why these are not texted; those that are, are not in it."""
    wanted = set(numbers)
    if not wanted:
        return {}
    limit = (now or timezone.now()) - UNUSABLE_FOR
    found = {}
    for row in Number.objects.filter(pk__in=wanted):
        if row.opted_out_at:
            found[row.number] = Reason.OPTED_OUT
        elif row.unusable_at and row.unusable_at > limit:
            found[row.number] = Reason(row.why)
    return found


def why_not(message: Message, now: datetime) -> Reason | None:
    """Why this message is not handed to a provider, if it is a text to such a number."""
    return reasons([message.destination], now).get(message.destination) if message.channel == Channel.TEXT else None


def refused(message: Message, reason: str) -> None:
    """A provider refused a text; where that says something of its number, it is remembered."""
    if message.channel != Channel.TEXT:
        return
    at = message.handing_over_at or message.queued_at
    if reason == Reason.OPTED_OUT:
        _opt_out(message.destination, at)
    elif reason in _OF_THE_NUMBER:
        Number.objects.update_or_create(pk=message.destination, defaults={"unusable_at": at, "why": reason})


def replied(provider_id: str, number: str, word: Reply.Word) -> None:
    """Somebody wrote STOP or START. The same reply, repeated, counts once."""
    now = timezone.now()
    with transaction.atomic():
        written = {"number": number, "word": word, "at": now}
        _reply, is_new = Reply.objects.get_or_create(provider_id=provider_id, defaults=written)
        if not is_new:
            return
        if word == Reply.Word.STOP:
            _opt_out(number, now)
        else:  # and who writes to us surely has a phone that takes texts
            again = {"opted_out_at": None, "opted_in_at": now, "unusable_at": None, "why": ""}
            Number.objects.update_or_create(pk=number, defaults=again)


def _opt_out(number: str, at: datetime) -> None:
    """Unless a START came after what `at` is the time of."""
    Number.objects.get_or_create(pk=number)
    Number.objects.filter(pk=number).exclude(opted_in_at__gte=at).update(opted_out_at=at)
