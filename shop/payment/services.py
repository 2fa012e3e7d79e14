"""Paying back. The wish is written first; the provider is asked after the commit, and again until it has answered."""

import logging

from django.db import transaction

from shop.payment.base import ProviderSilent
from shop.payment.door import provider
from shop.payment.models import Payment

logger = logging.getLogger(__name__)


def refund_of(order_id: int) -> None:
    """Pay the order's payment back, in the caller's transaction."""
    for payment in Payment.objects.filter(order_id=order_id, state=Payment.State.SUCCEEDED):
        request_refund(payment)


def request_refund(payment: Payment) -> None:
    """Write that the payment is to be paid back; the provider hears of it after the commit."""
    Payment.objects.filter(pk=payment.pk).update(state=Payment.State.REFUNDING)
    transaction.on_commit(lambda: send_refund(payment))


def send_refund(payment: Payment) -> None:
    """Ask the provider; it pays back once for the payment, however often it is asked."""
    try:
        provider().refund(payment)
    except ProviderSilent:
        logger.warning("The payment provider did not answer for the refund of %s.", payment)
        return
    Payment.objects.filter(pk=payment.pk, state=Payment.State.REFUNDING).update(state=Payment.State.REFUNDED)


def send_open_refunds() -> None:
    for payment in Payment.objects.filter(state=Payment.State.REFUNDING):
        send_refund(payment)
