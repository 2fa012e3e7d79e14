"""A person's orders, for the file with all their data."""

from typing import Any

from accounts.models import User
from shop.order.models import Order


def orders_of(user: User) -> list[dict[str, Any]]:
    orders = Order.objects.filter(user=user).order_by("placed_at", "pk").prefetch_related("lines", "payments")
    return [_order(order) for order in orders]


def _order(order: Order) -> dict[str, Any]:
    fields = (
        "code", "state", "placed_at", "paid_at", "email", "phone", "name", "line1", "line2", "postcode", "city",
        "country", "delivery_method", "subtotal", "delivery_fee", "tax", "total", "currency", "approved_at",
        "approved_by",
    )  # fmt: skip
    return {field: getattr(order, field) for field in fields} | {
        "lines": [
            {"sku": line.sku, "name": line.name, "unit_price": line.unit_price, "quantity": line.quantity}
            for line in order.lines.all()
        ],
        "payments": [
            {
                "at": payment.started_at,
                "amount": payment.amount,
                "state": payment.state,
                "card_ending": payment.card_ending,
            }
            for payment in order.payments.all()
        ],
    }
