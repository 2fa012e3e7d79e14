"""The demo card provider: answers by the card number, like the test cards of real providers."""

from django.db import transaction

from shop.payment.base import Card, Outcome
from shop.payment.models import DemoCharge, Payment

State = Payment.State

APPROVES = "4242424242424242"
DECLINES = "4000000000000002"
# Fails for a moment, the way networks do: the first charge of an order errs, the next goes through.
NEEDS_A_RETRY = "4000000000000119"


class DemoCards:
    name = "demo"

    def charge(self, payment: Payment, card: Card) -> Outcome:
        outcome = State.SUCCEEDED
        if card.number == DECLINES:
            outcome = State.DECLINED
        elif card.number == NEEDS_A_RETRY and payment.attempt == 1:
            outcome = State.FAILED
        with transaction.atomic():
            charge, _ = DemoCharge.objects.get_or_create(
                idempotency_key=payment.idempotency_key,
                defaults={"amount": payment.amount, "currency": payment.currency, "outcome": outcome},
            )
        return self._outcome(charge)

    def outcome_of(self, payment: Payment) -> Outcome:
        charge = DemoCharge.objects.filter(pk=payment.idempotency_key).first()
        return self._outcome(charge) if charge else Outcome(State.FAILED)

    def refund(self, payment: Payment) -> None:
        DemoCharge.objects.filter(pk=payment.idempotency_key, outcome=State.SUCCEEDED).update(refunded=True)

    @staticmethod
    def _outcome(charge: DemoCharge) -> Outcome:
        return Outcome(State(charge.outcome), f"demo-{charge.pk}")
