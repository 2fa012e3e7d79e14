"""How proofs do, in numbers: which codes were typed, and what became of the payments that asked for one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q
from django.utils import timezone

from accounts.delivery.models import Message
from accounts.stepup.models import BY_RULE, Challenge, Purpose

# Who asks again within this time still wants the same thing.
SAME_PURCHASE = timedelta(hours=1)


_PASSED = """
SELECT channel, provider, country, carrier, count(*)
FROM (
    SELECT DISTINCT ON (m.challenge_id) m.channel, m.provider, m.country, m.carrier
    FROM delivery_message m
    JOIN stepup_challenge c ON c.id = m.challenge_id
    JOIN stepup_grant g ON g.challenge_id = m.challenge_id
    WHERE m.queued_at >= %(since)s AND m.queued_at < %(until)s AND m.kind = %(code)s
      AND c.state = %(passed)s AND g.factor = m.channel AND m.queued_at <= c.passed_at
      AND coalesce(m.handed_over_at, m.sent_at, m.delivered_at) IS NOT NULL
    ORDER BY m.challenge_id, m.send_number DESC
) typed
GROUP BY channel, provider, country, carrier
"""


def passed_by_all(since: datetime, until: datetime) -> dict[tuple[str, ...], int]:
    """Codes that were typed, by the dimensions of their message.

    The same code may have gone out several times. It counts for one message: of those by the channel by which the
    challenge was passed, the last one that had left by then.
    """
    given: dict[str, Any] = {
        "since": since,
        "until": until,
        "code": Message.Kind.CODE,
        "passed": Challenge.State.PASSED,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PASSED, given)
        return {tuple(key): count for *key, count in cursor.fetchall()}


@dataclass(frozen=True)
class Payments:
    """Payments that asked for a proof, each in one of these."""

    ordered: int
    not_ordered: int
    abandoned: int
    under_way: int

    @property
    def begun(self) -> int:
        return self.ordered + self.not_ordered + self.abandoned + self.under_way

    @property
    def abandoned_share(self) -> float | None:
        over = self.begun - self.under_way
        return self.abandoned / over if over else None


_PAYMENTS = """
WITH begun AS (
    SELECT c.requested_at, c.expires_at, c.state, c.factor, g.used_at IS NOT NULL AS ordered,
           g.expires_at AS good_until,
           lead(c.requested_at) OVER (PARTITION BY c.browser ORDER BY c.requested_at, c.id) AS next_at
    FROM stepup_challenge c LEFT JOIN stepup_grant g ON g.challenge_id = c.id
    WHERE c.purpose = %(pay)s AND c.requested_at >= %(since)s AND c.requested_at < %(until)s + %(hour)s
), payment AS (
    SELECT ordered, state = %(passed)s AS passed,
           NOT ordered AND (state = %(live)s AND expires_at > %(now)s
                            OR state = %(passed)s AND good_until > %(now)s) AS under_way
    FROM begun
    WHERE requested_at < %(until)s AND factor <> %(by_rule)s
      AND (ordered OR next_at IS NULL OR next_at > requested_at + %(hour)s)
)
SELECT count(*) FILTER (WHERE ordered),
       count(*) FILTER (WHERE passed AND NOT ordered AND NOT under_way),
       count(*) FILTER (WHERE NOT passed AND NOT under_way),
       count(*) FILTER (WHERE under_way)
FROM payment
"""


def payments(since: datetime, until: datetime, now: datetime | None = None) -> Payments:
    """What became of them.

    A payment is a challenge to approve one that became an order, or after which its browser began no other within the
    hour; earlier ones of the same purchase are tries, and a payment that a rule spared asked for nothing. It is
    abandoned where the challenge was not passed and is over.
    """
    with connection.cursor() as cursor:
        given: dict[str, Any] = {
            "since": since,
            "until": until,
            "now": now or timezone.now(),
            "hour": SAME_PURCHASE,
            "pay": Purpose.PAY,
            "live": Challenge.State.LIVE,
            "passed": Challenge.State.PASSED,
            "by_rule": BY_RULE,
        }
        cursor.execute(_PAYMENTS, given)
        return Payments(*cursor.fetchone())


def by_purpose(since: datetime, until: datetime) -> list[dict[str, Any]]:
    """How many challenges were begun, and how many of them were passed."""
    begun = Challenge.objects.filter(
        purpose__in=Purpose.values, requested_at__gte=since, requested_at__lt=until, decoy=False
    )
    passed = Count("pk", filter=Q(state=Challenge.State.PASSED))
    rows = begun.values("purpose").annotate(begun=Count("pk"), passed=passed).order_by("purpose")
    return [dict(row) for row in rows]


def payments_waiting(now: datetime | None = None) -> int:
    """Payments whose proof is asked for at this moment."""
    now = now or timezone.now()
    live = Challenge.objects.filter(purpose=Purpose.PAY, state=Challenge.State.LIVE, expires_at__gt=now)
    return live.filter(requested_at__gt=now - settings.CHALLENGE_LIFE).count()
