"""The messages we sent a person, in their words: that there was one, and what for; never a word of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from accounts.delivery.models import Channel, Message, State
from accounts.factors.notices import in_a_sentence
from accounts.models import SecurityEvent, User
from accounts.stepup.models import Challenge, Purpose

Kind = Message.Kind


@dataclass(frozen=True)
class Line:
    at: datetime
    channel: str
    channel_name: str
    to: str
    about: str
    state: str
    is_problem: bool
    order: str = ""


def messages_to(user: User) -> QuerySet[Message]:
    """Newest first. Only what is kept as this account's: the same number may have been somebody else's."""
    return Message.objects.filter(user=user).select_related("challenge").order_by("-queued_at", "-pk")


def lines_of(messages: Iterable[Message]) -> list[Line]:
    messages = list(messages)
    ids = [message.reference for message in messages if message.kind == Kind.NOTICE and message.reference.isdecimal()]
    events = {str(event.pk): event for event in SecurityEvent.objects.filter(pk__in=ids)}
    return [
        Line(
            at=message.queued_at,
            channel=message.channel,
            channel_name=message.get_channel_display(),
            to=message.masked_destination,
            about=_about(message, events.get(message.reference)),
            state=_state(message),
            is_problem=message.state in (State.FAILED, State.EXPIRED, State.UNKNOWN),
            order=message.reference.partition(" ")[0] if message.kind == Kind.ORDER else "",
        )
        for message in messages
    ]


def _about(message: Message, event: SecurityEvent | None) -> str:
    challenge = message.challenge
    # Of a new e-mail or phone the account is not told whether it is somebody else's, nor is its owner shown it here.
    as_a_code = message.kind == Kind.EXPLANATION and challenge and challenge.purpose == Purpose.NEW_CONTACT
    if challenge and (message.kind == Kind.CODE or as_a_code):
        said = {"purpose": _purpose(challenge), "amount": challenge.summary.get("amount", "")}
        if said["amount"] and challenge.purpose == Purpose.PAY:
            return _("A code to %(purpose)s: %(amount)s") % said
        return _("A code to %(purpose)s") % said
    if message.kind == Kind.EXPLANATION and challenge:
        return _("Somebody wanted to %(purpose)s with this contact; no code") % {"purpose": _purpose(challenge)}
    if message.kind == Kind.NOTICE and event:
        return _("Notice: %(what)s") % {"what": in_a_sentence(event)}
    if message.kind == Kind.ORDER:
        return _("About your order")
    return str(message.get_kind_display()).capitalize()


def _purpose(challenge: Challenge) -> str:
    return str(challenge.get_purpose_display())


def _state(message: Message) -> str:
    """In plain words, with the time of each step that is known."""
    call = message.channel == Channel.CALL
    left = _when(message, message.sent_at or message.handed_over_at)
    arrived = _when(message, message.delivered_at)
    match message.state:
        case State.DELIVERED if call:
            return _("called, and said %(time)s") % {"time": arrived}
        case State.DELIVERED if left:
            return _("sent %(left)s, delivered %(arrived)s") % {"left": left, "arrived": arrived}
        case State.DELIVERED:
            return _("delivered %(time)s") % {"time": arrived}
        case State.SENT if call:
            return _("answered %(time)s, no key pressed yet") % {"time": left}
        case State.SENT:
            return _("sent %(time)s") % {"time": left}
        case State.HANDED_OVER if call:
            return _("calling since %(time)s") % {"time": left}
        case State.HANDED_OVER:
            return _("handed to the carrier %(time)s") % {"time": left}
        case State.FAILED:
            reason = message.reason_in_words or _("we were not told why")
            words = _("nothing was said: %(reason)s") if call else _("could not be delivered: %(reason)s")
            return words % {"reason": reason}
        case State.EXPIRED:
            return _("not sent: its time was over")
        case State.UNKNOWN:
            return _("it is not known whether it left")
    return _("on its way since %(time)s") % {"time": _when(message, message.queued_at)}


def _when(message: Message, at: datetime | None) -> str:
    if at is None:
        return ""
    at = localtime(at)
    same_day = at.date() == localtime(message.queued_at).date()
    return date_format(at, "H:i" if same_day else "j M, H:i")


def example_text(*, shop: str, site_host: str) -> str:
    """What a text with a code looks like, by the template of the real ones."""
    context = {"code": "123456", "purpose": Purpose.SIGN_IN.label, "shop": shop, "site_host": site_host}
    return render_to_string("stepup/code_text.txt", context).strip()
