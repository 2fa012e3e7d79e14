"""All that the shop keeps of a person, to take away. Other apps register their part; no part holds a secret."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.delivery.models import Message
from accounts.factors.notices import tell_owner
from accounts.factors.registry import all_factors
from accounts.models import Address, SecurityEvent, User
from accounts.security.devices import device_name
from accounts.security.events import describe
from accounts.security.sessions import sessions_of
from accounts.security.trust import trusted_browsers_of
from accounts.stepup import grants
from accounts.stepup.digest import own_digest
from accounts.stepup.models import Purpose

Part = Callable[[User], Any]
_parts: dict[str, Part] = {}


def register_export(name: str, part: Part) -> None:
    """Called by the app that keeps it, when it is loaded."""
    _parts[name] = part


def export_data(*, user: User, browser: str, ip: str | None, now: datetime | None = None) -> dict[str, Any]:
    """Use the proof up and give everything, ready for JSON. Raises grants.NoGrant."""
    now = now or timezone.now()
    with transaction.atomic():
        digest = own_digest(Purpose.EXPORT_DATA, user.pk)
        grants.use(browser=browser, purpose=Purpose.EXPORT_DATA, digest=digest, user=user, now=now)
        tell_owner(user, audit.record(audit.Kind.DATA_EXPORTED, user=user, ip=ip), everywhere=True)
        return {"exported_at": now} | {name: part(user) for name, part in _parts.items()}


def _person(user: User) -> dict[str, Any]:
    phone = user.phone.as_e164 if user.phone else None
    return {"name": user.name, "email": user.email, "phone": phone, "joined_at": user.joined_at}


def _addresses(user: User) -> list[dict[str, Any]]:
    fields = ("name", "line1", "line2", "postcode", "city", "country")
    return list(Address.objects.filter(user=user).order_by("pk").values(*fields))


def _factors(user: User) -> list[dict[str, Any]]:
    """What proves who the person is: names and destinations, and neither seeds nor codes."""
    return [
        {
            "factor": factor.code,
            "name": device.name,
            "destination": getattr(device, "destination", ""),
            "added_at": getattr(device, "created_at", None),
            "last_used_at": getattr(device, "last_used_at", None),
        }
        for factor in all_factors()
        if not factor.shares_device_of
        for device in factor.get_devices(user)
    ]


def _events(user: User) -> list[dict[str, Any]]:
    events = SecurityEvent.objects.filter(user=user).order_by("at", "pk")
    return [{"at": event.at, "what": describe(event), "address": event.ip} for event in events]


def _messages(user: User) -> list[dict[str, Any]]:
    """An explanation goes by the name of the code in whose place it was sent: whose address it is, is not told."""
    kinds = dict(Message.Kind.choices) | {Message.Kind.EXPLANATION: Message.Kind.CODE.label}
    sent = Message.objects.filter(user=user).order_by("queued_at", "pk")
    return [
        {
            "at": message.queued_at,
            "kind": kinds[message.kind],
            "channel": message.get_channel_display(),
            "to": message.destination,
            "state": message.get_state_display(),
        }
        for message in sent
    ]


def _sessions(user: User) -> list[dict[str, Any]]:
    return [
        {"device": device_name(session.user_agent), "address": session.ip, "last_used_at": session.last_used_at}
        for session in sessions_of(user)
    ]


def _trusted_browsers(user: User) -> list[dict[str, Any]]:
    told = ("device", "ip", "last_used_at", "expires_at")
    return [{name: browser[name] for name in told} for browser in trusted_browsers_of(user)]


register_export("person", _person)
register_export("addresses", _addresses)
register_export("ways_to_prove_it", _factors)
register_export("sessions", _sessions)
register_export("trusted_browsers", _trusted_browsers)
register_export("security_events", _events)
register_export("messages", _messages)
