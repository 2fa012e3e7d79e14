"""The life of a message.

Every move is one conditional UPDATE, so two workers, or a worker and a report, can't both win.
"""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone, translation
from kombu.exceptions import OperationalError as BrokerError

from accounts.delivery import breaker
from accounts.delivery.composing import writer_of
from accounts.delivery.models import Channel, Message, Reason, State
from accounts.delivery.providers import provider_for
from accounts.delivery.providers.base import NotAdmitted, NotNow, NotTaken, Refused, Unanswered
from accounts.phones import country_of

logger = logging.getLogger(__name__)

# A claim older than this belongs to a worker that died: the provider's own time-out is long over.
CLAIM_LIFE = timedelta(seconds=3 * settings.PROVIDER_TIMEOUT)
# What is queued for longer than this was lost by the broker, or never reached it.
REQUEUE_AFTER = timedelta(seconds=10)
MAX_TRIES = 8
MESSAGE_LIFE = timedelta(days=2)  # for what carries no life of its own


def queue_message(
    *,
    kind: Message.Kind,
    channel: Channel,
    destination: str,
    user: Any = None,
    language: str | None = None,
    challenge_id: UUID | None = None,
    send_number: int = 1,
    reference: str = "",
) -> Message:
    """Write the row in the caller's transaction and enqueue after its commit. Never waits for a provider."""
    message = Message.objects.create(
        kind=kind,
        channel=channel,
        destination=destination,
        country="" if channel == Channel.EMAIL else country_of(destination),
        user=user,
        language=language or translation.get_language() or settings.LANGUAGE_CODE,
        challenge_id=challenge_id,
        send_number=send_number,
        reference=reference,
    )
    transaction.on_commit(lambda: enqueue(message.pk, kind))
    return message


def enqueue(message_id: UUID, kind: str) -> bool:
    """Tell a worker. With the broker down (then False) the row stays queued, and the sweep tells one later."""
    from accounts.delivery.tasks import hand_over

    code = kind in (Message.Kind.CODE, Message.Kind.EXPLANATION)
    try:
        hand_over.apply_async(
            (str(message_id),),
            queue="codes" if code else "mail",
            expires=settings.CHALLENGE_LIFE.total_seconds() if code else None,
            retry=False,
        )
    except (BrokerError, OSError):
        logger.warning("The broker is out of reach; message %s waits for the sweep.", message_id)
        return False
    return True


def move(message_id: UUID, state: State, **fields: Any) -> bool:
    """Move a message on, if it may reach `state` from where it is. False where it may not."""
    return bool(
        Message.objects.filter(pk=message_id, state__in=Message.REACHED_FROM[state]).update(state=state, **fields)
    )


def hand_over(message_id: UUID, now: datetime | None = None) -> None:
    """Claim the message, compose it, give it to its provider, and record what became of it.

    The claim is committed before the provider is called, and no transaction is open while it is. A worker that dies
    in between leaves `handing_over`, which the sweep turns into `unknown`: this send is not repeated by itself.
    """
    now = now or timezone.now()
    claimed = Message.objects.filter(pk=message_id, state=State.QUEUED, not_before__lte=now).update(
        state=State.HANDING_OVER, handing_over_at=now, tries=F("tries") + 1
    )
    if not claimed:
        return
    message = Message.objects.select_related("user", "challenge").get(pk=message_id)
    writer = writer_of(message)
    with translation.override(message.language):
        content = writer.compose(message, now)
    if content is None:
        move(message.pk, State.EXPIRED, ended_at=now)
        return
    provider = provider_for(message.channel)
    if until := breaker.closed_again_at(provider.name, now):
        _wait_for(message, until)
        return
    Message.objects.filter(pk=message.pk).update(provider=provider.name)
    try:
        provider_id = provider.hand_over(message, content)
    except Refused as refusal:
        if isinstance(refusal, NotAdmitted):
            breaker.refused_us(provider.name, timezone.now())
        else:
            breaker.succeeded(provider.name, timezone.now())
        logger.warning("%s refused message %s: %s %s", provider.name, message.pk, refusal.reason, refusal.code)
        move(message.pk, State.FAILED, reason=refusal.reason, provider_code=refusal.code, ended_at=timezone.now())
        return
    except NotTaken as refusal:
        if not isinstance(refusal, NotNow):
            breaker.failed(provider.name, timezone.now())
        _wait(message, refusal.retry_after)
        return
    except Unanswered:
        breaker.failed(provider.name, timezone.now())
        logger.warning("%s did not answer for message %s.", provider.name, message.pk)
        move(message.pk, State.UNKNOWN, ended_at=timezone.now())
        with transaction.atomic():
            writer.handed_over(message, now)
        return
    taken_at = timezone.now()
    breaker.succeeded(provider.name, taken_at)
    with transaction.atomic():
        # A status report may have been faster; what it wrote stays.
        move(message.pk, State.HANDED_OVER)
        Message.objects.filter(pk=message.pk).update(provider_id=provider_id, handed_over_at=taken_at)
        writer.handed_over(message, taken_at)


def _wait(message: Message, retry_after: float | None) -> None:
    """The provider surely did not take it: try again, each time later."""
    now = timezone.now()
    if message.tries >= MAX_TRIES or now - message.queued_at > MESSAGE_LIFE:
        move(message.pk, State.FAILED, reason=Reason.PROVIDER, ended_at=now)
        return
    pause = retry_after if retry_after is not None else min(2.0**message.tries, 60.0)
    move(message.pk, State.QUEUED, not_before=now + timedelta(seconds=pause))


def _wait_for(message: Message, until: datetime) -> None:
    """Its provider is left alone until then. It was not asked, so this was no try."""
    if until - message.queued_at > MESSAGE_LIFE:
        move(message.pk, State.FAILED, reason=Reason.PROVIDER, ended_at=until)
    else:
        move(message.pk, State.QUEUED, not_before=until, tries=F("tries") - 1)


def sweep(now: datetime | None = None) -> None:
    """Turn dead claims into `unknown`, and tell the workers again of what waits for too long."""
    now = now or timezone.now()
    for message in Message.objects.filter(state=State.HANDING_OVER, handing_over_at__lt=now - CLAIM_LIFE):
        if move(message.pk, State.UNKNOWN, ended_at=now):
            logger.warning("A worker died over message %s; it is not known whether it left.", message.pk)
            with transaction.atomic():
                writer_of(message).handed_over(message, message.handing_over_at or now)
    waiting = Message.objects.filter(state=State.QUEUED, not_before__lte=now, queued_at__lt=now - REQUEUE_AFTER)
    for message_id, kind in waiting.order_by("queued_at").values_list("pk", "kind")[:1000]:
        if not enqueue(message_id, kind):
            break  # nor would it hear of the others


def report(message: Message, state: State, *, reason: str = "", provider_code: str = "", provider_id: str = "") -> bool:
    """What the provider reports later. Repeats and reports out of order change nothing."""
    now = timezone.now()
    times = {State.SENT: "sent_at", State.DELIVERED: "delivered_at", State.FAILED: "ended_at"}
    fields: dict[str, Any] = {times[state]: now}
    if state == State.FAILED:
        fields |= {"reason": reason, "provider_code": provider_code}
    if provider_id:
        fields["provider_id"] = provider_id
    return move(message.pk, state, **fields)
