"""Changed rules tried on the orders of the past: what would have been asked for, before anything is switched on.

It decides anew on the facts that were kept with each approval, so it knows what was known then and nothing more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.factors.base import Strength
from accounts.stepup.risk import WORDS, Decision, Facts, Rules, decide
from shop.order.models import Order

SPARED, ASKED, ASKED_FOR_MORE = "spared", "asked", "asked_for_more"
OUTCOMES: dict[str, str | Promise] = {
    SPARED: _("spared"),
    ASKED: _("asked for a proof"),
    ASKED_FOR_MORE: _("asked for a stronger proof"),
}


@dataclass
class Tally:
    orders: int = 0
    amount: Decimal = Decimal(0)

    def add(self, amount: Decimal) -> None:
        self.orders += 1
        self.amount += amount


@dataclass
class Count:
    """By today's rules and by the changed ones."""

    words: str | Promise
    today: Tally = field(default_factory=Tally)
    changed: Tally = field(default_factory=Tally)

    @property
    def difference(self) -> int:
        return self.changed.orders - self.today.orders


@dataclass(frozen=True)
class Replay:
    replayed: Tally
    without_facts: Tally
    outcomes: list[Count]
    by_rule: list[Count]


def replay(*, today: Rules, changed: Rules, since: datetime) -> Replay:
    """Over all orders that were approved since then, in one query."""
    replayed, without_facts = Tally(), Tally()
    outcomes = {code: Count(words) for code, words in OUTCOMES.items()}
    by_rule = {code: Count(words) for code, words in WORDS.items()}
    for amount, facts in _approvals(since):
        if facts is None:
            without_facts.add(amount)
            continue
        replayed.add(amount)
        for rules, side in ((today, "today"), (changed, "changed")):
            decision = decide(facts, rules)
            getattr(outcomes[_outcome(decision)], side).add(amount)
            for reason in decision.reasons:
                getattr(by_rule[reason], side).add(amount)
    used = [count for count in by_rule.values() if count.today.orders or count.changed.orders]
    return Replay(replayed, without_facts, list(outcomes.values()), used)


def _approvals(since: datetime) -> Iterable[tuple[Decimal, Facts | None]]:
    kept = Order.objects.filter(placed_at__gte=since).values_list("total", "grant__challenge__facts")
    for amount, facts in kept.iterator(chunk_size=2000):
        try:
            yield amount, Facts.from_plain(facts or {})
        except ValueError:
            yield amount, None


def _outcome(decision: Decision) -> str:
    if not decision.ask:
        return SPARED
    return ASKED_FOR_MORE if decision.least > Strength.EMAIL else ASKED
