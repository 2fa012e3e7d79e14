"""What a payment provider is to us."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from shop.payment.models import Payment, Refund


@dataclass(frozen=True, repr=False)
class Card:
    """What the demo form takes; with a real provider, card numbers never reach this server."""

    number: str


@dataclass(frozen=True)
class Outcome:
    """What became of a payment, as the provider tells it at this moment.

    `started` is open still (the bank asks the shopper, say), `failed` charged nothing, and the same card may be tried
    again. `captured_amount` is what was charged, for a captured one.
    """

    state: Payment.State
    provider_id: str = ""
    captured_amount: Decimal = Decimal(0)


@dataclass(frozen=True)
class RefundOutcome:
    state: Refund.State
    provider_id: str = ""


class ProviderSilent(Exception):
    """No answer came. What was asked stays under way until it is asked again."""


class PaymentProvider(Protocol):
    """Each may be asked as often as one likes: it is done once, by the row's idempotency key.

    All raise ProviderSilent. None is called within a transaction.
    """

    name: str

    def authorise(self, payment: Payment, card: Card) -> Outcome:
        """Have the bank set `payment.amount` aside."""

    def outcome_of(self, payment: Payment) -> Outcome:
        """What became of a payment; failed where the provider never heard of it."""

    def capture(self, payment: Payment) -> Outcome:
        """Charge `payment.captured_amount` of what was set aside. Voided where the bank does not keep it any more."""

    def void(self, payment: Payment) -> Outcome:
        """Let go what was set aside. Captured where it was charged meanwhile."""

    def refund(self, refund: Refund) -> RefundOutcome:
        """Pay `refund.amount` of a captured payment back."""
