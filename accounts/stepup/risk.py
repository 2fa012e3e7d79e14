"""Whether a payment is asked for a proof, and for how strong a one. Arithmetic only: no database, no request, no clock.

A shop may spare a payment by rule: it is small, and the browser, the address and the person are known, all four. It
can't choose not to tighten: where something is unusual a stronger proof is asked for, whatever else is known. The
numbers are the shop's (`Rules`), the facts of one payment come from whoever takes it (`Facts`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.factors.base import Strength

DAY = timedelta(days=1)
# A proof is strong, and makes its session known, from here on.
STRONG = Strength.TEXT


class Reason:
    """The codes that are kept with a challenge. They are data: rename none."""

    # Why a payment was spared; all four hold.
    SMALL = "small"
    KNOWN_BROWSER = "known_browser"
    KNOWN_ADDRESS = "known_address"
    RECENT_PROOF = "recent_proof"
    # Why it was asked for, as payments are.
    ALWAYS = "always"
    GUEST = "guest"
    STAFF = "staff"
    NOT_SMALL = "not_small"
    UNKNOWN_BROWSER = "unknown_browser"
    UNKNOWN_ADDRESS = "unknown_address"
    NO_RECENT_PROOF = "no_recent_proof"
    # Why a stronger proof was asked for.
    NEW_PLACE = "new_place"
    FAILURES = "failures"
    PHONE_CHANGED = "phone_changed"
    MANY_ORDERS = "many_orders"
    MUCH_MONEY = "much_money"
    AFTER_RECOVERY = "after_recovery"
    # ... and why a weaker one than that had to do.
    NOTHING_STRONGER = "nothing_stronger"


SPARES = (Reason.SMALL, Reason.KNOWN_BROWSER, Reason.KNOWN_ADDRESS, Reason.RECENT_PROOF)
TIGHTENS = {
    # A text to the phone that is in doubt proves nothing, and a code by mail is what a guesser of codes tries.
    Reason.NEW_PLACE: Strength.TEXT,
    Reason.FAILURES: Strength.AUTHENTICATOR,
    Reason.PHONE_CHANGED: Strength.AUTHENTICATOR,
    Reason.MANY_ORDERS: Strength.TEXT,
    Reason.MUCH_MONEY: Strength.TEXT,
    Reason.AFTER_RECOVERY: Strength.AUTHENTICATOR,
}
WORDS: dict[str, str | Promise] = {
    Reason.SMALL: _("a small amount"),
    Reason.KNOWN_BROWSER: _("a browser that paid here before"),
    Reason.KNOWN_ADDRESS: _("an address that was delivered to before"),
    Reason.RECENT_PROOF: _("a strong proof a short while ago"),
    Reason.ALWAYS: _("payments are always asked for"),
    Reason.GUEST: _("a guest, who is always asked"),
    Reason.STAFF: _("a member of staff, who is always asked"),
    Reason.NOT_SMALL: _("not a small amount"),
    Reason.UNKNOWN_BROWSER: _("a browser that has not paid here before"),
    Reason.UNKNOWN_ADDRESS: _("an address not delivered to before, or not for long"),
    Reason.NO_RECENT_PROOF: _("no strong proof lately"),
    Reason.NEW_PLACE: _("new browser and new address together"),
    Reason.FAILURES: _("many wrong codes or passwords in a day"),
    Reason.PHONE_CHANGED: _("the phone was changed lately"),
    Reason.MANY_ORDERS: _("many orders in a day"),
    Reason.MUCH_MONEY: _("much money in a day"),
    Reason.AFTER_RECOVERY: _("the account was recovered lately"),
    Reason.NOTHING_STRONGER: _("nothing stronger is set up, so the strongest there is had to do"),
}


@dataclass(frozen=True)
class Rules:
    """The shop's numbers. With these here every payment is asked for."""

    relax_below: Decimal = Decimal(0)  # nothing is spared at 0
    relax_proof_minutes: int = 60
    known_address_days: int = 30
    failures_a_day: int = 5
    phone_changed_days: int = 7
    orders_a_day: int = 5
    spent_a_day: Decimal = Decimal(1000)


@dataclass(frozen=True)
class Facts:
    """What was known of one payment when it was to be approved."""

    amount: Decimal
    person: str  # guest, shopper or staff
    strongest: Strength  # what the person could prove at that moment
    has_bought: bool = False
    browser_known: bool = False
    address_known_for: timedelta | None = None
    strong_proof_age: timedelta | None = None  # of this session
    failures_in_a_day: int = 0
    phone_changed_ago: timedelta | None = None
    orders_in_a_day: int = 0  # before this one
    spent_in_a_day: Decimal = Decimal(0)
    after_recovery: bool = False

    def plain(self) -> dict[str, Any]:
        """In types that JSON knows: times as seconds, money as text."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_plain(cls, kept: Mapping[str, Any]) -> "Facts":
        """Raises ValueError where something is missing that can't be guessed."""
        try:
            known = {each.name: kept[each.name] for each in fields(cls) if each.name in kept}
            for name in ("amount", "spent_in_a_day"):
                known |= {name: Decimal(known[name])} if name in known else {}
            for name in ("address_known_for", "strong_proof_age", "phone_changed_ago"):
                known |= {name: timedelta(seconds=known[name])} if known.get(name) is not None else {}
            return cls(**known | {"strongest": Strength(known["strongest"])})
        except (KeyError, TypeError, ArithmeticError) as error:
            raise ValueError("these are not the facts of a payment") from error


@dataclass(frozen=True)
class Decision:
    ask: bool
    least: Strength  # no weaker proof will do; the policy table may ask for more
    reasons: tuple[str, ...]


def decide(facts: Facts, rules: Rules) -> Decision:
    """Tightening comes first and always; then guests and staff; and only then may anything be spared."""
    if facts.person == "guest":  # who has one way to prove it, and nothing that could be known
        return Decision(True, Strength.EMAIL, (Reason.GUEST,))
    if tight := _tightened(facts, rules):
        least = max(TIGHTENS[reason] for reason in tight)
        if facts.strongest < least and not facts.after_recovery:
            return Decision(True, facts.strongest, (*tight, Reason.NOTHING_STRONGER))
        return Decision(True, least, tight)
    if facts.person != "shopper":
        return Decision(True, Strength.EMAIL, (Reason.STAFF,))
    if rules.relax_below <= 0:
        return Decision(True, Strength.EMAIL, (Reason.ALWAYS,))
    missing = _missing(facts, rules)
    return Decision(True, Strength.EMAIL, missing) if missing else Decision(False, Strength.EMAIL, SPARES)


def words(reasons: Iterable[str]) -> list[str]:
    """In plain words, for support; a code that this version no longer knows is shown as it is."""
    return [str(WORDS.get(reason, reason)) for reason in reasons]


def _tightened(facts: Facts, rules: Rules) -> tuple[str, ...]:
    changed = facts.phone_changed_ago
    fired = {
        # Whoever has never bought here has no old place from which a new one could differ.
        Reason.NEW_PLACE: facts.has_bought and not facts.browser_known and not _address_known(facts, rules),
        Reason.FAILURES: facts.failures_in_a_day >= rules.failures_a_day,
        Reason.PHONE_CHANGED: changed is not None and changed < rules.phone_changed_days * DAY,
        Reason.MANY_ORDERS: facts.orders_in_a_day + 1 > rules.orders_a_day,
        Reason.MUCH_MONEY: facts.spent_in_a_day + facts.amount > rules.spent_a_day,
        Reason.AFTER_RECOVERY: facts.after_recovery,
    }
    return tuple(reason for reason, holds in fired.items() if holds)


def _missing(facts: Facts, rules: Rules) -> tuple[str, ...]:
    age = facts.strong_proof_age
    lacks = {
        Reason.NOT_SMALL: facts.amount >= rules.relax_below,
        Reason.UNKNOWN_BROWSER: not facts.browser_known,
        Reason.UNKNOWN_ADDRESS: not _address_known(facts, rules),
        Reason.NO_RECENT_PROOF: age is None or age >= timedelta(minutes=rules.relax_proof_minutes),
    }
    return tuple(reason for reason, holds in lacks.items() if holds)


def _address_known(facts: Facts, rules: Rules) -> bool:
    known_for = facts.address_known_for
    return known_for is not None and known_for >= rules.known_address_days * DAY


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    return int(value) if isinstance(value, Strength) else value
