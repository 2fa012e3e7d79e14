"""What a cart costs at this moment, and the context that an approval is bound to."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.stepup.digest import context_digest
from accounts.stepup.models import Purpose
from shop.cart.models import Cart, CartLine
from shop.checkout.delivery import METHODS
from shop.checkout.models import Checkout
from shop.money import format_money, round_money
from shop.product.models import Variant, published

ADDRESS_FIELDS = ("name", "line1", "line2", "postcode", "city", "country")
CONTACT_FIELDS = ("email", "phone")
PAYMENT_METHOD = "card"


@dataclass(frozen=True)
class QuoteLine:
    variant: Variant
    quantity: int

    @property
    def unit_price(self) -> Decimal:
        return self.variant.price_now

    @property
    def total(self) -> Decimal:
        return self.unit_price * self.quantity

    # What components/order_summary.html shows.
    @property
    def name(self) -> str:
        return self.variant.product.name

    @property
    def options(self) -> str:
        return self.variant.name

    @property
    def picture_url(self) -> str:
        return self.variant.picture_url


@dataclass(frozen=True)
class Quote:
    """Prices of now; tax is the part of the total that is tax."""

    checkout: Checkout
    lines: list[QuoteLine]

    @property
    def quantities(self) -> dict[int, int]:
        return {line.variant.pk: line.quantity for line in self.lines}

    @property
    def subtotal(self) -> Decimal:
        return sum((line.total for line in self.lines), Decimal("0.00"))

    @property
    def delivery_fee(self) -> Decimal | None:
        """None while no method is chosen."""
        method = METHODS.get(self.checkout.delivery_method)
        return method.fee_for(self.subtotal) if method else None

    @property
    def total(self) -> Decimal:
        return self.subtotal + (self.delivery_fee or Decimal("0.00"))

    @property
    def tax(self) -> Decimal:
        return round_money(self.total - self.total / (1 + settings.TAX_RATE))

    @property
    def context(self) -> dict[str, Any]:
        """Everything that the shopper approves, in plain types. See digest.context_digest."""
        return {
            "payee": f"{settings.SHOP_NAME} {settings.SITE_HOST}",
            "lines": [
                {"variant": line.variant.pk, "quantity": line.quantity, "unit_price": f"{line.unit_price:f}"}
                for line in sorted(self.lines, key=lambda line: line.variant.pk)
            ],
            "discounts": [],
            "delivery_method": self.checkout.delivery_method,
            "delivery_fee": f"{self.delivery_fee or Decimal('0.00'):f}",
            "tax": f"{self.tax:f}",
            "total": f"{self.total:f}",
            "currency": settings.CURRENCY,
            "address": {field: getattr(self.checkout, field) for field in ADDRESS_FIELDS},
            "contact": {field: getattr(self.checkout, field) for field in CONTACT_FIELDS},
            "payment_method": PAYMENT_METHOD,
        }

    @property
    def digest(self) -> bytes:
        return context_digest(Purpose.PAY, self.context)

    def changes_since_approval(self) -> list[str]:
        """What is different from what was approved last, in the shopper's words."""
        before, now = self.checkout.approved_context, self.context
        return _changes(before, now, {line.variant.pk: str(line.variant) for line in self.lines}) if before else []


def quote_of(cart: Cart, checkout: Checkout) -> Quote:
    """The cart at the prices of now; variants that are no longer on sale are not in it."""
    lines = CartLine.objects.filter(published("variant__product__"), cart=cart, variant__is_active=True)
    return Quote(
        checkout,
        [
            QuoteLine(line.variant, line.quantity)
            for line in lines.select_related("variant__product").order_by("added_at", "pk")
        ],
    )


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], names: Mapping[int, str]) -> list[str]:
    said = []
    old = {line["variant"]: line for line in before["lines"]}
    new = {line["variant"]: line for line in now["lines"]}
    for variant in old.keys() | new.keys():
        name = names.get(variant, _("An item"))
        if variant not in new:
            said.append(_("An item is no longer in your cart."))
        elif variant not in old:
            said.append(_("%(name)s was added.") % {"name": name})
        else:
            if old[variant]["unit_price"] != new[variant]["unit_price"]:
                said.append(
                    _("%(name)s now costs %(now)s instead of %(before)s.")
                    % {
                        "name": name,
                        "now": format_money(Decimal(new[variant]["unit_price"])),
                        "before": format_money(Decimal(old[variant]["unit_price"])),
                    }
                )
            if old[variant]["quantity"] != new[variant]["quantity"]:
                said.append(
                    _("%(name)s: %(now)d pieces instead of %(before)d.")
                    % {"name": name, "now": new[variant]["quantity"], "before": old[variant]["quantity"]}
                )
    if before["address"] != now["address"] or before["contact"] != now["contact"]:
        said.append(_("The address or contact is another."))
    if before["delivery_method"] != now["delivery_method"] or before["delivery_fee"] != now["delivery_fee"]:
        said.append(_("The delivery is another."))
    if before["total"] != now["total"]:
        said.append(
            _("The total is %(now)s instead of %(before)s.")
            % {"now": format_money(Decimal(now["total"])), "before": format_money(Decimal(before["total"]))}
        )
    return said
