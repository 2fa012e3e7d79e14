"""Signing in with a passkey and nothing else: nobody says who they are before the passkey does."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit, limits
from accounts.factors import passkey as passkeys
from accounts.factors.base import NotVerified
from accounts.factors.passkey import Passkey, PasskeyFactor, Signed
from accounts.models import User
from accounts.stepup import codes, grants
from accounts.stepup.credentials import credentials_of
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Challenge, Grant, Purpose
from accounts.stepup.passkeys import keep, to_sign, worth

_FACTOR = PasskeyFactor.code
# The page asks each time it is shown; signatures are tried as often as passwords: (limit, window).
ASKED_AN_ADDRESS = (300, timedelta(hours=1))
TRIES_AN_ADDRESS = (50, timedelta(hours=1))
# How long a signature may take, and when a page that is shown again gets something new to sign.
LIFE, FRESH = timedelta(minutes=10), timedelta(minutes=5)


class PasskeyRefused(Exception):
    """Unknown, wrong, used before, too late, or of an account that is closed or locked: which, is not told."""


class PasskeyUnverified(Exception):
    """The device did not check who holds it, which is needed where no password was typed."""


class TooManyPasskeys(Exception):
    """No more from this address before `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.until = until


def begin(
    begun: Mapping[str, Any] | None, *, ip: str | None, now: datetime | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the browser's session keeps, and what the browser is asked to sign. `begun` is what it kept before.

    Raises TooManyPasskeys.
    """
    now = now or timezone.now()
    _pay("passkeys asked from an address", ip, *ASKED_AN_ADDRESS, now)
    if not begun or begun["until"] < (now + FRESH).timestamp():
        begun = {"id": str(uuid4()), "nonce": secrets.token_hex(32), "until": (now + LIFE).timestamp()}
    options = passkeys.signing_options(_asked(begun), must_verify=True)
    return dict(begun), {"options": options, "seconds": int(begun["until"] - now.timestamp())}


def sign_in(
    *, begun: Mapping[str, Any] | None, answer: str, browser: str, ip: str | None, now: datetime | None = None
) -> tuple[User, Grant]:
    """The person whose passkey signed what this browser was given, and the used grant of that.

    The challenge is written when it has passed, under the id it was begun with: of twenty equal answers one can.
    Raises PasskeyRefused, PasskeyUnverified, TooManyPasskeys.
    """
    now = now or timezone.now()
    _pay("passkeys from an address", ip, *TRIES_AN_ADDRESS, now)
    if not begun or begun["until"] <= now.timestamp():
        raise PasskeyRefused
    try:
        with transaction.atomic():
            signed = passkeys.accept(
                answer, asked=_asked(begun), among=Passkey.objects.all(), must_verify=True, must_name=True, now=now
            )
            user = signed.passkey.user
            if not user.is_active or user.locked_at:
                raise passkeys.Refused
            grant = _pass(begun, signed, browser, now)
            audit.record(audit.Kind.PROOF_PASSED, user=user, ip=ip, purpose=grant.purpose, factor=_FACTOR)
            audit.record(
                audit.Kind.SIGNED_IN, user=user, ip=ip, purpose=grant.purpose, factor=_FACTOR, without_password=True
            )
    except (passkeys.Refused, IntegrityError):
        # Naming nobody: whoever posts the id of somebody's passkey must not write into that person's history.
        audit.record(audit.Kind.PROOF_FAILED, ip=ip, purpose=Purpose.SIGN_IN, factor=_FACTOR)
        raise PasskeyRefused from None
    except NotVerified:
        raise PasskeyUnverified from None
    if ip:
        limits.give_back("passkeys from an address", ip)
    return user, grant


def _asked(begun: Mapping[str, Any]) -> bytes:
    return to_sign(UUID(begun["id"]), bytes.fromhex(begun["nonce"]), Purpose.SIGN_IN, _digest())


def _digest() -> bytes:
    return context_digest(Purpose.SIGN_IN, {"user": None})


def _pass(begun: Mapping[str, Any], signed: Signed, browser: str, now: datetime) -> Grant:
    """A challenge that has passed and a grant that is used, as any other sign-in leaves them."""
    user = signed.passkey.user
    purpose = Purpose.STAFF_SIGN_IN if user.is_staff else Purpose.SIGN_IN
    challenge = Challenge(
        pk=UUID(begun["id"]),
        user=user,
        browser=browser,
        purpose=purpose,
        context_digest=_digest(),
        next_path="/",
        credentials=credentials_of(user),
        factor=_FACTOR,
        device_id=signed.passkey.persistent_id,
        code_key=codes.current_key_id(),
        nonce=bytes.fromhex(begun["nonce"]),
        state=Challenge.State.PASSED,
        attempts_left=settings.CODE_ATTEMPTS,
        requested_at=now,
        expires_at=datetime.fromtimestamp(begun["until"], tz=now.tzinfo),
        passed_at=now,
    )
    challenge.save(force_insert=True)
    grant = Grant.objects.create(
        challenge=challenge,
        user=user,
        browser=browser,
        purpose=purpose,
        context_digest=_digest(),
        factor=_FACTOR,
        strength=worth(signed),
        granted_at=now,
        expires_at=now + timedelta(minutes=1),
    )
    keep(grant, signed)
    grants.use_up(grant, now)
    return grant


def _pay(scope: str, ip: str | None, limit: int, window: timedelta, now: datetime) -> None:
    if ip and not limits.take(scope, ip, limit=limit, window=window, now=now):
        raise TooManyPasskeys(limits.ends_at(scope, ip, window=window) or now + window)
