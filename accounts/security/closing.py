"""Closing an account: what names the person goes, what was bought and what happened stays."""

from datetime import datetime
from uuid import uuid4

from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from accounts import audit
from accounts.factors.notices import tell_owner
from accounts.factors.registry import all_factors
from accounts.models import User
from accounts.security.models import Session, TrustedBrowser
from accounts.stepup import grants
from accounts.stepup.digest import own_digest
from accounts.stepup.models import Purpose

# Sent with `user` in the transaction that closes the account, to whoever keeps something else of the person.
account_closed = Signal()


class StaffAccount(Exception):
    """The shop's own people are let go by the shop, in the admin."""


def close_account(*, user: User, browser: str, ip: str | None, now: datetime | None = None) -> None:
    """Use the proof up and close the account; all its sessions end. Raises grants.NoGrant, StaffAccount.

    The notices are addressed before the mailbox is forgotten, and so arrive. The name to sign in with becomes one that
    nobody can type, so the e-mail and the phone are free for a new account.
    """
    now = now or timezone.now()
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if user.is_staff:
            raise StaffAccount
        digest = own_digest(Purpose.CLOSE_ACCOUNT, user.pk)
        grants.use(browser=browser, purpose=Purpose.CLOSE_ACCOUNT, digest=digest, user=user, now=now)
        tell_owner(user, audit.record(audit.Kind.ACCOUNT_CLOSED, user=user, ip=ip), everywhere=True)
        account_closed.send(sender=User, user=user)
        for factor in all_factors():
            factor.model._default_manager.filter(user=user).delete()
        Session.objects.filter(user=user).delete()
        TrustedBrowser.objects.filter(user=user).delete()
        user.addresses.all().delete()
        user.email_changes.all().delete()
        user.email, user.phone, user.name = f"{uuid4().hex}@closed.invalid", None, ""
        user.is_active, user.preferred_device = False, ""
        user.set_unusable_password()
        user.save()
