"""The demo card provider: answers by the card number, like the test cards of real providers."""

from django.db import transaction
from django.db.models import Sum

from shop.payment.base import Card, Outcome, RefundOutcome
from shop.payment.models import DemoCharge, DemoRefund, Payment, Refund

State = Payment.State

APPROVES = "4242424242424242"
DECLINES = "4000000000000002"
# Fails for a moment, the way networks do: the first charge of an order errs, the next goes through.
NEEDS_A_RETRY = "4000000000000119"


class DemoCards:
    name = "demo"

    def authorise(self, payment: Payment, card: Card) -> Outcome:
        outcome = State.AUTHORISED
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

    def capture(self, payment: Payment) -> Outcome:
        DemoCharge.objects.filter(
            pk=payment.idempotency_key, outcome=State.AUTHORISED, captured=0, voided=False
        ).update(captured=payment.captured_amount)
        return self.outcome_of(payment)

    def void(self, payment: Payment) -> Outcome:
        DemoCharge.objects.filter(pk=payment.idempotency_key, captured=0).update(voided=True)
        outcome = self.outcome_of(payment)
        return outcome if outcome.state == State.CAPTURED else Outcome(State.VOIDED, outcome.provider_id)

    def refund(self, refund: Refund) -> RefundOutcome:
        with transaction.atomic():
            charge = DemoCharge.objects.select_for_update().get(pk=refund.payment.idempotency_key)
            if not DemoRefund.objects.filter(pk=refund.idempotency_key).exists():
                back = charge.refunds.aggregate(sum=Sum("amount", default=0))["sum"]
                if back + refund.amount > charge.captured:
                    return RefundOutcome(Refund.State.FAILED)
                charge.refunds.create(idempotency_key=refund.idempotency_key, amount=refund.amount)
        return RefundOutcome(Refund.State.DONE, f"demo-{refund.idempotency_key}")

    @staticmethod
    def _outcome(charge: DemoCharge) -> Outcome:
        state = State.VOIDED if charge.voided else State.CAPTURED if charge.captured else State(charge.outcome)
        return Outcome(state, f"demo-{charge.pk}", charge.captured)
