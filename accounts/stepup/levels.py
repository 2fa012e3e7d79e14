"""What a session has proven: how strongly, with what, and when. Never a bare flag."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import django_otp
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.factors.base import Strength
from accounts.factors.registry import device_of
from accounts.stepup import policy

_KEY = "level"


@dataclass(frozen=True)
class Level:
    strength: Strength
    factor: str
    at: datetime


def raise_level(request: HttpRequest, *, strength: int, factor: str, at: datetime, device_id: str = "") -> None:
    """Remember a fresh proof, by this device. The session key changes, so one that leaked before gains nothing."""
    request.session.cycle_key()
    request.session[_KEY] = {"strength": int(strength), "factor": factor, "at": at.isoformat()}
    if request.user.is_staff and strength >= Strength.AUTHENTICATOR:
        # django-otp's admin site asks for the device; shoppers' pages are spared the query.
        django_otp.login(request, device_of(request.user, factor, device_id))


def drop(request: HttpRequest) -> None:
    """Signed in without a proof, in a trusted browser: no level at all, which is less than any."""
    request.session.pop(_KEY, None)


def level_of(request: HttpRequest) -> Level | None:
    kept: dict[str, Any] | None = request.session.get(_KEY) if request.user.is_authenticated else None
    if not kept:
        return None
    at = parse_datetime(kept["at"])
    return Level(Strength(kept["strength"]), kept["factor"], at) if at else None


def has_staff_level(request: HttpRequest) -> bool:
    """Is this a member of staff who proved it with an authenticator in the last hours?"""
    level = level_of(request)
    return bool(
        request.user.is_active
        and request.user.is_staff
        and getattr(request.user, "otp_device", None)  # django-otp's: the authenticator is still there
        and level
        and level.strength >= Strength.AUTHENTICATOR
        and timezone.now() - level.at < policy.STAFF_LEVEL_LIFE
    )


def has_recent_proof(request: HttpRequest, purpose: str) -> bool:
    """Is the session's proof strong and young enough for the purpose, where the policy lets that count?"""
    level = level_of(request)
    recent = policy.rule(purpose, request.user).recent
    return bool(
        level
        and recent
        and level.strength >= policy.needed_strength(purpose, request.user)
        and timezone.now() - level.at < recent
    )
