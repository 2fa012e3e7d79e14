"""What a cart and its checkout keep of a person: given with the rest of their data, gone with the account."""

from typing import Any

from accounts.models import User
from shop.cart.models import Cart, CartLine
from shop.checkout.models import Checkout


def cart_of(user: User) -> dict[str, Any]:
    lines = CartLine.objects.filter(cart__user=user).order_by("pk").select_related("variant__product")
    fields = ("name", "line1", "line2", "postcode", "city", "country", "email", "phone", "delivery_method")
    return {
        "lines": [{"sku": line.variant.sku, "name": str(line.variant), "quantity": line.quantity} for line in lines],
        "checkout": Checkout.objects.filter(cart__user=user).values(*fields).first(),
    }


def forget(sender: Any, user: User, **kwargs: Any) -> None:
    """The account is closed. An order that is being paid goes on by itself."""
    Cart.objects.filter(user=user).delete()
