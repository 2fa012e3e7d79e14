"""Approving a payment by rule: a grant without a question.

It is a row like any other grant, bound to the same browser, person and digest, and used up in the same transaction;
only its challenge was passed by a rule instead of a code.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.stepup import codes, grants, policy
from accounts.stepup.challenges import Asker, one_at_a_time
from accounts.stepup.credentials import credentials_of
from accounts.stepup.models import BY_RULE, Challenge, Grant, Purpose


class NotSparable(Exception):
    """Guests and staff are always asked, and so is whoever has proven nothing strong in this session."""


def last_strong_proof(*, browser: str, user: Any, least: int) -> Grant | None:
    """The latest proof of this person in this session that was at least so strong.

    What a rule spared is none, nor is the code to a new e-mail or phone: anybody's will do for that.
    """
    proofs = Grant.objects.filter(user=user, browser=browser, strength__gte=least)
    proofs = proofs.exclude(factor=BY_RULE).exclude(purpose=Purpose.NEW_CONTACT)
    return proofs.order_by("-granted_at").first()


def spare(
    *,
    asker: Asker,
    purpose: str,
    digest: bytes,
    next_path: str,
    strength: int,
    reasons: Sequence[str],
    facts: Mapping[str, Any],
    summary: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> Challenge:
    """The passed challenge of a grant by rule. A person has one that isn't used yet; a newer one makes it void.

    `strength` is that of the session's last proof. Raises NotSparable.
    """
    now = now or timezone.now()
    if asker.user is None or asker.contact or policy.person(asker.user) != policy.Person.SHOPPER:
        raise NotSparable
    with transaction.atomic():
        one_at_a_time(asker.browser, purpose)
        one_at_a_time(f"rule {asker.user.pk}", purpose)
        unused = grants.find(browser=asker.browser, purpose=purpose, digest=digest, user=asker.user, now=now)
        if unused:
            return unused.challenge
        mine = Challenge.objects.filter(browser=asker.browser, purpose=purpose, state=Challenge.State.LIVE)
        mine.update(state=Challenge.State.SUPERSEDED)
        _void(now, user=asker.user)
        expires_at = now + policy.rule(purpose, asker.user).grant_life
        challenge = Challenge.objects.create(
            user=asker.user,
            browser=asker.browser,
            purpose=purpose,
            context_digest=digest,
            summary=dict(summary or {}),
            next_path=next_path,
            reasons=list(reasons),
            facts=facts,
            credentials=credentials_of(asker.user),
            factor=BY_RULE,
            code_key=codes.current_key_id(),
            state=Challenge.State.PASSED,
            attempts_left=0,
            requested_at=now,
            expires_at=expires_at,
            passed_at=now,
        )
        Grant.objects.create(
            challenge=challenge,
            user=asker.user,
            browser=asker.browser,
            purpose=purpose,
            context_digest=digest,
            factor=BY_RULE,
            strength=strength,
            granted_at=now,
            expires_at=expires_at,
        )
        audit.record(
            audit.Kind.APPROVAL_SPARED,
            user=asker.user,
            ip=asker.ip,
            purpose=purpose,
            reasons=list(reasons),
            amount=challenge.summary.get("amount", ""),
        )
    return challenge


def void_all(now: datetime) -> None:
    """The rules have changed: what they spared and nobody paid yet is asked for again."""
    _void(now)


def _void(now: datetime, **whose: Any) -> None:
    Grant.objects.filter(factor=BY_RULE, used_at=None, expires_at__gt=now, **whose).update(expires_at=now)
