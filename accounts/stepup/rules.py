"""The shop's approval rules, as they are kept: read, and changed with a record of who changed what."""

from dataclasses import asdict, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.factors.base import Strength
from accounts.models import SecurityEvent, User
from accounts.stepup import sparing
from accounts.stepup.models import ApprovalRules, Challenge
from accounts.stepup.risk import DAY, Facts, Rules, decide

FIELDS = tuple(Rules.__dataclass_fields__)
FAILURES = (SecurityEvent.Kind.PROOF_FAILED, SecurityEvent.Kind.PASSWORD_REFUSED)


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


def decided_anew(over: Challenge, now: datetime) -> dict[str, Any]:
    """For `begin`, when an approval is asked for once more: the wrong codes that ended it count, too."""
    same = {"least": over.least, "reasons": over.reasons, "facts": over.facts}
    if over.user is None:
        return same
    try:
        facts = Facts.from_plain(over.facts or {})
    except ValueError:  # not a payment, or one of another version
        return same
    wrong = SecurityEvent.objects.filter(user=over.user, kind__in=FAILURES, at__gt=now - DAY).count()
    facts = replace(facts, failures_in_a_day=wrong)
    decision = decide(facts, current())
    if decision.least <= (over.least or Strength.EMAIL):
        return same
    return {"least": decision.least, "reasons": decision.reasons, "facts": facts.plain()}


def _plain(rules: Rules) -> dict[str, Any]:
    return {name: f"{value:.2f}" if isinstance(value, Decimal) else int(value) for name, value in asdict(rules).items()}
