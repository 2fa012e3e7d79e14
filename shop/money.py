"""Money is Decimal, and this is the one place where it is rounded."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.formats import number_format

CENT = Decimal("0.01")


def round_money(amount: Decimal) -> Decimal:
    """To the cent, half up, as prices are rounded in shops."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def format_money(amount: Decimal) -> str:
    """`€ 1,234.50`: in the reader's language, with a blank that doesn't break."""
    symbol = {"EUR": "€", "GBP": "£", "USD": "$"}.get(settings.CURRENCY, settings.CURRENCY)
    return f"{symbol}\u00a0{number_format(round_money(amount), 2, use_l10n=True, force_grouping=True)}"


class MoneyField(models.DecimalField):
    """An amount in the shop's currency, to the cent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 10)
        kwargs.setdefault("decimal_places", 2)
        super().__init__(*args, **kwargs)
