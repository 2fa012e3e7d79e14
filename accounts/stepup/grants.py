"""Grants: what a passed challenge is good for, once."""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import User
from accounts.stepup.credentials import credentials_under_each_key, has_kept_credentials
from accounts.stepup.models import Challenge, Grant


class NoGrant(Exception):
    """There is no unused grant of this browser and person for exactly this. A new proof is needed."""


def find(
    *,
    browser: str,
    purpose: str,
    digest: bytes,
    user: User | None = None,
    contact: str = "",
    now: datetime | None = None,
) -> Grant | None:
    """An unused grant for exactly this, as strong as its challenge asked for, without using it.

    One that was given before the person's password changed is void: whoever got it may be whom the change keeps out.
    """
    grant = (
        Grant.objects.select_related("user", "challenge")
        .filter(
            Q(challenge__least=None) | Q(challenge__least__lte=F("strength")),
            browser=browser,
            purpose=purpose,
            context_digest=digest,
            user=user,
            contact=contact,
            used_at=None,
            expires_at__gt=now or timezone.now(),
        )
        .order_by("-granted_at")
        .first()
    )
    return grant if grant and has_kept_credentials(grant.challenge, grant.user) else None


def use(
    *,
    browser: str,
    purpose: str,
    digest: bytes,
    user: User | None = None,
    contact: str = "",
    now: datetime | None = None,
) -> Grant:
    """Find a grant for exactly this and use it up, in the transaction of what it allows. Raises NoGrant."""
    grant = find(browser=browser, purpose=purpose, digest=digest, user=user, contact=contact, now=now)
    if grant is None:
        raise NoGrant
    use_up(grant, now)
    return grant


def use_up(grant: Grant, now: datetime | None = None) -> None:
    """Both happen, the use and what it allows, or neither; of twenty at once one does. Raises NoGrant."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a grant is used in the transaction of what it allows")
    now = now or timezone.now()
    kept = Challenge.objects.filter(pk=grant.challenge_id, credentials__in=credentials_under_each_key(grant.user))
    unused = Grant.objects.filter(pk=grant.pk, used_at=None, expires_at__gt=now)
    if not unused.filter(challenge_id__in=kept.values("pk")).update(used_at=now):
        raise NoGrant
    grant.used_at = now
