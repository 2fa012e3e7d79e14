"""The password of a sign-in. A name that is unknown and a password that is wrong look, cost and last the same."""

from datetime import datetime, timedelta

from django.contrib.auth import authenticate
from django.utils import timezone

from accounts import audit, limits
from accounts.models import User
from accounts.phones import parse_phone

# How many passwords may be tried: (limit, window). Fifty an hour leave a family or an office behind one address alone.
TRIES_A_NAME = (10, timedelta(minutes=15))
TRIES_AN_ADDRESS = (50, timedelta(hours=1))
_NAME, _ADDRESS = "passwords for a name", "passwords from an address"


class WrongPassword(Exception):
    """Name and password don't go together; which of them is wrong is not told."""


class TooManyPasswords(Exception):
    """No more passwords are looked at for this name or from this address before `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.until = until


def check_password(*, name: str, password: str, ip: str | None, now: datetime | None = None) -> User:
    """The person of this name and password. Raises WrongPassword, TooManyPasswords.

    The try is paid for before the password is compared; a right one gets it back.
    """
    now = now or timezone.now()
    key = _key(name)
    if ip:
        _pay(_ADDRESS, ip, *TRIES_AN_ADDRESS, now)
    _pay(_NAME, key, *TRIES_A_NAME, now)
    user = authenticate(username=name, password=password)
    if not isinstance(user, User):
        # Written for an unknown name too (naming nobody), so that both cost the same.
        audit.record(audit.Kind.PASSWORD_REFUSED, user=_known(name), ip=ip)
        raise WrongPassword
    limits.give_back(_NAME, key)
    if ip:
        limits.give_back(_ADDRESS, ip)
    return user


def forgive(user: User) -> None:
    """The owner chose a new password: what was tried before is history."""
    for name in (user.email, user.phone):
        if name:
            limits.forget(_NAME, _key(str(name)))


def _pay(scope: str, key: str, limit: int, window: timedelta, now: datetime) -> None:
    if not limits.take(scope, key, limit=limit, window=window, now=now):
        raise TooManyPasswords(limits.ends_at(scope, key, window=window) or now + window)


def _key(name: str) -> str:
    """One key for all forms in which one name is typed."""
    typed = name.strip().lower()
    return typed if "@" in typed else parse_phone(typed) or typed


def _known(name: str) -> User | None:
    try:
        return User.objects.get_by_natural_key(name)
    except User.DoesNotExist:
        return None
