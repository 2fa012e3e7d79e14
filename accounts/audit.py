"""The security events: written at once, sealed into a hash chain a minute later, verified on demand."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest

from accounts.models import EventSeal, SecurityEvent, User
from accounts.net import client_ip

Kind = SecurityEvent.Kind
_SEALING = 7_411_905_201  # the advisory lock under which one process at a time extends the chain


def record(
    kind: SecurityEvent.Kind,
    *,
    user: User | None = None,
    contact: str = "",
    actor: User | None = None,
    request: HttpRequest | None = None,
    ip: str | None = None,
    **detail: Any,
) -> SecurityEvent:
    """Append one security event. `detail` is shown to the owner and to support, so it never holds a secret."""
    ip = client_ip(request) if request else ip
    return SecurityEvent.objects.create(kind=kind, user=user, contact=contact, actor=actor, ip=ip, detail=detail)


def seal_new(limit: int = 5000) -> int:
    """Extend the chain by the events not yet in it; the number sealed.

    Events are sealed in the order of their ids, but an event whose transaction commits late simply joins later: the
    chain follows the order of sealing.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SEALING])
        last = EventSeal.objects.order_by("-position").first()
        digest = last.digest if last else ""
        sealed = EventSeal.objects.filter(event_id=OuterRef("pk"))
        seals = []
        for event in SecurityEvent.objects.filter(~Exists(sealed)).order_by("id")[:limit]:
            digest = _link(digest, event)
            seals.append(EventSeal(event_id=event.pk, digest=digest))
        EventSeal.objects.bulk_create(seals)
        return len(seals)


def breaks() -> Iterator[str]:
    """Walk the chain and tell each place where an event is missing or was edited."""
    digest = ""
    for seal in EventSeal.objects.order_by("position").iterator():
        event = SecurityEvent.objects.filter(pk=seal.event_id).first()
        if event is None:
            yield f"seal {seal.position}: event {seal.event_id} is missing"
        elif _link(digest, event) != seal.digest:
            yield f"seal {seal.position}: event {seal.event_id} or a seal before it was edited"
        digest = seal.digest


def _link(previous: str, event: SecurityEvent) -> str:
    line = json.dumps(
        [
            previous,
            event.pk,
            event.at.isoformat(),
            event.kind,
            event.user_id,
            event.contact,
            event.actor_id,
            event.detail,
            event.ip,
        ],
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(line.encode()).hexdigest()
