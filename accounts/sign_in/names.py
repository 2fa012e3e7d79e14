"""“Which e-mail did I sign up with?”: answered to the e-mail or phone that asks, never on the page."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.template.loader import render_to_string

from accounts import limits
from accounts.delivery import gsm
from accounts.delivery.composing import Content
from accounts.delivery.models import Channel, Message
from accounts.delivery.services import queue_message
from accounts.models import User
from accounts.phones import mask
from accounts.stepup.challenges import Asker, channel_of, within_budget

# Answers to one contact, beside the budgets of all sends: (limit, window).
ANSWERS_A_CONTACT = (3, timedelta(days=1))
MOST_NAMES = 5


class NoMoreAnswers(Exception):
    """As many were sent to this contact, or from this address, as may be."""


def send_names(*, asker: Asker, now: datetime) -> Message:
    """One message to the contact; what there is to say is found out when it is written. Raises NoMoreAnswers."""
    limit, window = ANSWERS_A_CONTACT
    taken = limits.take("answers about names", asker.contact, limit=limit, window=window, now=now)
    if not taken or not within_budget(asker.contact, asker, now):
        raise NoMoreAnswers
    return queue_message(kind=Message.Kind.NAMES, channel=channel_of(asker.contact), destination=asker.contact)


def names_tied_to(contact: str) -> list[str]:
    """The masked names of the accounts in which this contact is a name or a proven factor.

    Masked even for who reads the contact's messages: a number or an address may have had an owner before.
    """
    if channel_of(contact) == Channel.EMAIL:
        tied = Q(email=contact) | Q(mailboxes__address=contact, mailboxes__confirmed=True)
    else:
        tied = Q(phone=contact) | Q(phones__number=contact, phones__confirmed=True)
    found = User.objects.filter(tied, is_active=True).distinct().order_by("pk")[:MOST_NAMES]
    return [
        " / ".join(mask(name) for name in (user.email, user.phone.as_e164 if user.phone else "") if name)
        for user in found
    ]


def compose_names(message: Message, now: datetime) -> Content | None:
    context = {
        "names": names_tied_to(message.destination),
        "shop_name": settings.SHOP_NAME,
        "site_url": settings.SITE_URL,
    }
    if message.channel == Channel.TEXT:
        text = render_to_string("sign_in/names_text.txt", context).replace("•", "*")  # no bullets in a text
        return Content(text=gsm.plain(text).strip())
    return Content(
        subject=" ".join(render_to_string("sign_in/names_subject.txt", context).split()),
        text=render_to_string("sign_in/names_email.txt", context).strip() + "\n",
        html=render_to_string("sign_in/names_email.html", context),
    )
