import hashlib
from collections import OrderedDict
from datetime import date
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.stepup.digest import context_digest

ORDER = {
    "lines": [{"variant": 7, "quantity": 2, "unit_price": Decimal("12.50")}],
    "total": Decimal("29.90"),
    "currency": "EUR",
    "address": {"name": "Ada Löng", "city": "Köln"},
    "discount": None,
}


def test_the_canonical_form_is_this():
    text = (
        '["pay",{"address":{"city":"Köln","name":"Ada Löng"},"currency":"EUR","discount":null,'
        '"lines":[{"quantity":2,"unit_price":"12.50","variant":7}],"total":"29.90"}]'
    )
    assert context_digest("pay", ORDER) == hashlib.sha256(text.encode()).digest()


def test_the_order_of_keys_does_not_matter():
    turned = OrderedDict(reversed(ORDER.items()))
    turned["address"] = MappingProxyType(dict(reversed(ORDER["address"].items())))
    assert context_digest("pay", turned) == context_digest("pay", ORDER)


def test_the_order_of_lines_does():
    one, other = {"variant": 1}, {"variant": 2}
    assert context_digest("pay", {"lines": [one, other]}) != context_digest("pay", {"lines": [other, one]})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal("1"), Decimal("1.0")),
        (1, "one"),
        (1, Decimal("1.0")),
        (1, True),
        (0, False),
        (None, ""),
        (None, "null"),
        ([], {}),
        (["a", "b"], ["ab"]),
        ({"a": {"b": 1}}, {"a": {"c": 1}}),
        ("\u00e9", "e\u0301"),  # composed and decomposed
        (" ", ""),
    ],
)
def test_what_differs_has_another_digest(one, other):
    assert context_digest("pay", {"x": one}) != context_digest("pay", {"x": other})


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
))  # fmt: skip
def test_equal_contexts_have_equal_digests(value):
    assert context_digest("pay", {"x": value}) == context_digest("pay", {"x": value})
    assert len(context_digest("pay", {"x": value})) == 32


def test_each_purpose_has_its_own():
    assert context_digest("pay", ORDER) != context_digest("sign_in", ORDER)


def test_an_exponent_is_written_out():
    assert context_digest("pay", {"x": Decimal("1E+2")}) == context_digest("pay", {"x": Decimal("100")})


@pytest.mark.parametrize("value", [1.0, float("nan"), b"bytes", date(2026, 1, 1), {1, 2}, object(), Decimal])
def test_what_has_no_one_form_is_refused(value):
    with pytest.raises(TypeError, match="no canonical form"):
        context_digest("pay", {"lines": [{"x": value}]})


def test_two_keys_that_look_alike_are_refused():
    with pytest.raises(TypeError, match="no canonical form"):
        context_digest("pay", {1: "a", "1": "b"})
