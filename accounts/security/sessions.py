"""The session engine: Django's, in PostgreSQL, which also keeps whose a session is and where it was used last.

It costs ordinary pages no query: what it adds is in the row that is read anyway. Only the time of the last use is an
UPDATE more, every five minutes at most.
"""

from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.factors.notices import tell_owner
from accounts.models import User
from accounts.security.devices import device_name
from accounts.security.models import Session

REFRESHED = timedelta(minutes=5)
MOST_SHOWN = 50


class SessionStore(DatabaseStore):
    """Knows its visitor by what the middleware tells."""

    ip: str | None = None
    user_agent: str | None = None  # None where no browser is at the other end, as in a test or a shell
    _row: Session | None = None

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def load(self) -> dict[str, Any]:
        self._row = Session.objects.filter(session_key=self.session_key, expire_date__gt=timezone.now()).first()
        if self._row is None:
            self._session_key = None
            return {}
        return self.decode(self._row.session_data)

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        row = cast(Session, super().create_model_instance(data))
        row.user_id = data.get(SESSION_KEY)
        before = self._row if self._row and self._row.session_key == row.session_key else None
        if before:
            row.handle = before.handle
            row.ip, row.user_agent = before.ip, before.user_agent
        if self.user_agent is not None:
            row.ip, row.user_agent = self.ip, self.user_agent
        self._row = row
        return row

    def note_use(self, now: datetime | None = None) -> None:
        """Keep when and where a signed-in session was used last."""
        now, row = now or timezone.now(), self._row
        if row is None or row.user_id is None or row.session_key != self.session_key:
            return
        if now - row.last_used_at >= REFRESHED:
            Session.objects.filter(pk=row.pk).update(ip=self.ip, user_agent=self.user_agent or "", last_used_at=now)


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
