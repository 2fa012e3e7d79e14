"""What an operator has to look at: one open alarm for each trouble, in the admin and, once, in the log."""

import logging
from datetime import datetime

from django.utils import timezone

from accounts.delivery.models import Alarm

logger = logging.getLogger(__name__)


def raise_alarm(kind: Alarm.Kind, *, about: str, now: datetime | None = None) -> None:
    """Raise it, unless the same one is open already."""
    _alarm, raised = Alarm.objects.get_or_create(
        kind=kind, about=about, ended_at=None, defaults={"raised_at": now or timezone.now()}
    )
    if raised:
        logger.error("Alarm: %s: %s", about, kind.label)


def end_alarm(kind: Alarm.Kind, *, about: str, now: datetime | None = None) -> None:
    if Alarm.objects.filter(kind=kind, about=about, ended_at=None).update(ended_at=now or timezone.now()):
        logger.warning("Alarm over: %s: %s", about, kind.label)
