"""The door to the payment provider."""

from shop.payment.base import PaymentProvider
from shop.payment.demo import DemoCards
from shop.payment.models import Payment

_PROVIDERS: dict[str, type[PaymentProvider]] = {"demo": DemoCards}


def provider() -> PaymentProvider:
    """The one that this shop is set up with: the demo card."""
    return DemoCards()


def provider_of(payment: Payment) -> PaymentProvider:
    """The one through which it was paid, which may be another than today's."""
    return _PROVIDERS[payment.provider]()
