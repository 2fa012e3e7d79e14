"""Money is Decimal in the shop's one currency. This is the one place where it is rounded, divided and written.

How many decimals a currency has, and how an amount is written in a language, is Babel's (Unicode CLDR) to know.
docs/money.md tells the rules.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, TypeVar

from babel import Locale
from babel.numbers import NumberPattern, get_currency_precision, parse_pattern
from django.conf import settings
from django.db import models
from django.utils.translation import get_language, to_locale

ZERO = Decimal(0)
Key = TypeVar("Key", int, str, Decimal)


def minor_units(currency: str | None = None) -> int:
    """How many decimals the currency has: 2 for EUR, 0 for JPY. Without one named, the shop's."""
    return get_currency_precision(currency or settings.CURRENCY)


def round_money(amount: Decimal, currency: str | None = None) -> Decimal:
    """To the currency's smallest coin, half up, as prices are rounded in shops."""
    return amount.quantize(Decimal(1).scaleb(-minor_units(currency)), ROUND_HALF_UP)


def to_minor(amount: Decimal, currency: str | None = None) -> int:
    """`Decimal("4.90")` -> 490 (JPY: `Decimal(490)` -> 490). Raises ValueError for parts of the smallest coin."""
    minor = amount.scaleb(minor_units(currency))
    if minor != int(minor):
        raise ValueError(f"{amount} is no whole number of the smallest coins of {currency or settings.CURRENCY}")
    return int(minor)


def from_minor(minor: int, currency: str | None = None) -> Decimal:
    """490 -> `Decimal("4.90")` (JPY: 490 -> `Decimal(490)`)."""
    return Decimal(minor).scaleb(-minor_units(currency))


def allocate(amount: Decimal, weights: Mapping[Key, Decimal], currency: str | None = None) -> dict[Key, Decimal]:
    """Divide an amount in proportion to the weights, so that the shares add up to it exactly.

    By largest remainder: each gets its share rounded down; the coins left over go one each to those that lost most by
    it. Equal losses are decided by the heavier weight, then by the smaller key, so the order of the mapping never
    matters. A weight of 0 gets nothing, and of an amount that is at most the sum of the weights (each of whole coins)
    nobody gets more than its weight. Raises ValueError for negative amounts or weights, and where there is something
    to divide and nobody to give it to.
    """
    coins = to_minor(amount, currency)
    total = sum(weights.values(), ZERO)
    if coins < 0 or any(weight < 0 for weight in weights.values()) or (coins and not total):
        raise ValueError(f"{amount} can't be divided by {list(weights.values())}")
    if not coins:
        return dict.fromkeys(weights, from_minor(0, currency))
    # As whole numbers, for a quotient of Decimals has an end.
    scale = 10 ** max(_decimals(weight) for weight in weights.values())
    parts = {key: int(weight * scale) for key, weight in weights.items()}
    whole = sum(parts.values())
    shares = {key: coins * part // whole for key, part in parts.items()}
    left = coins - sum(shares.values())
    by_loss = sorted(parts, key=lambda key: (-(coins * parts[key] % whole), -parts[key], key))
    for key in by_loss[:left]:
        shares[key] += 1
    return {key: from_minor(share, currency) for key, share in shares.items()}


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def format_money(amount: Decimal, currency: str | None = None) -> str:
    """`€ 1,234.50`, `1.234,50 €`: as the reader's language writes it, with a blank that doesn't break."""
    return _written(amount, currency or settings.CURRENCY, get_language() or settings.LANGUAGE_CODE)


@lru_cache(maxsize=4096)
def _written(amount: Decimal, currency: str, language: str) -> str:
    locale = Locale.parse(to_locale(language))
    return _pattern(locale).apply(round_money(amount, currency), locale, currency=currency)


@lru_cache(maxsize=64)
def _pattern(locale: Locale) -> NumberPattern:
    # English has no blank between sign and number, where "CHF1,234" is hard to read.
    return parse_pattern(locale.currency_formats["standard"].pattern.replace("¤#", "¤\u00a0#"))


class MoneyField(models.DecimalField):
    """An amount in the shop's currency, with 2 decimals, or as many as the currency has where it has more.

    A form takes no more decimals than the currency has.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 10)
        # In old migrations too: a shop's currency is chosen before its first `migrate`.
        kwargs["decimal_places"] = max(2, minor_units())
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs | {"decimal_places": 2}

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"decimal_places": minor_units(), **kwargs})
