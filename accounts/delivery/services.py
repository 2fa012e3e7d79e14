"""The life of a message.

Every move is one conditional UPDATE, so two workers, or a worker and a report, can't both win.
"""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone, translation

from accounts.delivery import breaker, failover, queues, spending, textable
from accounts.delivery.composing import Content, writer_of
from accounts.delivery.models import Alarm, Channel, Message, Reason, State
from accounts.delivery.providers import providers_for
from accounts.delivery.providers.base import (
    NoCredit,
    NotAdmitted,
    NotNow,
    NotTaken,
    Provider,
    Refused,
    Unanswered,
)
from accounts.phones import country_of, is_reached

logger = logging.getLogger(__name__)

# A claim older than this belongs to a worker that died: the provider's own time-out is long over.
CLAIM_LIFE = timedelta(seconds=3 * settings.PROVIDER_TIMEOUT)
# What a worker was told longer ago than this, and what is not in the queue, was lost by the broker or never reached it.
REQUEUE_AFTER = timedelta(seconds=10)
TOLD_AT_ONCE = 5000  # by one sweep
MAX_TRIES = 8
SHORT_PAUSE = 2.0  # seconds; whoever asks for more is passed over, if there is another
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
    instead_of: Message | None = None,
    provider: str = "",
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
        instead_of=instead_of,
        provider=provider,
    )
    transaction.on_commit(lambda: enqueue(message.pk, kind))
    return message


def enqueue(message_id: UUID, kind: str) -> bool:
    """Tell a worker. With the broker down (then False) the row stays queued, and the sweep tells one later."""
    told = queues.tell(message_id, kind)
    if not told:
        logger.warning("The broker is out of reach; message %s waits for the sweep.", message_id)
    return told


def move(message_id: UUID, state: State, **fields: Any) -> bool:
    """Move a message on, if it may reach `state` from where it is. False where it may not."""
    return bool(
        Message.objects.filter(pk=message_id, state__in=Message.REACHED_FROM[state]).update(state=state, **fields)
    )


def hand_over(message_id: UUID, now: datetime | None = None) -> None:
    """Claim the message, compose it, give it to a provider, and record what became of it.

    A provider that surely did not take it, or that is left alone, is passed over for the next one in the same claim:
    each is asked at most once. Only an ordinary short "not now" is waited for.

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
    carriers = _carriers(message)
    if reason := _not_to_be_sent(message, content, carriers, now):
        move(message.pk, State.FAILED, reason=reason, ended_at=now)
        return
    put_off: list[NotTaken] = []
    rests_until: list[datetime] = []
    refusal = Refused(Reason.PROVIDER)
    for provider in carriers:
        if until := breaker.closed_again_at(provider.name, now):
            rests_until.append(until)
            continue
        if not _claim_for(message, provider.name):
            spending.give_back(message, timezone.now())
            return  # given up for dead meanwhile, and somebody else saw to it
        try:
            provider_id = provider.hand_over(message, content)
        except Refused as refusal_of_this_one:
            refusal = refusal_of_this_one
            if _note_refusal(message, provider.name, refusal):
                continue
            rests_until.clear()
            put_off.clear()
            break
        except NotTaken as delay:
            if not isinstance(delay, NotNow):
                breaker.failed(provider.name, timezone.now())
            put_off.append(delay)
            if isinstance(delay, NotNow) and _pause(message, delay.retry_after) <= SHORT_PAUSE:
                break
            continue
        except Unanswered:
            breaker.failed(provider.name, timezone.now())
            logger.warning("%s did not answer for message %s.", provider.name, message.pk)
            move(message.pk, State.UNKNOWN, ended_at=timezone.now())
            with transaction.atomic():
                writer.handed_over(message, now)
            failover.replace(message, timezone.now())
            return
        taken_at = timezone.now()
        breaker.succeeded(provider.name, taken_at)
        spending.taken(message, content, provider.name, taken_at)
        with transaction.atomic():
            # A status report may have been faster; what it wrote stays.
            move(message.pk, State.HANDED_OVER)
            Message.objects.filter(pk=message.pk).update(provider_id=provider_id, handed_over_at=taken_at)
            writer.handed_over(message, taken_at)
        return
    spending.give_back(message, timezone.now())
    if put_off:
        _wait(message, min(_pause(message, delay.retry_after) for delay in put_off))
    elif rests_until:
        _wait_for(message, min(rests_until))
    else:
        move(message.pk, State.FAILED, reason=refusal.reason, provider_code=refusal.code, ended_at=timezone.now())


def _not_to_be_sent(message: Message, content: Content, carriers: list[Provider], now: datetime) -> str:
    """Why no provider is asked, "" where one may be; then the money for it is set aside."""
    if message.channel == Channel.EMAIL:
        return ""
    if not is_reached(message.destination):
        return Reason.COUNTRY
    if reason := textable.why_not(message, now):
        return reason
    provider = carriers[0].name if carriers else ""
    return "" if spending.set_aside(message, content, provider, now) else Reason.SPENDING


def _carriers(message: Message) -> list[Provider]:
    """Those to ask in this order. What went out in another's place is for one provider only."""
    if message.instead_of_id:
        return [provider for provider in providers_for(message.channel) if provider.name == message.provider]
    return [each for each in providers_for(message.channel) if each.name not in message.refused_by.split()]


def _claim_for(message: Message, provider: str) -> bool:
    """The claim says who is asked. False where it is no longer ours."""
    mine = Message.objects.filter(
        pk=message.pk, state=State.HANDING_OVER, handing_over_at=message.handing_over_at, tries=message.tries
    )
    return bool(mine.update(provider=provider))


def _note_refusal(message: Message, provider: str, refusal: Refused) -> bool:
    """Whether another provider may be asked in its place."""
    now = timezone.now()
    if isinstance(refusal, NotAdmitted):
        kind = Alarm.Kind.CREDIT if isinstance(refusal, NoCredit) else Alarm.Kind.CREDENTIALS
        breaker.refused_us(provider, now, kind)
    else:
        breaker.succeeded(provider, now)
    logger.warning("%s refused message %s: %s %s", provider, message.pk, refusal.reason, refusal.code)
    textable.refused(message, refusal.reason)
    if refusal.reason not in failover.ELSEWHERE:
        return False
    message.refused_by = f"{message.refused_by} {provider}".strip()
    Message.objects.filter(pk=message.pk).update(refused_by=message.refused_by)
    return True


def _pause(message: Message, retry_after: float | None) -> float:
    """Seconds; as long as the provider asks, else longer each time."""
    return retry_after if retry_after is not None else min(2.0**message.tries, 60.0)


def _wait(message: Message, pause: float) -> None:
    """No provider took it, surely: try again, each time later."""
    now = timezone.now()
    if message.tries >= MAX_TRIES or now - message.queued_at > MESSAGE_LIFE:
        move(message.pk, State.FAILED, reason=Reason.PROVIDER, ended_at=now)
        return
    move(message.pk, State.QUEUED, not_before=now + timedelta(seconds=pause))


def _wait_for(message: Message, until: datetime) -> None:
    """Its providers are left alone until then. None was asked, so this was no try."""
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
    due = Message.objects.filter(state=State.QUEUED, not_before__lte=now)
    codes = Q(kind__in=queues.KINDS_OF_CODES)
    if _tell_again(queues.CODES, due.filter(codes), now):
        _tell_again(queues.MAIL, due.exclude(codes), now)


def _tell_again(queue: str, due: QuerySet[Message], now: datetime) -> bool:
    """Tell the workers of those whose time came since they were told, and of those that the broker lost.

    It lost as many as wait beyond those that its queue holds. Without that count ten thousand that wait for their turn
    would be told again by each sweep, and keep the workers busy with looking. Those told longest ago come first, since
    a queue keeps its order. False if the broker is down.
    """
    held = queues.held(queue)
    if held is None:
        return False
    time_came = due.filter(told_at__lt=F("not_before")).order_by("not_before", "pk")
    lost = due.filter(told_at__gte=F("not_before"), told_at__lt=now - REQUEUE_AFTER).order_by("told_at", "pk")
    with transaction.atomic():
        again = _locked(time_came, TOLD_AT_ONCE)
        missing = due.count() - held - len(again)
        again += _locked(lost, min(missing, TOLD_AT_ONCE - len(again)))
        Message.objects.filter(pk__in=[message_id for message_id, _kind in again]).update(told_at=now)
    # If the broker goes away, it would not hear of the others either.
    return all(enqueue(message_id, kind) for message_id, kind in again)


def _locked(messages: QuerySet[Message], most: int) -> list[tuple[UUID, str]]:
    """Without those that another sweep tells at this moment."""
    return list(messages.select_for_update(skip_locked=True).values_list("pk", "kind")[: max(most, 0)])


def report(message: Message, state: State, *, reason: str = "", provider_code: str = "", provider_id: str = "") -> bool:
    """What the provider reports later. Repeats and reports out of order change nothing."""
    now = timezone.now()
    times = {State.SENT: "sent_at", State.DELIVERED: "delivered_at", State.FAILED: "ended_at"}
    fields: dict[str, Any] = {times[state]: now}
    if state == State.FAILED:
        if reason == Reason.OPTED_OUT:
            textable.refused(message, reason)
        fields |= {"reason": reason, "provider_code": provider_code}
    if provider_id:
        fields["provider_id"] = provider_id
    failover.heard_of(message.provider)
    return move(message.pk, state, **fields)
