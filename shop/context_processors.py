from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from shop.cart.services import count_items


def shop(request: HttpRequest) -> dict[str, Any]:
    """What every page shows."""
    return {
        "shop_name": settings.SHOP_NAME,
        "demo": settings.DEMO,
        "cart_count": SimpleLazyObject(lambda: count_items(request.session, request.user)),
    }
