"""A recovery as the person who asks for it goes through it, and as two of staff confirm it."""

from datetime import datetime, timedelta
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.security import recovery
from accounts.security.models import Confirmation, Recovery
from tests.accounts.sign_in.steps import type_code

NEW = "another whale of a password"
REASON = "Knew the last two orders and the address."
CONTACT = "ada.new@example.org"


def ask(client: Client, name: str = "ada@example.org", contact: str = CONTACT) -> Any:
    return client.post(reverse("sign_in:recovery"), {"name": name, "contact": contact})


def open_one(client: Client, name: str = "ada@example.org", contact: str = CONTACT) -> Recovery:
    ask(client, name, contact)
    client.get(type_code(client).url)
    recovery.advance()
    return Recovery.objects.latest("opened_at")


def confirmed_by(found: Recovery, *staff: Any) -> Recovery:
    """As if each had given a proof for it, which tests/shop/support does."""
    for each in staff:
        Confirmation.objects.create(recovery=found, staff=each, reason=REASON)
    Recovery.objects.filter(pk=found.pk).update(confirmations=len(staff))
    found.refresh_from_db()
    return found


def is_due(found: Recovery, now: datetime | None = None) -> None:
    """Three days have passed."""
    now = now or timezone.now()
    Recovery.objects.filter(pk=found.pk).update(
        opened_at=now - recovery.DELAY - timedelta(minutes=1), effective_at=now - timedelta(minutes=1)
    )


def prove_again(client: Client, contact: str = CONTACT) -> Any:
    client.post(reverse("sign_in:recovery_finish"), {"contact": contact})
    return client.get(type_code(client).url)


def choose_password(client: Client, password: str = NEW) -> Any:
    return client.post(reverse("sign_in:recovery_password"), {"password": password})


def has_the_account(user: Any) -> bool:
    user.refresh_from_db()
    return bool(user.check_password(NEW))
