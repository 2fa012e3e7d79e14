"""What a purchase costs, to the coin: pure arithmetic, without database, settings or words.

The rules (docs/money.md has them with their sources):

1. All amounts that come in are whole coins. Prices and fees are with tax or without, all alike.
2. The delivery fee is divided among the tax rates of the goods, in proportion to what the goods of each rate cost
   after discounts, and each part is taxed at that rate: delivery shares the fate of the goods.
3. Tax is rounded once for each rate, over all that has this rate. That sum is then divided among its lines and its
   part of the delivery by largest remainder, so that they add up to it.
4. So `total = subtotal - discount + delivery_fee`, plus the tax where prices are without; and everywhere the sum of
   `net + tax` over lines and delivery is the total.
5. A gift card is a means of payment: it lowers what is due, and neither total nor tax.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from shop.money import ZERO, allocate, from_minor, round_money, to_minor


@dataclass(frozen=True)
class Item:
    """One line as it comes in. `key` tells it from the others and decides between equal claims on a coin.

    `discount` is what is taken off the whole line, in the shop's prices (with tax where they are with tax).
    """

    key: int
    unit_price: Decimal
    quantity: int
    tax_rate: Decimal  # 0.19
    discount: Decimal = ZERO

    @property
    def subtotal(self) -> Decimal:
        return self.unit_price * self.quantity


@dataclass(frozen=True)
class Taxed:
    """An amount with its tax beside it."""

    net: Decimal
    tax: Decimal

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax

    def __add__(self, other: "Taxed") -> "Taxed":
        return Taxed(self.net + other.net, self.tax + other.tax)


@dataclass(frozen=True)
class Price:
    """What it all comes to. `lines` by the items' keys, `rates` by tax rate (goods and delivery together)."""

    lines: Mapping[int, Taxed]
    delivery: Taxed
    rates: Mapping[Decimal, Taxed]
    subtotal: Decimal  # as the prices are entered, before discounts
    discount: Decimal
    delivery_fee: Decimal  # as fees are entered
    tax: Decimal
    total: Decimal
    gift_card_amount: Decimal
    amount_due: Decimal


def price(
    items: Iterable[Item],
    *,
    currency: str,
    prices_include_tax: bool,
    delivery_fee: Decimal = ZERO,
    gift_card: Decimal = ZERO,
) -> Price:
    """`gift_card` is what the cards hold that the shopper wants to pay with; no more than the total is taken of it.

    Raises ValueError for amounts that are negative or no whole coins, and for discounts greater than their lines.
    """
    items = sorted(items, key=lambda item: item.key)
    _check(items, currency, delivery_fee, gift_card)
    fees = _delivery_by_rate(items, delivery_fee, currency)
    zero = from_minor(0, currency)
    lines: dict[int, Taxed] = {}
    rates: dict[Decimal, Taxed] = {}
    delivery = Taxed(zero, zero)
    for rate, fee in sorted(fees.items()):
        entered = {item.key: item.subtotal - item.discount for item in items if item.tax_rate == rate}
        of_rate, part = _taxed(entered, fee, rate, currency, prices_include_tax)
        lines |= of_rate
        delivery += part
        rates[rate] = sum(of_rate.values(), part)
    total = sum((taxed.gross for taxed in rates.values()), zero)
    paid_by_card = round_money(min(gift_card, total), currency)
    return Price(
        lines=lines,
        delivery=delivery,
        rates=rates,
        subtotal=sum((item.subtotal for item in items), zero),
        discount=sum((item.discount for item in items), zero),
        delivery_fee=delivery_fee + zero,
        tax=sum((taxed.tax for taxed in rates.values()), zero),
        total=total,
        gift_card_amount=paid_by_card,
        amount_due=total - paid_by_card,
    )


def _check(items: list[Item], currency: str, *others: Decimal) -> None:
    amounts = [*others, *(amount for item in items for amount in (item.unit_price, item.discount))]
    if any(to_minor(amount, currency) < 0 for amount in amounts):
        raise ValueError("no amount of a purchase is negative")
    if any(item.discount > item.subtotal or item.quantity < 0 or item.tax_rate < 0 for item in items):
        raise ValueError("a line has a discount greater than itself, or a negative quantity or tax rate")
    if len({item.key for item in items}) != len(items):
        raise ValueError("two lines have one key")


def _delivery_by_rate(items: list[Item], fee: Decimal, currency: str) -> dict[Decimal, Decimal]:
    """The fee's part for each rate of the goods. Where all goods are free, the highest rate takes it."""
    weights: dict[Decimal, Decimal] = {}
    for item in items:
        weights[item.tax_rate] = weights.get(item.tax_rate, ZERO) + item.subtotal - item.discount
    if not weights:
        weights = {ZERO: ZERO}
    if not any(weights.values()):
        weights[max(weights)] = Decimal(1)
    return allocate(fee, weights, currency)


def _taxed(
    entered: Mapping[int, Decimal], fee: Decimal, rate: Decimal, currency: str, prices_include_tax: bool
) -> tuple[dict[int, Taxed], Taxed]:
    """The lines of one rate, and this rate's part of the delivery."""
    delivery = max(entered, default=0) + 1  # as one more line, whose claim on a coin comes after equal ones
    amounts = {**entered, delivery: fee}
    whole = sum(amounts.values(), ZERO)
    tax = round_money(whole * rate / (1 + rate) if prices_include_tax else whole * rate, currency)
    taxes = allocate(tax, amounts, currency)
    taxed = {
        key: Taxed(amount - taxes[key] if prices_include_tax else amount, taxes[key]) for key, amount in amounts.items()
    }
    part = taxed.pop(delivery)
    return taxed, part
