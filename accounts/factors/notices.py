"""Telling the owner that something happened to the account. A notice carries no code and no link that signs in."""

from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.delivery import gsm
from accounts.delivery.composing import Content
from accounts.delivery.models import Channel, Message
from accounts.delivery.services import queue_message
from accounts.factors.email import Mailbox
from accounts.factors.registry import factor as factor_of
from accounts.factors.text import Phone
from accounts.models import SecurityEvent, User

Kind = SecurityEvent.Kind

SENTENCES = {
    Kind.PASSWORD_CHANGED: gettext_lazy("The password of your account was changed."),
    Kind.FACTOR_ADDED: gettext_lazy("A way to prove it is you was added: %(factor)s."),
    Kind.FACTOR_REMOVED: gettext_lazy("A way to prove it is you was removed: %(factor)s."),
    Kind.BACKUP_CODES_MADE: gettext_lazy("New backup codes were made. Earlier ones no longer work."),
    Kind.FACTOR_RESTING: gettext_lazy("Too many wrong codes were typed. This way rests for a while: %(factor)s."),
}


def tell_owner(user: User, event: SecurityEvent, *, everywhere: bool = False) -> None:
    """By e-mail to every proven mailbox; by text where there is none, or `everywhere`: a mailbox may be a thief's."""
    mailboxes = [box.address for box in Mailbox.objects.filter(user=user, confirmed=True)]
    phones = [phone.destination for phone in Phone.objects.filter(user=user, confirmed=True)]
    told = [(Channel.EMAIL, address) for address in mailboxes]
    if everywhere or not mailboxes:
        told += [(Channel.TEXT, number) for number in phones]
    for channel, destination in told:
        queue_message(
            kind=Message.Kind.NOTICE, channel=channel, destination=destination, user=user, reference=str(event.pk)
        )


def in_a_sentence(event: SecurityEvent) -> str:
    """What happened, in plain words."""
    sentence = SENTENCES.get(Kind(event.kind))
    return sentence % {"factor": factor_name(event)} if sentence else f"{event.get_kind_display()}."


def factor_name(event: SecurityEvent) -> str:
    """The factor an event is about, as the person knows it: `authenticator app “old phone”`."""
    try:
        name = str(factor_of(event.detail.get("factor", "")).verbose_name)
    except LookupError:
        return ""
    return (
        _("%(factor)s “%(name)s”") % {"factor": name, "name": event.detail["name"]}
        if event.detail.get("name")
        else name
    )


def compose_notice(message: Message, now: datetime) -> Content | None:
    event = SecurityEvent.objects.filter(pk=message.reference).first()
    if event is None:
        return None
    context = {
        "event": event,
        "what": in_a_sentence(event),
        "shop_name": settings.SHOP_NAME,
        "site_url": settings.SITE_URL,
    }
    if message.channel == Channel.TEXT:
        return Content(text=gsm.plain(render_to_string("factors/notice_text.txt", context)).strip())
    return Content(
        subject=" ".join(render_to_string("factors/notice_subject.txt", context).split()),
        text=render_to_string("factors/notice_email.txt", context).strip() + "\n",
        html=render_to_string("factors/notice_email.html", context),
    )
