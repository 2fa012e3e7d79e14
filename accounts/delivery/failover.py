"""Failover: where a provider leaves us in the dark over a code, another one brings the same code as well.

In the dark is: it did not answer, or took the message and reported no `sent` within eight seconds, or reported that its
carrier could not deliver. A message may have left then, so it is not repeated: another one with the next send number
goes through a provider that this challenge's code has not been given to. So there is at most one for each further
provider, however many workers look, and none when the challenge is over.

Silence tells something only of a provider that speaks. Where no report at all came for an hour of messages, its reports
don't reach us: an alarm says so, and its silence means nothing until one comes. So at worst the texts of one hour go
out twice.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.delivery import breaker
from accounts.delivery.alarms import end_alarm, raise_alarm
from accounts.delivery.composing import writer_of
from accounts.delivery.models import Alarm, Breaker, Channel, Message, Reason, State
from accounts.delivery.providers import providers_for

SILENCE = timedelta(seconds=8)  # without `sent`
SPEECHLESS = timedelta(hours=1)  # without any report
AT_ONCE = 500

# What another provider may do better. A number that is none, or that wants no texts, stays so with all of them.
ELSEWHERE = [Reason.COUNTRY, Reason.PROVIDER, Reason.CARRIER]

# The better a message of one send does, the earlier it stands here.
_BEST_FIRST = [
    State.DELIVERED, State.SENT, State.HANDED_OVER, State.HANDING_OVER, State.QUEUED, State.UNKNOWN, State.FAILED,
    State.EXPIRED,
]  # fmt: skip


def sweep(now: datetime | None = None) -> None:
    """Look for codes that left us in the dark. Run every two seconds; what a lost run missed, the next one finds."""
    now = now or timezone.now()
    if len(providers_for(Channel.TEXT)) < 2:
        return
    dark = list(
        Message.objects.filter(_in_the_dark(now), channel=Channel.TEXT, challenge__state="live")
        .exclude(state=State.HANDED_OVER, provider__in=_speechless(now))
        .order_by("-handing_over_at")[:AT_ONCE]
    )
    _note_silence(dark)
    tried = _tried(dark)
    for message in dark:
        replace(message, now, tried[message.challenge_id])


def replace(message: Message, now: datetime, tried: Iterable[str] | None = None) -> bool:
    """Let the next provider bring the same; False where there is none, or it is not to be. One UPDATE decides."""
    if message.challenge_id is None:
        return False
    if tried is None:
        tried = _tried([message])[message.challenge_id]
    left_alone = breaker.left_alone(now)
    out = {*tried, *left_alone, *message.refused_by.split()}
    provider = next((each.name for each in providers_for(message.channel) if each.name not in out), None)
    if provider is None:
        return False
    with transaction.atomic():
        won = Message.objects.filter(_in_the_dark(now), pk=message.pk).update(replaced_at=now)
        if won and writer_of(message).again(message, provider, now):
            return True
        transaction.set_rollback(True)
    return False


def heard_of(provider: str) -> None:
    """A report came: its silence tells something again."""
    if Breaker.objects.filter(provider=provider).exclude(silent_since=None).update(silent_since=None):
        end_alarm(Alarm.Kind.NO_REPORTS, about=provider)


def best(messages: Iterable[Message]) -> Message | None:
    """Of one challenge's messages on one channel, what its person is to know of: the one that does best.

    Whichever arrives works, of those that went where the last one went that was asked for. What had arrived before that
    was asked for is another matter: the person wanted it once more.
    """
    by_number = sorted(messages, key=lambda message: -message.send_number)
    asked = next((message for message in by_number if message.instead_of_id is None), None)
    if asked is None:
        return None
    send = [
        message
        for message in by_number
        if message.destination == asked.destination
        and not (message.delivered_at and message.delivered_at < asked.queued_at)
    ]
    return min(send, key=lambda message: _BEST_FIRST.index(State(message.state)))


def _in_the_dark(now: datetime) -> Q:
    """Told by a message's own row, so that the UPDATE decides it. UNKNOWN and FAILED are so at once."""
    return Q(replaced_at=None, challenge__isnull=False, handing_over_at__gt=now - settings.CHALLENGE_LIFE) & (
        Q(state=State.UNKNOWN)
        | Q(state=State.HANDING_OVER, handing_over_at__lt=now - SILENCE)
        | Q(state=State.HANDED_OVER, handed_over_at__lt=now - SILENCE)
        | Q(state=State.FAILED, handed_over_at__isnull=False, reason__in=ELSEWHERE)
    )


def _tried(messages: Iterable[Message]) -> dict[UUID | None, set[str]]:
    """By challenge, to whom its code was given on this channel."""
    tried: dict[UUID | None, set[str]] = defaultdict(set)
    given = Message.objects.filter(
        challenge__in={message.challenge_id for message in messages},
        channel__in={message.channel for message in messages},
    ).exclude(provider="")
    for challenge_id, provider in given.values_list("challenge", "provider"):
        tried[challenge_id].add(provider)
    return tried


def _note_silence(dark: Iterable[Message]) -> None:
    """From the first message on of which nothing is heard; any report ends it."""
    silent = {message.provider: message for message in dark if message.state == State.HANDED_OVER}  # the oldest of each
    for provider, message in silent.items():
        Breaker.objects.get_or_create(provider=provider)
        Breaker.objects.filter(provider=provider, silent_since=None).update(silent_since=message.handed_over_at)


def _speechless(now: datetime) -> list[str]:
    """Those whose reports don't reach us."""
    providers = list(Breaker.objects.filter(silent_since__lt=now - SPEECHLESS).values_list("provider", flat=True))
    for provider in providers:
        raise_alarm(Alarm.Kind.NO_REPORTS, about=provider, now=now)
    return providers
