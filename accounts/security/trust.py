"""Trusted browsers: the right password and the browser's token sign a shopper in without a code.

That is worth less than any proof: the session gets no level, so it approves no payment, changes nothing, and is
nothing to staff, who never get trust.

A token is good for one sign-in, which gives the next one. Used once more (a stolen cookie, or a double tap) it spares
nobody the code. But whoever then types the code with the token before the present one gets the trust back under a new
token, and the present one is void: the honest browser has lost nothing, and a thief who was faster is out.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import audit
from accounts.factors.notices import tell_owner
from accounts.factors.registry import all_factors
from accounts.models import SecurityEvent, User
from accounts.security.devices import device_name
from accounts.security.models import TrustedBrowser
from accounts.stepup.digest import context_digest

Kind = SecurityEvent.Kind
# Beside what is set up now, the last of these counts: a change and its undoing are two changes.
CHANGES = (
    Kind.PASSWORD_CHANGED,
    Kind.FACTOR_ADDED,
    Kind.FACTOR_REMOVED,
    Kind.BACKUP_CODES_MADE,
    Kind.EMAIL_CHANGED,
    Kind.EMAIL_CHANGE_UNDONE,
    Kind.PHONE_CHANGED,
    Kind.RECOVERY_DONE,
    Kind.ACCOUNT_LOCKED,
)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Trust:
    """What the browser keeps in its cookie."""

    token: str
    expires_at: datetime


def what_it_rests_on(user: User) -> str:
    """Changes with the password, the e-mail, the phone and each factor, so no change has to remember to end trust."""
    devices = []
    for model in {factor.model for factor in all_factors()}:
        for device in model._default_manager.filter(user=user, confirmed=True):
            devices.append(f"{device.persistent_id} {getattr(device, 'destination', '')}")
    last = SecurityEvent.objects.filter(user=user, kind__in=CHANGES).order_by("-pk").first()
    told = {
        "user": user.pk,
        "password": user.password,
        "email": user.email,
        "phone": user.phone.as_e164 if user.phone else None,
        "devices": sorted(devices),
        "last change": last.pk if last else None,
    }
    return context_digest("trusted browser", told).hex()


def use_trust(
    *, user: User, token: str, ip: str | None = None, user_agent: str = "", now: datetime | None = None
) -> Trust | None:
    """Instead of a code, after the right password. Of twenty at once with one token, one is trusted."""
    now = now or timezone.now()
    digest = _hash(token)
    if not digest or user.is_staff or user.locked_at:
        return None
    mine = _running(user, now).filter(token_hash=digest)
    if not mine.exists():
        return None  # most often there is no cookie of ours; what it would rest on costs queries
    fresh = secrets.token_urlsafe(32)
    with transaction.atomic():
        taken = mine.filter(rests_on=what_it_rests_on(user)).update(
            token_hash=_hash(fresh), previous_hash=digest, last_ip=ip, user_agent=user_agent, last_used_at=now
        )
        if not taken:
            return None
        audit.record(Kind.SIGNED_IN, user=user, ip=ip, factor="trusted_browser")
        return Trust(fresh, TrustedBrowser.objects.get(token_hash=_hash(fresh)).expires_at)


def keep_trust(
    *, user: User, token: str, wished: bool, ip: str | None = None, user_agent: str = "", now: datetime | None = None
) -> Trust | None:
    """After a sign-in with a code: trust the browser if the person `wished` it, or make its trust good again.

    `token` is what the browser had.
    """
    now = now or timezone.now()
    if user.is_staff or not (wished or _hash(token)):
        return None
    digest, rests_on, fresh = _hash(token), what_it_rests_on(user), secrets.token_urlsafe(32)
    now_it_is = {"token_hash": _hash(fresh), "last_ip": ip, "user_agent": user_agent, "last_used_at": now}
    with transaction.atomic():
        before = Q(token_hash=digest) | Q(previous_hash=digest) if digest else Q(pk__in=[])
        mine = _running(user, now).filter(before).select_for_update().first()
        if not wished:
            if mine is None or mine.previous_hash != digest or mine.rests_on != rests_on:
                return None
            TrustedBrowser.objects.filter(pk=mine.pk).update(**now_it_is)
            return Trust(fresh, mine.expires_at)
        if mine:  # one row a browser
            TrustedBrowser.objects.filter(pk=mine.pk).update(revoked_at=now)
        made = TrustedBrowser.objects.create(
            user=user,
            rests_on=rests_on,
            first_ip=ip,
            created_at=now,
            expires_at=now + settings.TRUST_LIFE,
            **now_it_is,
        )
        tell_owner(user, audit.record(Kind.BROWSER_TRUSTED, user=user, ip=ip, device=device_name(user_agent)))
    return Trust(fresh, made.expires_at)


def trusted_browsers_of(user: User, token: str = "", now: datetime | None = None) -> list[dict[str, Any]]:
    """Those whose 30 days run, the latest use first; and whether the trust still holds, or a change ended it."""
    rows = list(_running(user, now or timezone.now()).order_by("-last_used_at", "-pk"))
    rests_on = what_it_rests_on(user) if rows else ""
    return [
        {
            "pk": row.pk,
            "device": device_name(row.user_agent),
            "ip": row.last_ip,
            "last_used_at": row.last_used_at,
            "expires_at": row.expires_at,
            "this_one": row.token_hash == _hash(token),
            "holds": row.rests_on == rests_on,
        }
        for row in rows
    ]


def end_trust(*, user: User, browser_id: int | None = None, ip: str | None = None, now: datetime | None = None) -> bool:
    """In one browser, or in all. False where there was none."""
    now = now or timezone.now()
    rows = _running(user, now)
    if browser_id is not None:
        rows = rows.filter(pk=browser_id)
    with transaction.atomic():
        first = rows.first()
        if first is None or not rows.update(revoked_at=now):
            return False
        detail: dict[str, Any] = {} if browser_id is None else {"device": device_name(first.user_agent)}
        tell_owner(user, audit.record(Kind.TRUST_ENDED, user=user, ip=ip, **detail))
    return True


def _running(user: User, now: datetime) -> QuerySet[TrustedBrowser]:
    return TrustedBrowser.objects.filter(user=user, revoked_at=None, expires_at__gt=now)


def _hash(token: str) -> str:
    """ "" for what can't be a token of ours."""
    return hashlib.sha256(token.encode()).hexdigest() if _TOKEN.fullmatch(token) else ""
