"""The session engine: Django's, in PostgreSQL, which also keeps whose a session is and where it was used last.

It costs ordinary pages no query: what it adds is in the row that is read anyway. Only the time of the last use is an
UPDATE more, every five minutes at most.
"""

from datetime import datetime, timedelta
from typing import Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from accounts.security.models import Session

REFRESHED = timedelta(minutes=5)


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
