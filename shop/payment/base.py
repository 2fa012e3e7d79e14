"""What a payment provider is to us."""

from dataclasses import dataclass
from typing import Protocol

from shop.payment.models import Payment


@dataclass(frozen=True, repr=False)
class Card:
    """What the demo form takes; with a real provider, card numbers never reach this server."""

    number: str


@dataclass(frozen=True)
class Outcome:
    """`state` is succeeded, declined or failed (nothing was charged, the same card may be tried again)."""

    state: Payment.State
    provider_id: str = ""


class ProviderSilent(Exception):
    """No answer came. The payment stays under way until `outcome_of` tells what became of it."""


class PaymentProvider(Protocol):
    name: str

    def charge(self, payment: Payment, card: Card) -> Outcome:
        """Charge once for `payment.idempotency_key`, however often it is called. Raises ProviderSilent."""

    def outcome_of(self, payment: Payment) -> Outcome:
        """What became of a payment that was started; failed where the provider never heard of it.

        Raises ProviderSilent.
        """

    def refund(self, payment: Payment) -> None:
        """Give the whole amount back, once. Raises ProviderSilent."""
