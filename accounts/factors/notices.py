"""Telling the owner that something happened to the account. A notice carries no code and no link that signs in."""

from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string

from accounts.delivery.composing import Content
from accounts.delivery.models import Channel, Message
from accounts.delivery.services import queue_message
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import SecurityEvent, User


def tell_owner(user: User, event: SecurityEvent) -> None:
    """By e-mail to every proven mailbox; by text where there is none."""
    mailboxes = [box.address for box in Mailbox.objects.filter(user=user, confirmed=True)]
    phones = [phone.destination for phone in Phone.objects.filter(user=user, confirmed=True)]
    for destination in mailboxes or phones:
        queue_message(
            kind=Message.Kind.NOTICE,
            channel=Channel.EMAIL if mailboxes else Channel.TEXT,
            destination=destination,
            user=user,
            reference=str(event.pk),
        )


def compose_notice(message: Message, now: datetime) -> Content | None:
    event = SecurityEvent.objects.filter(pk=message.reference).first()
    if event is None:
        return None
    context = {
        "event": event,
        "what": event.get_kind_display(),
        "shop_name": settings.SHOP_NAME,
        "site_url": settings.SITE_URL,
    }
    if message.channel == Channel.TEXT:
        return Content(text=render_to_string("factors/notice_text.txt", context).strip())
    return Content(
        subject=render_to_string("factors/notice_subject.txt", context).strip(),
        text=render_to_string("factors/notice_email.txt", context),
        html=render_to_string("factors/notice_email.html", context),
    )
