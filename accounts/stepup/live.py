"""What the challenge page tells of a code that is on its way, and the other way it offers when nothing comes."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.delivery import textable
from accounts.delivery.failover import best
from accounts.delivery.models import Channel, Message, State, in_words
from accounts.factors.registry import factor as factor_of
from accounts.phones import mask
from accounts.stepup import policy
from accounts.stepup.challenges import ANOTHER_WAY_AFTER, is_over
from accounts.stepup.models import Challenge

# A report may still come: of one of which nobody knows whether it left, too.
MOVING = {State.QUEUED, State.HANDING_OVER, State.HANDED_OVER, State.SENT, State.UNKNOWN}

INSTEAD: dict[str, str | Promise] = {
    "passkey": _("Use your passkey instead"),
    "authenticator": _("Use your app instead"),
    "text": _("Text it instead"),
    "call": _("Call me instead"),
    "email": _("E-mail it instead"),
    "backup_code": _("Use a backup code instead"),
}


def sending(challenge: Challenge, now: datetime | None = None) -> dict[str, Any]:
    """All that the line on delivery needs, for two queries at most."""
    now = now or timezone.now()
    message = best(_sent(challenge))
    over = is_over(challenge, now)
    seconds_ago = int((now - _last_moved_at(message)).total_seconds()) if message else 0
    nothing_came = message is not None and not over and _nothing_came(challenge, message, now)
    return {
        "challenge": challenge,
        "over": over,
        "message": message,
        "destination": mask(message.destination) if message else "",
        "seconds_ago": seconds_ago,
        "minutes_ago": seconds_ago // 60,
        "now": now,
        "may_send": challenge.sends < settings.SENDS_PER_CHALLENGE,
        "can_resend_at": challenge.next_send_at if challenge.next_send_at and challenge.next_send_at > now else None,
        "nothing_came": nothing_came,
        "moving": message is not None and not over and _may_change(message, nothing_came),
        # For the first minute a report shows within a second; who still waits then is asked about less often.
        "every": 1 if message and now - message.queued_at < timedelta(minutes=1) else 2,
    }


def alternatives(challenge: Challenge) -> list[dict[str, Any]]:
    """The other ways this person may use now; of a bare contact too, where no account may be known of."""
    if challenge.user is None or challenge.contact:
        ways = policy.contact_ways(challenge.contact)
        others = [way for way in ways if way.code != challenge.factor]
        return _noted([_way(way.code, "", way.action_to(challenge.contact), challenge.contact) for way in others])
    try:
        offers = policy.offers(
            challenge.user, challenge.purpose, timezone.now(), challenge.least, challenge.first_contact
        )
    except policy.NoFactor:
        return []
    by_key: dict[str, policy.Offer] = {}
    for offer in offers:
        by_key.setdefault(offer.key, offer)
    by_key.pop(policy.key_of(factor_of(challenge.factor), challenge.device_id), None)
    return _noted(
        [
            _way(
                offer.factor.code,
                "" if offer.factor.takes_any_device else offer.device.persistent_id,
                offer.factor.get_action(offer.device),
                offer.destination,
                same=offer.factor.code == challenge.factor,
            )
            for offer in by_key.values()
        ]
    )


def _noted(ways: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each with what stands against it: a number that gets no texts, and what its owner can do."""
    untexted = textable.reasons(way["to"] for way in ways if way["code"] == "text")
    for way in ways:
        way["note"] = in_words(untexted.get(way["to"], "")) if way["code"] == "text" else ""
    return ways


def _way(code: str, device: str, action: str, to: str, same: bool = False) -> dict[str, Any]:
    """`instead` is the button for one tap; another phone or mailbox of the same factor has to be named."""
    return {"code": code, "device": device, "action": action, "to": to, "instead": action if same else INSTEAD[code]}


def _sent(challenge: Challenge) -> list[Message]:
    channel = factor_of(challenge.factor).channel
    return list(Message.objects.filter(challenge=challenge, channel=channel)) if channel else []


def _nothing_came(challenge: Challenge, message: Message, now: datetime) -> bool:
    """Is it time to offer another way? At once where it failed, and after a while where it is only on its way."""
    if message.state in (State.FAILED, State.EXPIRED):
        return True
    if message.state == State.DELIVERED or (message.channel == Channel.CALL and message.state == State.SENT):
        return False  # or somebody is on the phone
    return challenge.asked_at is not None and challenge.asked_at <= now - ANOTHER_WAY_AFTER


def _may_change(message: Message, nothing_came: bool) -> bool:
    if message.provider == "email" and message.state == State.HANDED_OVER:
        return not nothing_came  # a mail server reports no more, so there is only the other way to wait for
    return message.state in MOVING


def _last_moved_at(message: Message) -> datetime:
    """Since when the message is in its state."""
    times = (message.delivered_at, message.ended_at, message.sent_at, message.handed_over_at, message.handing_over_at)
    return next((at for at in times if at), message.queued_at)
