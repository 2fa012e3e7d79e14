"""What the shop knows of a payment that is about to be approved."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Max, Min, Q, Sum

from accounts.factors.text import Phone
from accounts.models import SecurityEvent, User
from accounts.stepup import policy
from accounts.stepup.challenges import Asker
from accounts.stepup.models import Purpose
from accounts.stepup.risk import DAY, STRONG, Facts
from accounts.stepup.rules import FAILURES
from accounts.stepup.sparing import last_strong_proof
from shop.checkout.quote import ADDRESS_FIELDS, Quote
from shop.order.models import Order

Kind = SecurityEvent.Kind
# After one of these a browser has to become known anew: whoever paid from it before may have been a thief.
FORGETS_BROWSERS = (
    Kind.PASSWORD_CHANGED, Kind.EMAIL_CHANGED, Kind.PHONE_CHANGED, Kind.FACTOR_ADDED, Kind.FACTOR_REMOVED,
    Kind.ACCOUNT_LOCKED, Kind.TRUST_ENDED, Kind.RECOVERY_DONE,
)  # fmt: skip


def facts_of(*, quote: Quote, asker: Asker, device: str, now: datetime) -> Facts:
    """Raises policy.NoFactor where the person can prove nothing at the moment."""
    user = asker.user
    if user is None or asker.contact:
        return Facts(amount=quote.total, person=policy.Person.GUEST, strongest=STRONG)
    offers = policy.offers(user, Purpose.PAY, now)
    proof = last_strong_proof(browser=asker.browser, user=user, least=STRONG)
    events = _of_the_account(user, now)
    changes = [at for at in (events["phone_changed"], _phone_changed_at(user)) if at]
    recovered = user.strong_payments_until
    return Facts(
        amount=quote.total,
        person=policy.person(user),
        strongest=max(offer.factor.strength for offer in offers),
        strong_proof_age=now - proof.granted_at if proof else None,
        failures_in_a_day=events["failures"],
        phone_changed_ago=now - max(changes) if changes else None,
        after_recovery=recovered is not None and recovered > now,
        **_of_the_orders(user, quote, device, events["forgotten"], now),
    )


def canonical(address: Mapping[str, Any]) -> tuple[str, ...]:
    """The same for one address, however it is typed: case, accents' form, blanks and punctuation don't count.

    >>> canonical({"line1": "Long Lane 1,", "city": "BERLIN"}) == canonical({"line1": "long lane  1", "city": "Berlin"})
    True
    """
    texts = (unicodedata.normalize("NFKC", str(address.get(field, ""))).casefold() for field in ADDRESS_FIELDS)
    return tuple(re.sub(r"[\W_]+", " ", text).strip() for text in texts)


def _of_the_account(user: User, now: datetime) -> dict[str, Any]:
    mine = SecurityEvent.objects.filter(user=user, kind__in=(*FAILURES, *FORGETS_BROWSERS))
    return mine.aggregate(
        failures=Count("pk", filter=Q(kind__in=FAILURES, at__gt=now - DAY)),
        phone_changed=Max("at", filter=Q(kind=Kind.PHONE_CHANGED)),
        forgotten=Max("at", filter=Q(kind__in=FORGETS_BROWSERS)),
    )


def _phone_changed_at(user: User) -> datetime | None:
    """When the newest phone was added to the living account; those it was opened with were never changed."""
    added = Phone.objects.filter(user=user, confirmed=True, approves_payments_from__gt=F("created_at") + DAY)
    rests_until: datetime | None = added.aggregate(last=Max("approves_payments_from"))["last"]
    return rests_until - policy.NEW_PHONE_REST if rests_until else None


def _of_the_orders(user: User, quote: Quote, device: str, forgotten: datetime | None, now: datetime) -> dict[str, Any]:
    """Of the person's paid orders, which are grouped by where they went and which browser they came from."""
    today = Q(placed_at__gt=now - DAY)
    places = list(
        Order.objects.filter(user=user, paid_at__isnull=False)
        .values("device", *ADDRESS_FIELDS)
        .annotate(
            first_paid=Min("paid_at"), last_placed=Max("placed_at"),
            in_a_day=Count("pk", filter=today), spent=Sum("total", filter=today),
        )
        .order_by()
    )  # fmt: skip
    here = canonical({field: getattr(quote.checkout, field) for field in ADDRESS_FIELDS})
    delivered = [place["first_paid"] for place in places if canonical(place) == here]
    paid_here = [place["last_placed"] for place in places if device and place["device"] == device]
    return {
        "has_bought": bool(places),
        "browser_known": any(forgotten is None or at > forgotten for at in paid_here),
        "address_known_for": max(now - min(delivered), timedelta(0)) if delivered else None,
        "orders_in_a_day": sum(place["in_a_day"] for place in places),
        "spent_in_a_day": sum((place["spent"] or Decimal(0) for place in places), Decimal(0)),
    }
