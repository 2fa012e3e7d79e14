"""Telling the owner that something happened to the account. A notice carries no code and no link that signs in."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.delivery import gsm
from accounts.delivery.composing import Content
from accounts.delivery.models import Channel, Message
from accounts.delivery.providers import can_call
from accounts.delivery.services import queue_message
from accounts.factors.backup_code import few_left
from accounts.factors.email import Mailbox
from accounts.factors.registry import factor as factor_of
from accounts.factors.text import Phone
from accounts.models import SecurityEvent, User
from accounts.phones import is_landline

Kind = SecurityEvent.Kind

SENTENCES = {
    Kind.PASSWORD_CHANGED: gettext_lazy("The password of your account was changed."),
    Kind.FACTOR_ADDED: gettext_lazy("A way to prove it is you was added: %(factor)s."),
    Kind.FACTOR_REMOVED: gettext_lazy("A way to prove it is you was removed: %(factor)s."),
    Kind.BACKUP_CODES_MADE: gettext_lazy("New backup codes were made. Earlier ones no longer work."),
    Kind.BACKUP_CODES_LOW: gettext_lazy("Your backup codes run out. Make new ones."),
    Kind.FACTOR_RESTING: gettext_lazy("Too many wrong codes were typed. This way rests for a while: %(factor)s."),
    Kind.WRONG_CODES: gettext_lazy("Three wrong codes were typed for your account, one after another."),
    Kind.EMAIL_CHANGED: gettext_lazy("The e-mail address of your account was changed."),
    Kind.EMAIL_CHANGE_UNDONE: gettext_lazy("The change of your e-mail address was undone."),
    Kind.PHONE_CHANGED: gettext_lazy("The phone number of your account was changed."),
    Kind.ADDRESSES_CHANGED: gettext_lazy("The saved addresses of your account were changed."),
    Kind.DATA_EXPORTED: gettext_lazy("The data of your account were downloaded."),
    Kind.ACCOUNT_CLOSED: gettext_lazy("Your account was closed."),
    Kind.ACCOUNT_LOCKED: gettext_lazy("Your account was locked, and signed out everywhere."),
    Kind.ACCOUNT_UNLOCKED: gettext_lazy("Your account is no longer locked."),
    Kind.BROWSER_TRUSTED: gettext_lazy("For 30 days no code is asked for at sign-in in a browser: %(device)s."),
    Kind.TRUST_ENDED: gettext_lazy("The trust in your browsers ended: at sign-in, a code is asked for again."),
    Kind.SESSIONS_ENDED: gettext_lazy("Your account was signed out in other browsers."),
    Kind.RECOVERY_OPENED: gettext_lazy(
        "A recovery of your account was asked for. In three days it takes effect, unless you cancel it."
    ),
    Kind.RECOVERY_CANCELLED: gettext_lazy("The recovery of your account was cancelled."),
    Kind.RECOVERY_CONFIRMED: gettext_lazy("Our staff confirmed the recovery of your account."),
    Kind.RECOVERY_DONE: gettext_lazy(
        "Your account was recovered: it has a new password, and none of the earlier ways leads into it."
    ),
}
# What needs no notice: the owner did it a moment ago with a code, hears of it by other means, or it changes nothing.
NOT_TOLD = {
    Kind.SIGNED_UP, Kind.SIGNED_IN, Kind.SIGNED_OUT, Kind.PASSWORD_REFUSED, Kind.CODE_SENT,
    Kind.CODE_RESENT_BY_SUPPORT, Kind.PROOF_PASSED, Kind.PROOF_FAILED, Kind.SUPPORT_LOOKED_UP, Kind.ORDER_APPROVED,
    Kind.PAYMENT_DETAILS_VIEWED, Kind.APPROVAL_SPARED, Kind.POLICY_CHANGED,
}  # fmt: skip


@dataclass(frozen=True)
class WayBack:
    """What a notice offers beside the security page: "Undo the change:" and a path, "" where there is none.

    The path is made when the notice is composed, so what is secret in it is in no row and no task. It must not sign
    anybody in.
    """

    words: str | Promise
    path: Callable[[SecurityEvent, Message], str]


_ways_back: dict[str, WayBack] = {}


def offer_way_back(kind: SecurityEvent.Kind, back: WayBack) -> None:
    """Called by the app that can undo it, when it is loaded."""
    _ways_back[kind] = back


def tell_owner(
    user: User,
    event: SecurityEvent,
    *,
    everywhere: bool = False,
    without: Collection[str] = (),
    also: Collection[str] = (),
) -> None:
    """By e-mail to every proven mailbox; by phone where there is none, or `everywhere`: a mailbox may be a thief's.

    `without` are destinations or channels that changed, and so may be a thief's: they are left out. `also` are
    destinations that are no longer the account's, such as the e-mail address before its change: they are told anyway.
    """
    mailboxes = {(Channel.EMAIL, box.destination) for box in Mailbox.objects.filter(user=user, confirmed=True)}
    phones = {_by_phone(phone.destination) for phone in Phone.objects.filter(user=user, confirmed=True)}
    left_out = set(map(str, without))
    mailboxes, phones = ({way for way in ways if not left_out.intersection(way)} for ways in (mailboxes, phones))
    told = mailboxes | phones if everywhere or not mailboxes else mailboxes
    told |= {(Channel.EMAIL, contact) if "@" in contact else _by_phone(contact) for contact in also}
    for channel, destination in sorted(told):
        queue_message(
            kind=Message.Kind.NOTICE, channel=channel, destination=destination, user=user, reference=str(event.pk)
        )


def _by_phone(number: str) -> tuple[Channel, str]:
    """A landline hears what a mobile reads."""
    return Channel.CALL if is_landline(number) and can_call() else Channel.TEXT, number


def in_a_sentence(event: SecurityEvent) -> str:
    """What happened, in plain words."""
    if event.kind == Kind.BACKUP_CODES_LOW and isinstance(event.detail.get("left"), int):
        return few_left(event.detail["left"])
    sentence = SENTENCES.get(Kind(event.kind))
    said = {"factor": factor_name(event), "device": event.detail.get("device") or _("a browser")}
    return sentence % said if sentence else f"{event.get_kind_display()}."


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
    if message.channel == Channel.CALL:
        return Content(text=_rendered("factors/notice_greeting.txt", message, event))
    if message.channel == Channel.TEXT:
        return Content(text=gsm.plain(_rendered("factors/notice_text.txt", message, event)))
    return Content(
        subject=" ".join(_rendered("factors/notice_subject.txt", message, event).split()),
        text=_rendered("factors/notice_email.txt", message, event) + "\n",
        html=_rendered("factors/notice_email.html", message, event),
    )


def speak_notice(message: Message, now: datetime) -> Content | None:
    """The rest of a call, when a key was pressed: an answering machine is not told what happened."""
    event = SecurityEvent.objects.filter(pk=message.reference).first()
    return Content(text=_rendered("factors/notice_spoken.txt", message, event)) if event else None


def _rendered(template: str, message: Message, event: SecurityEvent) -> str:
    back = _ways_back.get(event.kind)
    path = back.path(event, message) if back else ""
    context = {
        "event": event,
        "what": in_a_sentence(event),
        "back": {"words": back.words, "url": f"{settings.SITE_URL}{path}"} if back and path else None,
        "shop_name": settings.SHOP_NAME,
        "support_email": settings.SUPPORT_EMAIL,
        "site_url": settings.SITE_URL,
    }
    return render_to_string(template, context).strip()
