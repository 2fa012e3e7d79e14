"""The shop's approval rules, as they are kept: read, and changed with a record of who changed what."""

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from accounts.stepup import sparing
from accounts.stepup.models import ApprovalRules
from accounts.stepup.risk import Rules

FIELDS = tuple(Rules.__dataclass_fields__)


def current() -> Rules:
    return rules_of(ApprovalRules.objects.first() or ApprovalRules())


def rules_of(row: ApprovalRules) -> Rules:
    return Rules(**{name: getattr(row, name) for name in FIELDS})


def change(*, new: Rules, actor: User, ip: str | None = None, now: datetime | None = None) -> bool:
    """Keep the new rules; False where they are the same. What was spared under the old ones and isn't paid is void."""
    with transaction.atomic():
        ApprovalRules.objects.get_or_create(pk=1)
        row = ApprovalRules.objects.select_for_update().get(pk=1)
        old = _plain(rules_of(row))
        if old == _plain(new):
            return False
        for name, value in asdict(new).items():
            setattr(row, name, value)
        row.save()
        sparing.void_all(now or timezone.now())
        audit.record(audit.Kind.POLICY_CHANGED, actor=actor, ip=ip, old=old, new=_plain(new))
    return True


def _plain(rules: Rules) -> dict[str, Any]:
    return {name: f"{value:.2f}" if isinstance(value, Decimal) else int(value) for name, value in asdict(rules).items()}
