"""Is this process alive, and may people be sent to it? For load balancers and the like.

They ask by address, without TLS, every few seconds: so both are answered before everything else, without a session,
without a redirect to https and for whatever host they ask.
"""

from collections.abc import Callable
from functools import cache

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.delivery.queues import CODES, held

WELL, DEGRADED, BAD = "ok", "degraded", "unavailable"


@login_not_required
@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """The process answers. It touches nothing else: a process is not started anew because its database is away."""
    return _answer(request, {"status": WELL})


@login_not_required
@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """Whether people may be sent here.

    Without the broker they may: a catalogue, a cart, a sign-in by app, passkey or backup code need none, and codes by
    text and mail leave when it is back. To take every process out at once would turn a late code into no shop at all.
    """
    try:
        missing = _migrations_missing()
    except (DatabaseError, InterfaceError):
        return _answer(request, {"status": BAD, "database": "out of reach"})
    if missing:
        return _answer(request, {"status": BAD, "database": "not migrated"})
    broker = held(CODES) is not None
    return _answer(
        request,
        {"status": WELL if broker else DEGRADED, "database": WELL, "broker": WELL if broker else "out of reach"},
    )


def _migrations_missing() -> bool:
    """Asked each time until the answer is no; what has been migrated stays so while this process runs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if _migrated():
        return False
    _migrated.cache_clear()
    return True


@cache
def _migrated() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _answer(request: HttpRequest, said: dict[str, str]) -> HttpResponse:
    status = 503 if said["status"] == BAD else 200
    if request.accepts("text/plain") and not request.accepts("text/html"):
        lines = "".join(f"{name}: {value}\n" for name, value in said.items())
        return HttpResponse(lines, status=status, content_type="text/plain; charset=utf-8")
    return JsonResponse(said, status=status)


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/health/live": live, "/health/ready": ready}


class ProbesFirst:
    """Middleware, the first one. The same views stand in urls.py, for who reads there which pages there are."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return PROBES.get(request.path_info, self.get_response)(request)
