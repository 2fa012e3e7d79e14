"""Who can be anybody in the demo. Made only with DEMO=1; their password is no secret."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from accounts.factors.authenticator import Authenticator
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import Address, User

PASSWORD = "demo demo demo"  # noqa: S105
# Staff of support get their one right from being in it: the console. It gives none in the admin.
SUPPORT = "Support"


@dataclass(frozen=True)
class DemoPerson:
    name: str
    about: str
    email: str | None = None
    phone: str | None = None
    address: dict[str, str] = field(default_factory=dict)
    is_staff: bool = False
    is_superuser: bool = False

    @property
    def signs_in_as(self) -> str:
        return self.email or self.phone or ""


PEOPLE = (
    DemoPerson(
        name="Ada Long",
        about="a shopper; codes come by e-mail or text",
        email="ada@example.org",
        phone="+4915123456789",
        address={"line1": "Lindenstraße 7", "postcode": "10969", "city": "Berlin", "country": "DE"},
    ),
    DemoPerson(
        name="Cleo Tall",
        about="a shopper without an e-mail address; codes come by text",
        phone="+4915198765432",
        address={"line1": "Am Kai 12", "postcode": "20457", "city": "Hamburg", "country": "DE"},
    ),
    DemoPerson(name="Sam", about="support; code from the authenticator", email="sam@example.org", is_staff=True),
    DemoPerson(
        name="Rita",
        about="runs the shop; code from the authenticator",
        email="rita@example.org",
        is_staff=True,
        is_superuser=True,
    ),
)


def create_people() -> int:
    """Those who are not there yet; how many that were."""
    return sum(_create(person) for person in PEOPLE)


def authenticators() -> Iterator[Authenticator]:
    """Those of the demo's people. Nobody else's code is ever shown."""
    emails = [person.email for person in PEOPLE if person.email]
    yield from (
        Authenticator.objects.filter(confirmed=True, user__email__in=emails)
        .select_related("user")
        .order_by("user__name", "pk")
    )


@transaction.atomic
def _create(person: DemoPerson) -> bool:
    named: dict[str, Any] = {"email": person.email} if person.email else {"phone": person.phone}
    if User.objects.filter(**named).exists():
        return False
    user = User.objects.create_user(
        email=person.email,
        phone=person.phone,
        password=PASSWORD,
        name=person.name,
        is_staff=person.is_staff,
        is_superuser=person.is_superuser,
    )
    if person.email:
        Mailbox.objects.create(user=user, name=person.email, address=person.email)
    if person.phone:
        Phone.objects.create(user=user, name=person.phone, number=person.phone)
    if person.address:
        Address.objects.create(user=user, name=person.name, **person.address)
    if person.is_staff:
        Authenticator.objects.create(user=user, name="Demo authenticator", confirmed=True)
    if person.is_staff and not person.is_superuser:
        group = Group.objects.get_or_create(name=SUPPORT)[0]
        group.permissions.add(Permission.objects.get(content_type__app_label="delivery", codename="support_people"))
        user.groups.add(group)
    return True
