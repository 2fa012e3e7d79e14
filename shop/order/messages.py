"""The confirmation of an order, by e-mail or, where there is none, by text."""

from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string

from accounts.delivery.composing import Content
from accounts.delivery.models import Channel, Message
from shop.order.models import Order


def compose_order(message: Message, now: datetime) -> Content | None:
    code = message.reference.partition(" ")[0]
    order = Order.objects.prefetch_related("lines").filter(code=code).first()
    if order is None:
        return None
    context = {"order": order, "shop_name": settings.SHOP_NAME, "site_url": settings.SITE_URL}
    if message.channel == Channel.TEXT:
        return Content(text=render_to_string("order/confirmation_text.txt", context).strip())
    return Content(
        subject=render_to_string("order/confirmation_subject.txt", context).strip(),
        text=render_to_string("order/confirmation_email.txt", context),
        html=render_to_string("order/confirmation_email.html", context),
    )
