"""What a purchase costs: worked examples, and what holds for any cart."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.checkout.pricing import Item, price
from shop.money import allocate, from_minor, round_money

D = Decimal
RATES = [D("0"), D("0.03"), D("0.055"), D("0.07"), D("0.19"), D("0.2"), D("0.25"), D("0.081")]


def test_the_teapot_as_ever():
    found = price([Item(1, D("30.00"), 1, D("0.19"))], currency="EUR", prices_include_tax=True, delivery_fee=D("4.90"))
    assert (found.total, found.tax, found.subtotal) == (D("34.90"), D("5.57"), D("30.00"))
    assert (found.lines[1].tax, found.delivery.tax) == (D("4.79"), D("0.78"))


def test_delivery_shares_the_rates_of_the_goods():
    # 75 at 19 % and 25 at 7 %: so are three quarters and one quarter of the 4.00.
    items = [Item(1, D("25.00"), 3, D("0.19")), Item(2, D("25.00"), 1, D("0.07"))]
    found = price(items, currency="EUR", prices_include_tax=False, delivery_fee=D("4.00"))
    assert {rate: (sum_.net, sum_.tax) for rate, sum_ in found.rates.items()} == {
        D("0.07"): (D("26.00"), D("1.82")),
        D("0.19"): (D("78.00"), D("14.82")),
    }
    assert (found.delivery.net, found.delivery.tax) == (D("4.00"), D("0.64"))
    assert found.total == D("104.00") + D("16.64")


def test_tax_is_rounded_once_for_each_rate_and_not_for_each_line():
    # Three times 0.33 net at 19 % is 0.188..., so 0.19; line by line it would be 0.18.
    items = [Item(key, D("0.33"), 1, D("0.19")) for key in (1, 2, 3)]
    found = price(items, currency="EUR", prices_include_tax=False)
    assert found.tax == D("0.19")
    assert sorted(line.tax for line in found.lines.values()) == [D("0.06"), D("0.06"), D("0.07")]


def test_where_all_goods_are_free_the_highest_rate_takes_the_delivery():
    items = [Item(1, D("5.00"), 1, D("0.07"), discount=D("5.00")), Item(2, D("0.00"), 1, D("0.19"))]
    found = price(items, currency="EUR", prices_include_tax=True, delivery_fee=D("11.90"))
    assert (found.total, found.tax) == (D("11.90"), D("1.90"))


def test_a_gift_card_pays_and_is_no_discount():
    items = [Item(1, D("30.00"), 1, D("0.19"))]
    for card, used in (("10.00", "10.00"), ("500.00", "30.00")):
        found = price(items, currency="EUR", prices_include_tax=True, gift_card=D(card))
        assert (found.total, found.tax, found.discount) == (D("30.00"), D("4.79"), D(0))
        assert (found.gift_card_amount, found.amount_due) == (D(used), D("30.00") - D(used))


@pytest.mark.parametrize(
    "items",
    [
        [Item(1, D("-1.00"), 1, D("0.19"))],
        [Item(1, D("1.005"), 1, D("0.19"))],
        [Item(1, D("1.00"), 1, D("0.19"), discount=D("1.01"))],
        [Item(1, D("1.00"), 1, D("0.19"), discount=D("-0.01"))],
        [Item(1, D("1.00"), 1, D("-0.19"))],
        [Item(1, D("1.00"), 1, D("0.19"))] * 2,
    ],
    ids=["negative", "part of a coin", "discount", "negative discount", "negative rate", "one key twice"],
)
def test_what_is_no_purchase_is_refused(items):
    with pytest.raises(ValueError):
        price(items, currency="EUR", prices_include_tax=True)


@st.composite
def carts(draw):
    currency = draw(st.sampled_from(["EUR", "GBP", "JPY"]))
    rates = draw(st.lists(st.sampled_from(RATES), min_size=1, max_size=3, unique=True))
    lines = draw(
        st.lists(st.tuples(st.integers(0, 500_000), st.integers(1, 99), st.sampled_from(rates)), min_size=1, max_size=7)
    )
    items = [Item(key, from_minor(coins, currency), n, rate) for key, (coins, n, rate) in enumerate(lines, 1)]
    # A discount over the whole cart, divided as promotions divide it, and one more on a line.
    goods = sum(item.subtotal for item in items)
    off = round_money(goods * draw(st.integers(0, 100)) / 100, currency)
    shares = allocate(off, {item.key: item.subtotal for item in items}, currency)
    items = [replace(item, discount=shares[item.key]) for item in items]
    return {
        "items": items,
        "currency": currency,
        "prices_include_tax": draw(st.booleans()),
        "delivery_fee": from_minor(draw(st.integers(0, 5_000)), currency),
        "gift_card": from_minor(draw(st.integers(0, 100_000)), currency),
    }


@given(carts(), st.randoms(use_true_random=False))
def test_every_cart_adds_up_to_the_coin(cart, chance):
    items, coin = cart["items"], from_minor(1, cart["currency"])
    found = price(**cart)
    parts = [*found.lines.values(), found.delivery]

    added = D(0) if cart["prices_include_tax"] else found.tax
    assert found.total == found.subtotal - found.discount + cart["delivery_fee"] + added
    assert found.total == sum(part.net + part.tax for part in parts)
    assert found.tax == sum(part.tax for part in parts) == sum(rate.tax for rate in found.rates.values())
    assert found.total == sum(rate.gross for rate in found.rates.values())
    for item in items:
        entered = item.subtotal - item.discount
        line = found.lines[item.key]
        assert entered == (line.gross if cart["prices_include_tax"] else line.net)
    assert found.amount_due + found.gift_card_amount == found.total

    money = [found.total, found.tax, found.amount_due, found.gift_card_amount]
    money += [amount for part in parts for amount in (part.net, part.tax)]
    assert all(amount >= 0 and round_money(amount, cart["currency"]) == amount for amount in money)
    assert found.gift_card_amount <= cart["gift_card"]

    # Each rate's tax is the exact one, rounded once; each line's is less than a coin off its part of it.
    for rate, sum_ in found.rates.items():
        base = sum_.gross / (1 + rate) if cart["prices_include_tax"] else sum_.net
        assert abs(sum_.tax - base * rate) <= coin / 2
    for item in items:
        line = found.lines[item.key]
        base = line.gross / (1 + item.tax_rate) if cart["prices_include_tax"] else line.net
        assert abs(line.tax - base * item.tax_rate) < 2 * coin

    chance.shuffle(items)
    assert price(**cart | {"items": items}) == found
