"""Authenticator apps and backup codes: set up, confirmed, removed. Each change is recorded and told to the owner."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.factors.authenticator import Authenticator, AuthenticatorFactor, accept
from accounts.factors.backup_code import BackupCodeSet, make_backup_codes
from accounts.factors.notices import tell_owner
from accounts.factors.registry import has_strong_factor
from accounts.models import User
from accounts.stepup import attempts
from accounts.stepup.models import Purpose
from accounts.stepup.wrong_codes import tell_of_wrong_codes

# How long a shown QR code may wait to be scanned and confirmed.
PENDING_LIFE = timedelta(minutes=30)
MOST_AUTHENTICATORS = 5

_FACTOR = AuthenticatorFactor.code


class NotACode(Exception):
    """What was typed can't be a code at all; no attempt is taken."""


class WrongCode(Exception):
    """Not the code the app shows, or one it showed too long ago."""


class AlreadySetUp(Exception):
    """This app is confirmed already: the same form came twice."""


class NothingPending(Exception):
    """There is no such unconfirmed app, or it waited for too long."""


class TooMany(Exception):
    """The person has as many authenticator apps as one may have."""


def pending_authenticator(*, user: User, shown: int | None = None, now: datetime | None = None) -> Authenticator:
    """The app this person is setting up: the one `shown` already, another young unconfirmed one, or a new one.

    Raises TooMany.
    """
    young = (now or timezone.now()) - PENDING_LIFE
    mine = Authenticator.objects.filter(user=user)
    if mine.filter(confirmed=True).count() >= MOST_AUTHENTICATORS:
        raise TooMany
    mine.filter(confirmed=False, created_at__lte=young).delete()
    pending = mine.filter(confirmed=False)
    found = pending.filter(pk=shown).first() or pending.order_by("-pk").first()
    return found or Authenticator.objects.create(user=user, confirmed=False, name="")


def confirm_authenticator(
    *, user: User, device_id: int, code: str, name: str, ip: str | None = None, now: datetime | None = None
) -> list[str]:
    """Confirm an app by the code it shows; ten backup codes if there were none, else an empty list.

    The attempt is paid for before the code is compared, from the account's own. The code can't be used again.
    Raises NotACode, WrongCode, AlreadySetUp, NothingPending, attempts.FactorResting.
    """
    now = now or timezone.now()
    device = Authenticator.objects.filter(user=user, pk=device_id).first()
    if device is None or (not device.confirmed and device.created_at <= now - PENDING_LIFE):
        raise NothingPending
    if device.confirmed:
        raise AlreadySetUp
    typed = AuthenticatorFactor().normalise(code)
    if typed is None:
        raise NotACode
    subject = f"user:{user.pk}"
    counted = attempts.pay(subject, _FACTOR, now)
    with transaction.atomic():
        one_at_a_time(user)
        first = not has_strong_factor(user)
        pending = Authenticator.objects.filter(pk=device.pk, confirmed=False)
        if accept(device, typed, now) and pending.update(confirmed=True, name=name):
            attempts.passed(subject, counted, own_failures=0)
            codes = make_backup_codes(user) if first or not backup_codes_left(user) else []
            event = audit.record(audit.Kind.FACTOR_ADDED, user=user, ip=ip, factor=_FACTOR, name=name)
            tell_owner(user, event)
            if codes:
                audit.record(audit.Kind.BACKUP_CODES_MADE, user=user, ip=ip)
            return codes
        transaction.set_rollback(True)
    if Authenticator.objects.filter(pk=device.pk, confirmed=True).exists():
        attempts.passed(subject, counted, own_failures=0)  # the same form twice at the same moment
        raise AlreadySetUp
    audit.record(audit.Kind.PROOF_FAILED, user=user, ip=ip, purpose=Purpose.MANAGE_FACTORS, factor=_FACTOR)
    tell_of_wrong_codes(user, ip=ip, now=now)
    if attempts.failed(subject, _FACTOR, now):
        tell_owner(user, audit.record(audit.Kind.FACTOR_RESTING, user=user, ip=ip, factor=_FACTOR))
    raise WrongCode


def is_set_up(*, user: User, device_id: int | None) -> bool:
    return device_id is not None and Authenticator.objects.filter(user=user, pk=device_id, confirmed=True).exists()


def remove_authenticator(*, user: User, device_id: int, ip: str | None = None) -> bool:
    """Remove an app, and with the last strong factor the backup codes. False where it was removed already."""
    with transaction.atomic():
        one_at_a_time(user)
        device = Authenticator.objects.filter(user=user, pk=device_id, confirmed=True).first()
        if device is None or not Authenticator.objects.filter(pk=device.pk).delete()[0]:
            return False
        if not has_strong_factor(user):
            BackupCodeSet.objects.filter(user=user).delete()
        event = audit.record(audit.Kind.FACTOR_REMOVED, user=user, ip=ip, factor=_FACTOR, name=device.name)
        tell_owner(user, event, everywhere=True)
    return True


def rename_authenticator(*, user: User, device_id: int, name: str) -> bool:
    """A name is for its owner only; nothing goes by it. False where the app was removed meanwhile."""
    mine = Authenticator.objects.filter(user=user, pk=device_id, confirmed=True)
    return bool(mine.update(name=name))


def replace_backup_codes(*, user: User, ip: str | None = None) -> list[str]:
    """Ten new backup codes; the earlier ones no longer work."""
    with transaction.atomic():
        one_at_a_time(user)
        codes = make_backup_codes(user)
        tell_owner(user, audit.record(audit.Kind.BACKUP_CODES_MADE, user=user, ip=ip))
    return codes


def one_at_a_time(user: User) -> None:
    """Changes of one person's factors wait for each other: what is the first or the last one is decided once."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def backup_codes_left(user: User) -> bool:
    return BackupCodeSet.objects.filter(user=user, codes__used_at=None).exists()
