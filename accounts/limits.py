"""Counters in the database, so that a flushed cache lifts no limit. One statement decides, so threads can't overrun."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from accounts.models import Counter

# Takes one if the window has room (or is over, and begins anew); gives back no row if not.
_TAKE = """
INSERT INTO accounts_counter AS c (scope, key, window_started_at, spent) VALUES (%(scope)s, %(key)s, %(now)s, 1)
ON CONFLICT (scope, key) DO UPDATE SET
    spent = CASE WHEN c.window_started_at <= %(over)s THEN 1 ELSE c.spent + 1 END,
    window_started_at = CASE WHEN c.window_started_at <= %(over)s THEN %(now)s ELSE c.window_started_at END
WHERE c.window_started_at <= %(over)s OR c.spent < %(limit)s
RETURNING spent
"""

# The same for several counters at once, each with a limit and a window of its own. They are locked in their order, so
# that two who take the same ones never wait for each other in a ring.
_TAKE_ALL = """
WITH asked (place, scope, key, over, most) AS (VALUES {rows})
INSERT INTO accounts_counter AS c (scope, key, window_started_at, spent)
SELECT scope, key, %s, 1 FROM asked WHERE most > 0 ORDER BY place
ON CONFLICT (scope, key) DO UPDATE SET
    spent = CASE WHEN c.window_started_at <= (SELECT over FROM asked a WHERE a.scope = c.scope) THEN 1
        ELSE c.spent + 1 END,
    window_started_at = CASE WHEN c.window_started_at <= (SELECT over FROM asked a WHERE a.scope = c.scope)
        THEN excluded.window_started_at ELSE c.window_started_at END
WHERE c.window_started_at <= (SELECT over FROM asked a WHERE a.scope = c.scope)
    OR c.spent < (SELECT most FROM asked a WHERE a.scope = c.scope)
RETURNING scope
"""
_ROW = "(%s::int, %s::varchar, %s::varchar, %s::timestamptz, %s::int)"


@dataclass(frozen=True)
class Demand:
    """One of `limit` in `window`, for `take_all`."""

    scope: str
    key: str
    limit: int
    window: timedelta


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def take(scope: str, key: str, *, limit: int, window: timedelta, now: datetime | None = None) -> bool:
    """Spend one of `limit` in the running `window`; False where none is left. The key is kept as a hash."""
    now = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"scope": scope, "key": _hashed(key), "now": now, "over": now - window, "limit": limit})
        return cursor.fetchone() is not None


def take_all(demands: Sequence[Demand], *, now: datetime | None = None) -> list[str]:
    """Spend one of each; the scopes of those that have none left. Then the caller has to roll back the others.

    The order of the demands is the order of the locks: what everybody takes comes last. Each has its own scope.
    """
    now = now or timezone.now()
    if not demands:
        return []
    values: list[Any] = []
    for place, each in enumerate(demands):
        values += [place, each.scope, _hashed(each.key), now - each.window, each.limit]
    with connection.cursor() as cursor:
        # The statement is ours, and the rows in it are only placeholders.
        cursor.execute(_TAKE_ALL.format(rows=", ".join([_ROW] * len(demands))), [*values, now])
        taken = {scope for (scope,) in cursor.fetchall()}
    return [each.scope for each in demands if each.scope not in taken]


def give_back(scope: str, key: str, count: int = 1) -> None:
    """Return what was taken and turned out to be honest."""
    Counter.objects.filter(scope=scope, key=_hashed(key)).update(spent=Greatest(F("spent") - count, 0))


def forget(scope: str, key: str) -> None:
    Counter.objects.filter(scope=scope, key=_hashed(key)).delete()


def ends_at(scope: str, key: str, *, window: timedelta) -> datetime | None:
    """When the running window ends, or None where none runs."""
    started = Counter.objects.filter(scope=scope, key=_hashed(key)).values_list("window_started_at", flat=True).first()
    return started + window if started else None


def spent(scope: str, key: str, *, window: timedelta, now: datetime | None = None) -> int:
    """How much of the running window is spent."""
    running = Counter.objects.filter(
        scope=scope, key=_hashed(key), window_started_at__gt=(now or timezone.now()) - window
    )
    return running.values_list("spent", flat=True).first() or 0
