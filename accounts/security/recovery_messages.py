"""What the new contact is told of a recovery; the owner gets notices. No link in it signs anybody in."""

from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string

from accounts.delivery import gsm
from accounts.delivery.composing import Content
from accounts.delivery.models import Channel, Message
from accounts.security.models import Recovery


def compose_recovery(message: Message, now: datetime) -> Content | None:
    step, _, hexed = message.reference.partition(" ")
    recovery = Recovery.objects.filter(pk=hexed).first()
    if recovery is None or (step == "ready" and recovery.state != Recovery.State.OPEN):
        return None
    context = {
        "step": step,
        "recovery": recovery,
        "shop_name": settings.SHOP_NAME,
        "support_email": settings.SUPPORT_EMAIL,
        "site_url": settings.SITE_URL,
    }
    if message.channel == Channel.TEXT:
        return Content(text=gsm.plain(render_to_string("security/recovery_text.txt", context)).strip())
    return Content(
        subject=" ".join(render_to_string("security/recovery_subject.txt", context).split()),
        text=render_to_string("security/recovery_email.txt", context).strip() + "\n",
        html=render_to_string("security/recovery_email.html", context),
    )
