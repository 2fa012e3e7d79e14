"""How goods reach the shopper, and what it costs."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class DeliveryMethod:
    code: str
    name: str | Promise
    detail: str | Promise
    fee: Decimal
    free_from: Decimal | None = None

    def fee_for(self, subtotal: Decimal) -> Decimal:
        return Decimal("0.00") if self.free_from is not None and subtotal >= self.free_from else self.fee


METHODS = {
    method.code: method
    for method in (
        DeliveryMethod(
            "standard", _("Standard"), _("2 to 4 working days, free from € 60"), Decimal("4.90"), Decimal("60.00")
        ),
        DeliveryMethod("express", _("Express"), _("next working day"), Decimal("9.90")),
    )
}


def cheapest(subtotal: Decimal) -> DeliveryMethod:
    """What is chosen for a shopper who has not chosen: nothing that costs more than it must."""
    return min(METHODS.values(), key=lambda method: method.fee_for(subtotal))
