"""The address book. Each change is recorded and told to the owner."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction

from accounts import audit
from accounts.factors.notices import tell_owner
from accounts.models import Address, User

MOST_ADDRESSES = 20


class AlreadySaved(Exception):
    """The person has saved exactly this address before."""


class TooMany(Exception):
    """The person has as many saved addresses as one may have."""


def add_address(*, user: User, fields: Mapping[str, str], ip: str | None = None) -> None:
    """Raises AlreadySaved, TooMany."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if Address.objects.filter(user=user).count() >= MOST_ADDRESSES:
            raise TooMany
        _save(Address(user=user), fields)
        _changed(user, ip)


def change_address(*, user: User, address_id: int, fields: Mapping[str, str], ip: str | None = None) -> None:
    """Raises AlreadySaved, Address.DoesNotExist."""
    with transaction.atomic():
        _save(Address.objects.select_for_update().get(user=user, pk=address_id), fields)
        _changed(user, ip)


def remove_address(*, user: User, address_id: int, ip: str | None = None) -> bool:
    """False where it was removed already."""
    with transaction.atomic():
        if not Address.objects.filter(user=user, pk=address_id).delete()[0]:
            return False
        _changed(user, ip)
    return True


def _save(address: Address, fields: Mapping[str, str]) -> None:
    for name, value in fields.items():
        setattr(address, name, value)
    try:
        with transaction.atomic():
            address.save()
    except IntegrityError:
        raise AlreadySaved from None


def _changed(user: User, ip: str | None) -> None:
    tell_owner(user, audit.record(audit.Kind.ADDRESSES_CHANGED, user=user, ip=ip))
