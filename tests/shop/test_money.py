"""Rounding, dividing and writing money."""

from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from shop.money import MoneyField, allocate, format_money, from_minor, minor_units, round_money, to_minor

CURRENCIES = ["EUR", "GBP", "JPY", "KWD"]


@pytest.mark.parametrize(
    ("currency", "amount", "rounded"),
    [
        ("EUR", "1.005", "1.01"),
        ("EUR", "1.0049", "1.00"),
        ("GBP", "2.675", "2.68"),
        ("JPY", "99.5", "100"),
        ("JPY", "99.49", "99"),
        ("KWD", "1.0005", "1.001"),
    ],
)
def test_it_rounds_half_up_to_the_smallest_coin(currency, amount, rounded):
    assert str(round_money(Decimal(amount), currency)) == rounded


@pytest.mark.parametrize(
    ("language", "currency", "written"),
    [
        ("en", "EUR", "€\u00a01,234.50"),
        ("en", "JPY", "¥\u00a01,235"),
        ("en", "CHF", "CHF\u00a01,234.50"),
        ("en", "KWD", "KWD\u00a01,234.500"),
        ("de", "EUR", "1.234,50\u00a0€"),
        ("de", "JPY", "1.235\u00a0¥"),
        ("de-ch", "CHF", "CHF\u00a01’234.50"),
    ],
)
def test_it_is_written_as_the_language_writes_it(language, currency, written):
    with translation.override(language):
        assert format_money(Decimal("1234.5"), currency) == written


@pytest.mark.parametrize("currency", CURRENCIES)
@given(coins=st.integers(-(10**9), 10**9))
def test_coins_and_amounts_are_the_same(currency, coins):
    assert to_minor(from_minor(coins, currency), currency) == coins


def test_parts_of_a_coin_are_no_amount():
    for amount, currency in (("0.005", "EUR"), ("10.5", "JPY")):
        with pytest.raises(ValueError):
            to_minor(Decimal(amount), currency)


@st.composite
def divisions(draw):
    currency = draw(st.sampled_from(CURRENCIES))
    weights = draw(st.dictionaries(st.integers(1, 99), st.integers(0, 10**6), min_size=1, max_size=8))
    coins = draw(st.integers(0, sum(weights.values())))
    return currency, coins, weights


@given(divisions(), st.randoms(use_true_random=False))
def test_shares_add_up_exactly_and_nobody_gets_more_than_its_weight(division, chance):
    currency, coins, weights = division
    amount, weights = from_minor(coins, currency), {key: from_minor(w, currency) for key, w in weights.items()}
    shares = allocate(amount, weights, currency)
    assert sum(shares.values()) == amount
    total = sum(weights.values())
    for key, share in shares.items():
        assert 0 <= share <= weights[key]
        assert not total or abs(share - amount * weights[key] / total) < from_minor(1, currency)
    shuffled = list(weights.items())
    chance.shuffle(shuffled)
    assert allocate(amount, dict(shuffled), currency) == shares


def test_equal_claims_are_decided_by_the_key():
    thirds = {3: Decimal(1), 1: Decimal(1), 2: Decimal(1)}
    assert allocate(Decimal("0.02"), thirds, "EUR") == {1: Decimal("0.01"), 2: Decimal("0.01"), 3: Decimal("0.00")}


@pytest.mark.parametrize(("amount", "weights"), [("1.00", {}), ("1.00", {1: 0}), ("-1.00", {1: 1}), ("1.00", {1: -1})])
def test_what_can_not_be_divided_is_refused(amount, weights):
    with pytest.raises(ValueError):
        allocate(Decimal(amount), {key: Decimal(weight) for key, weight in weights.items()}, "EUR")


@pytest.mark.parametrize(("currency", "kept", "typed"), [("EUR", 2, 2), ("JPY", 2, 0), ("KWD", 3, 3)])
def test_a_field_keeps_and_takes_the_decimals_that_the_currency_has(settings, currency, kept, typed):
    settings.CURRENCY = currency
    field = MoneyField(decimal_places=2)  # as a migration of the first days says
    assert (field.decimal_places, field.formfield().decimal_places, minor_units()) == (kept, typed, typed)
    assert field.deconstruct()[3]["decimal_places"] == 2  # so no other currency asks for a migration
