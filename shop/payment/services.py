"""Charging, letting go and paying back what a bank has set aside.

The wish is written first, by a conditional UPDATE in the caller's transaction; the provider is asked after the commit,
and again by the task until it has answered. So two wishes at once are decided by the payment's own row: a payment is
either charged or let go, and no more is paid back than was charged.
"""

import logging
from datetime import datetime
from decimal import Decimal
from functools import partial
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from shop.payment.base import Outcome, ProviderSilent
from shop.payment.door import provider_of
from shop.payment.models import Payment, Refund

logger = logging.getLogger(__name__)
State = Payment.State


class TooMuch(Exception):
    """More than the shopper has paid and not got back. `left` is what there is."""

    def __init__(self, left: Decimal) -> None:
        super().__init__(left)
        self.left = left


def capture_of(order_id: int) -> bool:
    """Charge what was set aside for an order, all that is left of it; when its goods leave.

    Asked twice, it is charged once. False where nothing is charged or being charged after it: no payment, or the bank
    has let it go.
    """
    payment = _payment_of(order_id)
    if payment is None:
        return False
    if payment.move(State.CAPTURING, captured_amount=F("amount") - F("let_go_amount")):
        transaction.on_commit(partial(send_capture, payment.pk))
        return True
    return Payment.objects.filter(pk=payment.pk, state__in=[State.CAPTURING, State.CAPTURED]).exists()


def void_of(order_id: int) -> bool:
    """Let go what was set aside for an order and not charged; whether there was something, now or before."""
    payment = Payment.objects.filter(order_id=order_id).exclude(state__in=[State.DECLINED, State.FAILED]).last()
    if payment is None:
        return False
    if payment.move(State.VOIDING):
        transaction.on_commit(partial(send_void, payment.pk))
        return True
    return Payment.objects.filter(pk=payment.pk, state__in=[State.VOIDING, State.VOIDED]).exists()


def refund_of(order_id: int, amount: Decimal | None = None, reason: str = "", key: UUID | None = None) -> Refund | None:
    """Give money back: all that is left, or `amount` of it. Raises TooMuch.

    Before it was charged, the whole is let go and no Refund written; of a part that much less is charged. With a
    `key`, asking again gives the same refund. None where nothing had to be paid back.
    """
    while True:  # once more where somebody else was faster, on what the payment is then
        if key and (earlier := Refund.objects.filter(idempotency_key=key).first()):
            return earlier
        payment = _payment_of(order_id)
        left = payment.left if payment else Decimal(0)
        wanted = left if amount is None else amount
        if wanted > left:
            raise TooMuch(left)
        if payment is None or not wanted:
            return None
        if payment.state == State.AUTHORISED and wanted == left:
            if void_of(order_id):
                return None
        elif refund := _write_refund(payment, wanted, reason, key):
            return refund


def refundable(order_id: int) -> Decimal:
    """What may still be given back of an order's payment, or be let go."""
    payment = _payment_of(order_id)
    return payment.left if payment else Decimal(0)


def send_capture(payment_id: int) -> None:
    """Ask the provider; it charges once, however often it is asked."""
    payment = Payment.objects.get(pk=payment_id)
    if payment.state != State.CAPTURING:
        return
    try:
        outcome = provider_of(payment).capture(payment)
    except ProviderSilent:
        logger.warning("The payment provider did not answer for the charge of %s.", payment)
        return
    follow(payment, outcome)


def send_void(payment_id: int) -> None:
    """Ask the provider to let go what was set aside."""
    payment = Payment.objects.get(pk=payment_id)
    if payment.state != State.VOIDING:
        return
    try:
        outcome = provider_of(payment).void(payment)
    except ProviderSilent:
        logger.warning("The payment provider did not answer for the void of %s.", payment)
        return
    follow(payment, outcome)


def send_refund(refund_id: int) -> None:
    """Ask the provider; it pays back once for the refund, however often it is asked. It waits for the charge."""
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    if refund.state != Refund.State.ASKED or refund.payment.state != State.CAPTURED:
        return
    try:
        outcome = provider_of(refund.payment).refund(refund)
    except ProviderSilent:
        logger.warning("The payment provider did not answer for the refund %s of %s.", refund, refund.payment)
        return
    end_refund(refund, outcome.state, outcome.provider_id)


def send_open() -> None:
    """Ask once more for everything that has no answer yet."""
    for payment_id in Payment.objects.filter(state=State.CAPTURING).values_list("pk", flat=True):
        send_capture(payment_id)
    for payment_id in Payment.objects.filter(state=State.VOIDING).values_list("pk", flat=True):
        send_void(payment_id)
    open_refunds = Refund.objects.filter(state=Refund.State.ASKED, payment__state=State.CAPTURED)
    for refund_id in open_refunds.values_list("pk", flat=True):
        send_refund(refund_id)


def follow(payment: Payment, outcome: Outcome, now: datetime | None = None) -> bool:
    """Write what the provider tells of a payment that the bank had set aside; whether that was news.

    Whatever it says later, or twice, or in another order, changes nothing more.
    """
    now = now or timezone.now()
    if outcome.state == State.CAPTURED:
        return _charged(payment, outcome, now)
    if outcome.state == State.VOIDED:
        return _let_go(payment, now)
    return False


def end_refund(refund: Refund, state: Refund.State, provider_id: str, now: datetime | None = None) -> bool:
    """Write a refund's end, once; one that failed is taken off what was paid back."""
    if state == Refund.State.ASKED:
        Refund.objects.filter(pk=refund.pk, provider_id="").update(provider_id=provider_id)
        return False
    ended = now or timezone.now()
    with transaction.atomic():
        # One lock order: the payment first. A refund that was paid back may still come back from the bank.
        Payment.objects.select_for_update(no_key=True).get(pk=refund.payment_id)
        before = [Refund.State.ASKED] if state == Refund.State.DONE else [Refund.State.ASKED, Refund.State.DONE]
        news = Refund.objects.filter(pk=refund.pk, state__in=before).update(
            state=state, provider_id=provider_id, ended_at=ended
        )
        if news and state == Refund.State.FAILED:
            Payment.objects.filter(pk=refund.payment_id).update(refunded_amount=F("refunded_amount") - refund.amount)
    if news and state == Refund.State.FAILED:
        logger.error("The refund %s of %s failed; the shopper has to be paid back in another way.", refund.pk, refund)
    return bool(news)


_PAID = (State.AUTHORISED, State.CAPTURING, State.CAPTURED)


def _payment_of(order_id: int) -> Payment | None:
    return Payment.objects.filter(order_id=order_id, state__in=_PAID).first()


def _write_refund(payment: Payment, amount: Decimal, reason: str, key: UUID | None) -> Refund | None:
    """None where the payment's row, at this moment, does not allow it, or the key was used by somebody else."""
    try:
        return _take_refund(payment, amount, reason, key)
    except IntegrityError:
        if key and Refund.objects.filter(idempotency_key=key).exists():
            return None
        raise


def _take_refund(payment: Payment, amount: Decimal, reason: str, key: UUID | None) -> Refund | None:
    with transaction.atomic():
        row = Payment.objects.filter(pk=payment.pk)
        if payment.state == State.AUTHORISED:
            taken = row.filter(state=State.AUTHORISED, let_go_amount__lt=F("amount") - amount).update(
                let_go_amount=F("let_go_amount") + amount
            )
        else:
            taken = row.filter(
                state__in=[State.CAPTURING, State.CAPTURED], refunded_amount__lte=F("captured_amount") - amount
            ).update(refunded_amount=F("refunded_amount") + amount)
        if not taken:
            return None
        charged = payment.state != State.AUTHORISED
        refund = Refund.objects.create(
            payment=payment,
            amount=amount,
            reason=reason,
            idempotency_key=key or uuid4(),
            state=Refund.State.ASKED if charged else Refund.State.LET_GO,
            ended_at=None if charged else timezone.now(),
        )
        if charged:
            transaction.on_commit(partial(send_refund, refund.pk))
        return refund


def _charged(payment: Payment, outcome: Outcome, now: datetime) -> bool:
    against_our_void = payment.state == State.VOIDING
    with transaction.atomic():
        if not payment.move(State.CAPTURED, captured_amount=outcome.captured_amount, captured_at=now):
            return False
        waiting = Refund.objects.filter(payment_id=payment.pk, state=Refund.State.ASKED)
        for refund_id in waiting.values_list("pk", flat=True):
            transaction.on_commit(partial(send_refund, refund_id))
        if against_our_void:
            refund_of(payment.order_id, reason="Charged although it was cancelled.")
    return True


def _let_go(payment: Payment, now: datetime) -> bool:
    if payment.state != State.CAPTURING:
        return payment.move(State.VOIDED, ended_at=now)
    with transaction.atomic():
        if not payment.move(State.FAILED, captured_amount=Decimal(0), refunded_amount=Decimal(0), ended_at=now):
            return False
        Refund.objects.filter(payment_id=payment.pk, state=Refund.State.ASKED).update(
            state=Refund.State.LET_GO, ended_at=now
        )
    logger.error("The bank has let go what was set aside for %s before it was charged.", payment)
    return True
