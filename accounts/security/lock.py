"""This wasn't me: the owner locks the account, and opens it again by choosing a new password."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.factors.notices import tell_owner
from accounts.models import SecurityEvent, User
from accounts.security.models import Session, TrustedBrowser
from accounts.stepup.challenges import end_all_of


def lock_account(
    *, user: User, event: SecurityEvent | None = None, ip: str | None = None, now: datetime | None = None
) -> bool:
    """Nobody is signed in any more, and nobody signs in. False where it is locked already.

    `event` is what the owner says not to have done. User.get_session_auth_hash keeps out whoever was about to get in
    at this very moment.
    """
    now = now or timezone.now()
    with transaction.atomic():
        if not User.objects.filter(pk=user.pk, locked_at=None).update(locked_at=now):
            return False
        about: dict[str, Any] = {"about": event.pk, "was": event.kind} if event else {}
        locked = audit.record(audit.Kind.ACCOUNT_LOCKED, user=user, ip=ip, **about)
        end_all_of(user, now)
        Session.objects.filter(user=user).delete()
        TrustedBrowser.objects.filter(user=user, revoked_at=None).update(revoked_at=now)
        tell_owner(user, locked, everywhere=True)
    user.locked_at = now
    return True


def unlock(*, user: User, ip: str | None = None) -> None:
    """Called in the transaction that gives the account a new password by a proof, of which the owner is told."""
    if User.objects.filter(pk=user.pk, locked_at__isnull=False).update(locked_at=None):
        audit.record(audit.Kind.ACCOUNT_UNLOCKED, user=user, ip=ip)
    user.locked_at = None
