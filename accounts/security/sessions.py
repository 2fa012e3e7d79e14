"""Where a person is signed in: the list of it, and signing out elsewhere."""

from datetime import datetime
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.factors.notices import tell_owner
from accounts.models import User
from accounts.security.devices import device_name
from accounts.security.models import Session

MOST_SHOWN = 50


def sessions_of(user: User, now: datetime | None = None) -> list[Session]:
    """Where this person is signed in, the latest use first.

    A row may outlive what it stands for: a change of the password ends a session at its next request.
    """
    ties = {user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()}
    rows = Session.objects.filter(user=user, expire_date__gt=now or timezone.now()).order_by("-last_used_at", "pk")
    return [row for row in rows[:MOST_SHOWN] if row.get_decoded().get(HASH_SESSION_KEY) in ties]


def end_session(*, user: User, handle: UUID, own_key: str | None, ip: str | None = None) -> bool:
    """Sign one browser out, which is not the one that asks. False where it is out already."""
    with transaction.atomic():
        others = Session.objects.filter(user=user, handle=handle).exclude(session_key=own_key)
        row = others.first()
        if row is None or not others.delete()[0]:
            return False
        event = audit.record(audit.Kind.SESSIONS_ENDED, user=user, ip=ip, device=device_name(row.user_agent))
        tell_owner(user, event)
    return True


def end_other_sessions(*, user: User, own_key: str | None, ip: str | None = None) -> bool:
    """Sign all other browsers out. False where there are none."""
    with transaction.atomic():
        if not Session.objects.filter(user=user).exclude(session_key=own_key).delete()[0]:
            return False
        tell_owner(user, audit.record(audit.Kind.SESSIONS_ENDED, user=user, ip=ip))
    return True
