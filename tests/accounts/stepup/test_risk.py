"""The arithmetic of the adaptive policy: one table a rule, and what must hold for all of them together."""

from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.factors.base import Strength
from accounts.stepup.risk import SPARES, TIGHTENS, WORDS, Facts, Reason, Rules, decide, words

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
EMAIL, TEXT, AUTHENTICATOR, PASSKEY = Strength

RELAXED = Rules(relax_below=Decimal(50))
# A person of whom everything speaks for sparing the payment.
GOOD = Facts(
    amount=Decimal("34.90"),
    person="shopper",
    strongest=AUTHENTICATOR,
    has_bought=True,
    browser_known=True,
    address_known_for=40 * DAY,
    strong_proof_age=10 * MINUTE,
)


def test_a_payment_of_which_all_is_known_is_spared_and_says_why():
    decision = decide(GOOD, RELAXED)
    assert (decision.ask, decision.reasons) == (False, SPARES)


def test_the_default_rules_ask_for_it_all_the_same():
    assert decide(GOOD, Rules()).ask
    assert decide(GOOD, Rules()).reasons == (Reason.ALWAYS,)


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        ({"amount": Decimal("50.00")}, Reason.NOT_SMALL),
        ({"browser_known": False}, Reason.UNKNOWN_BROWSER),
        ({"address_known_for": None}, Reason.UNKNOWN_ADDRESS),
        ({"address_known_for": 30 * DAY - MINUTE}, Reason.UNKNOWN_ADDRESS),
        ({"strong_proof_age": None}, Reason.NO_RECENT_PROOF),
        ({"strong_proof_age": 60 * MINUTE}, Reason.NO_RECENT_PROOF),
    ],
)
def test_each_of_the_four_conditions_has_to_hold(facts, missing):
    decision = decide(replace(GOOD, **facts), RELAXED)
    assert (decision.ask, decision.least, decision.reasons) == (True, EMAIL, (missing,))


@pytest.mark.parametrize(
    "facts",
    [{"amount": Decimal("49.99")}, {"address_known_for": 30 * DAY}, {"strong_proof_age": 59 * MINUTE}],
)
def test_just_within_the_conditions_it_is_spared(facts):
    assert not decide(replace(GOOD, **facts), RELAXED).ask


TIGHT = [
    ({"browser_known": False, "address_known_for": None}, Reason.NEW_PLACE, TEXT),
    ({"browser_known": False, "address_known_for": 29 * DAY}, Reason.NEW_PLACE, TEXT),
    ({"failures_in_a_day": 5}, Reason.FAILURES, AUTHENTICATOR),
    ({"phone_changed_ago": 7 * DAY - MINUTE}, Reason.PHONE_CHANGED, AUTHENTICATOR),
    ({"orders_in_a_day": 5}, Reason.MANY_ORDERS, TEXT),
    ({"spent_in_a_day": Decimal("965.11")}, Reason.MUCH_MONEY, TEXT),
    ({"amount": Decimal("1000.01")}, Reason.MUCH_MONEY, TEXT),
    ({"after_recovery": True}, Reason.AFTER_RECOVERY, AUTHENTICATOR),
]


@pytest.mark.parametrize(("facts", "reason", "least"), TIGHT)
@pytest.mark.parametrize("rules", [RELAXED, Rules()], ids=["relaxed", "default"])
def test_what_is_unusual_asks_for_a_stronger_proof(facts, reason, least, rules):
    decision = decide(replace(GOOD, **facts), rules)
    assert (decision.ask, decision.least, decision.reasons) == (True, least, (reason,))


@pytest.mark.parametrize(
    "facts",
    [
        {"failures_in_a_day": 4},
        {"phone_changed_ago": 7 * DAY},
        {"orders_in_a_day": 4},
        {"spent_in_a_day": Decimal("965.10")},
    ],
)
def test_just_below_the_limits_nothing_is_tightened(facts):
    assert not decide(replace(GOOD, **facts), RELAXED).ask


def test_a_first_purchase_has_no_old_place_to_differ_from():
    first = replace(GOOD, has_bought=False, browser_known=False, address_known_for=None)
    assert decide(first, Rules()).reasons == (Reason.ALWAYS,)
    assert decide(first, RELAXED).ask


def test_all_that_is_unusual_is_named_and_the_strictest_counts():
    decision = decide(replace(GOOD, orders_in_a_day=9, failures_in_a_day=9), Rules())
    assert (decision.least, decision.reasons) == (AUTHENTICATOR, (Reason.FAILURES, Reason.MANY_ORDERS))


@pytest.mark.parametrize(("strongest", "least"), [(EMAIL, EMAIL), (TEXT, TEXT)])
def test_who_has_nothing_so_strong_uses_the_strongest_there_is_and_that_is_said(strongest, least):
    decision = decide(replace(GOOD, failures_in_a_day=5, strongest=strongest), RELAXED)
    assert (decision.ask, decision.least) == (True, least)
    assert decision.reasons == (Reason.FAILURES, Reason.NOTHING_STRONGER)


def test_after_a_recovery_nothing_weaker_has_to_do():
    assert decide(replace(GOOD, after_recovery=True, strongest=TEXT), RELAXED).least == AUTHENTICATOR


@pytest.mark.parametrize(("person", "reason"), [("guest", Reason.GUEST), ("staff", Reason.STAFF)])
def test_guests_and_staff_are_always_asked(person, reason):
    decision = decide(replace(GOOD, person=person), RELAXED)
    assert (decision.ask, decision.reasons) == (True, (reason,))


def test_staff_are_asked_for_more_like_everybody():
    assert decide(replace(GOOD, person="staff", failures_in_a_day=5), RELAXED).least == AUTHENTICATOR


def test_each_reason_has_words():
    codes = {value for name, value in vars(Reason).items() if name.isupper()}
    assert codes == set(WORDS)
    assert words([Reason.NEW_PLACE, "of a later version"]) == [
        "new browser and new address together",
        "of a later version",
    ]


# --- for all facts and rules -----------------------------------------------------------------------------------------

money = st.decimals(0, 20_000, places=2)
ages = st.none() | st.timedeltas(timedelta(0), timedelta(days=400))
any_facts = st.builds(
    Facts,
    amount=money,
    person=st.sampled_from(["guest", "shopper", "shopper", "shopper", "staff"]),
    strongest=st.sampled_from(Strength),
    has_bought=st.booleans(),
    browser_known=st.booleans(),
    address_known_for=ages,
    strong_proof_age=ages,
    failures_in_a_day=st.integers(0, 30),
    phone_changed_ago=ages,
    orders_in_a_day=st.integers(0, 30),
    spent_in_a_day=money,
    after_recovery=st.booleans(),
)
any_rules = st.builds(
    Rules,
    relax_below=st.decimals(0, 500, places=2),
    relax_proof_minutes=st.integers(5, 1440),
    known_address_days=st.integers(7, 365),
    failures_a_day=st.integers(3, 20),
    phone_changed_days=st.integers(3, 30),
    orders_a_day=st.integers(1, 20),
    spent_a_day=st.decimals(50, 10_000, places=2),
)


def rank(decision):
    return decision.ask, decision.least


@given(any_facts, any_rules)
def test_nothing_is_spared_while_anything_tightens(facts, rules):
    decision = decide(facts, rules)
    if set(decision.reasons) & set(TIGHTENS):
        assert decision.ask
    assert decision.ask == (decision.reasons != SPARES)
    assert decision.reasons


@given(any_facts)
def test_the_default_rules_always_ask(facts):
    assert decide(facts, Rules()).ask


@given(any_facts, any_rules)
def test_nobody_is_asked_for_more_than_they_can_prove_except_after_a_recovery(facts, rules):
    assert decide(facts, rules).least <= facts.strongest or facts.after_recovery


def _larger(name):
    return lambda facts, by: replace(facts, **{name: getattr(facts, name) + by})


RISKIER = {
    "a larger amount": _larger("amount"),
    "more failures": _larger("failures_in_a_day"),
    "more orders": _larger("orders_in_a_day"),
    "more money": _larger("spent_in_a_day"),
    "an unknown browser": lambda facts, by: replace(facts, browser_known=False),
    "an unknown address": lambda facts, by: replace(facts, address_known_for=None),
    "a younger address": lambda facts, by: replace(facts, address_known_for=facts.address_known_for and by * MINUTE),
    "no strong proof": lambda facts, by: replace(facts, strong_proof_age=None),
    "an older proof": lambda facts, by: replace(
        facts, strong_proof_age=facts.strong_proof_age and facts.strong_proof_age + by * MINUTE
    ),
    "a phone changed just now": lambda facts, by: replace(facts, phone_changed_ago=timedelta(0)),
    "a recovery": lambda facts, by: replace(facts, after_recovery=True),
}


@pytest.mark.parametrize("riskier", RISKIER.values(), ids=RISKIER)
@given(facts=any_facts, rules=any_rules, by=st.integers(0, 5000))
def test_more_risk_never_yields_less_proof(riskier, facts, rules, by):
    more = riskier(facts, by)
    if facts.address_known_for and more.address_known_for and more.address_known_for > facts.address_known_for:
        more = facts  # not a younger one
    assert rank(decide(more, rules)) >= rank(decide(facts, rules))


@given(any_facts)
def test_facts_survive_being_kept(facts):
    whole = {
        each.name: timedelta(seconds=int(value.total_seconds())) if isinstance(value, timedelta) else value
        for each in fields(facts)
        for value in [getattr(facts, each.name)]
    }
    assert Facts.from_plain(facts.plain()) == Facts(**whole)


@pytest.mark.parametrize("kept", [{}, {"amount": "x", "person": "shopper", "strongest": 2}, {"strongest": 9}])
def test_what_are_no_facts_is_told(kept):
    with pytest.raises(ValueError):
        Facts.from_plain(kept)
