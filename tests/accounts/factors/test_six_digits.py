import pytest

from accounts.factors.base import six_digits


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("123456", "123456"),
        ("012345", "012345"),
        ("000000", "000000"),
        ("123 456", "123456"),
        ("123-456", "123456"),
        ("  1 2 3 4 5 6  ", "123456"),
        ("123\u00a0456", "123456"),
        ("123\u2009456", "123456"),
        ("12-34-56", "123456"),
    ],
)
def test_a_code_is_read_however_it_is_typed(typed, code):
    assert six_digits(typed) == code


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "-",
        "12345",
        "1234567",
        "12345a",
        "+12345",
        "+123456",
        "1234.5",
        "0x1234",
        "1e5000",
        "١٢٣٤٥٦",  # Arabic-Indic
        "１２３４５６",  # full-width
        "１23456",
        "①②③④⑤⑥",
        "²³¹⁴⁵⁶",
        "123456\x00",
        "123456\n",
        "123\u200b456",  # zero width
        "123–456",  # a long dash is no dash of a code
        "1" * 10_240,
        " " * 10_000 + "123456",
        "123456; DROP TABLE",
    ],
)
def test_it_refuses_what_can_not_be_a_code(typed):
    assert six_digits(typed) is None
