"""Passkeys: added and removed. Each change is recorded and told to the owner."""

from typing import Any

from django.db import transaction

from accounts import audit
from accounts.factors import passkey as passkeys
from accounts.factors.backup_code import BackupCodeSet, make_backup_codes
from accounts.factors.notices import tell_owner
from accounts.factors.passkey import Passkey, PasskeyFactor
from accounts.factors.registry import has_strong_factor
from accounts.models import User
from accounts.security.services import TooMany, backup_codes_left, one_at_a_time
from accounts.stepup.passkeys import fingerprint

MOST_PASSKEYS = 10

_FACTOR = PasskeyFactor.code


def passkeys_of(user: User) -> Any:
    return Passkey.objects.filter(user=user, confirmed=True).order_by("pk")


def for_overview(user: User) -> dict[str, Any]:
    """What security/_passkeys.html shows."""
    return {"passkeys": passkeys_of(user), "passkeys_offered": PasskeyFactor().is_offered()}


def check_room(user: User) -> None:
    """Raises TooMany."""
    if passkeys_of(user).count() >= MOST_PASSKEYS:
        raise TooMany


def is_set_up(*, user: User, answer: str) -> bool:
    """Is what the browser made one of the person's passkeys already?"""
    made = passkeys.made_id(answer)
    return made is not None and passkeys_of(user).filter(credential_id_sha256=made).exists()


def add_passkey(*, user: User, answer: str, asked: bytes, name: str, ip: str | None = None) -> list[str]:
    """Keep the passkey that the browser made; ten backup codes with the first strong factor, else an empty list.

    Raises passkeys.Refused, passkeys.AlreadyThere, TooMany.
    """
    with transaction.atomic():
        one_at_a_time(user)
        check_room(user)
        first = not has_strong_factor(user)
        made = passkeys.register(user, answer, asked=asked, name=name)
        codes = make_backup_codes(user) if first or not backup_codes_left(user) else []
        event = audit.record(
            audit.Kind.FACTOR_ADDED, user=user, ip=ip, factor=_FACTOR, name=name, key=fingerprint(made.public_key)
        )
        tell_owner(user, event)
        if codes:
            audit.record(audit.Kind.BACKUP_CODES_MADE, user=user, ip=ip)
    return codes


def remove_passkey(*, user: User, passkey_id: int, ip: str | None = None) -> bool:
    """Remove a passkey, and with the last strong factor the backup codes. False where it was removed already."""
    with transaction.atomic():
        one_at_a_time(user)
        passkey = passkeys_of(user).filter(pk=passkey_id).first()
        if passkey is None or not Passkey.objects.filter(pk=passkey.pk).delete()[0]:
            return False
        if not has_strong_factor(user):
            BackupCodeSet.objects.filter(user=user).delete()
        event = audit.record(audit.Kind.FACTOR_REMOVED, user=user, ip=ip, factor=_FACTOR, name=passkey.name)
        tell_owner(user, event, everywhere=True)
    return True
