"""What the page of one product shows, read in one query.

A signed-in shopper's page has four, and three of them are the session, the person and the cart. So the rows that belong
to the product come as JSON in its row: variants, options, pictures, facts, the way there, and what goes with it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import Case, CharField, F, OuterRef, When
from django.db.models.functions import Cast, JSONObject
from django.db.models.lookups import StartsWith
from django.utils import timezone

from shop.product.models import (
    FEW,
    AttributeValue,
    Category,
    Option,
    Product,
    ProductPicture,
    Variant,
    price_now,
    reduced,
)
from shop.product.pictures import shows

MOST_RELATED = 4
SLUG, NOW = "the slug", datetime.min.replace(tzinfo=UTC)  # what stands for them in the prepared query
FIELDS = [field.attname for field in Product._meta.concrete_fields]
ROWS = ["variant_rows", "option_rows", "picture_rows", "facts", "above", "related_rows", "similar_rows"]


@dataclass(frozen=True)
class Choice:
    """A variant, as the page shows it."""

    pk: int
    name: str
    option_values: list[str]
    price: Decimal
    before: Decimal | None  # the price without the sale, while there is one
    free: int

    @property
    def is_few(self) -> bool:
        return 0 < self.free <= FEW


@dataclass(frozen=True)
class OptionValue:
    """A value of an option, and what there is of it together with the values chosen of the other options."""

    name: str
    is_chosen: bool
    choice: Choice | None  # None: this combination is not made

    @property
    def is_free(self) -> bool:
        return self.choice is not None and self.choice.free > 0


@dataclass(frozen=True)
class ShownOption:
    name: str
    values: list[OptionValue]


class ProductPage:
    """A product with what `wanted` (the query string) asks for: `variant` by its key, or `option-0`, `option-1`, ..."""

    def __init__(self, product: Any, wanted: Mapping[str, str]) -> None:
        self.product = product
        self.choices = sorted((_choice(row) for row in product.variant_rows), key=self._place)
        self.values = self._wanted_values(wanted)
        self.chosen = self._chosen(wanted)

    @cached_property
    def options(self) -> list[ShownOption]:
        return [
            ShownOption(option["name"], [self._value(nth, name) for name in option["values"]])
            for nth, option in enumerate(self.product.option_rows)
        ]

    @property
    def has_several_prices(self) -> bool:
        return len({choice.price for choice in self.choices}) > 1

    @property
    def is_sold_out(self) -> bool:
        return all(choice.free <= 0 for choice in self.choices)

    @cached_property
    def pictures(self) -> list[ProductPicture]:
        """Those of what is chosen first; those that show something else only after them."""
        pictures = [ProductPicture(**row) for row in self.product.picture_rows]
        name = self.chosen.name if self.chosen else ""
        return sorted(pictures, key=lambda picture: (not shows(picture, name, self.values), not picture.shows))

    @cached_property
    def related(self) -> list[Product]:
        """By the shop's hand, then the newest of the same category, for `components/product_card.html`."""
        rows = {row["id"]: row for row in [*self.product.related_rows, *self.product.similar_rows]}
        return [_card(row) for row in list(rows.values())[:MOST_RELATED]]

    def _place(self, choice: Choice) -> list[int]:
        """In the order of the options' values."""
        orders = [option["values"] for option in self.product.option_rows]
        return [
            order.index(value) if value in order else len(order)
            for order, value in zip(orders, choice.option_values, strict=False)
        ]

    def _wanted_values(self, wanted: Mapping[str, str]) -> list[str]:
        return [wanted.get(f"option-{nth}", "") for nth, _option in enumerate(self.product.option_rows)]

    def _chosen(self, wanted: Mapping[str, str]) -> Choice | None:
        """What was asked for; else the first that there is. None: what was asked for is not made."""
        if any(self.values):
            return self._of(self.values)
        asked = next((each for each in self.choices if str(each.pk) == wanted.get("variant")), None)
        chosen = asked or next((each for each in self.choices if each.free > 0), self.choices[0])
        self.values = chosen.option_values
        return chosen

    def _of(self, values: list[str]) -> Choice | None:
        return next((each for each in self.choices if each.option_values == values), None)

    def _value(self, nth: int, name: str) -> OptionValue:
        values = [name if place == nth else value for place, value in enumerate(self.values)]
        return OptionValue(name, self.values[nth] == name, self._of(values))


def find_page(
    slug: str, wanted: Mapping[str, str], *, drafts: bool = False, now: datetime | None = None
) -> ProductPage | None:
    """The page of what is on sale, or with `drafts` of anything that has a variant."""
    sql, params, names = _statement(drafts)
    given: dict[Any, Any] = {SLUG: slug, NOW: now or timezone.now()}
    with connection.cursor() as cursor:
        cursor.execute(sql, [given.get(param, param) for param in params])
        row = cursor.fetchone()
    if row is None:
        return None
    found = dict(zip(names, row, strict=True))
    product: Any = Product.from_db(connection.alias, *zip(*((name, found[name]) for name in FIELDS), strict=True))
    product.brand_name = found["brand__name"]
    for name in ROWS:
        setattr(product, name, [json.loads(each) for each in found[name]])
    return ProductPage(product, wanted) if product.variant_rows else None


@cache
def _statement(drafts: bool) -> tuple[str, Sequence[Any], list[str]]:
    """The query in SQL, with SLUG and NOW where the slug and the time are to be.

    To build it takes Django several times as long as PostgreSQL takes to answer it, so it is built once a process.
    """
    found = Product.objects.filter(slug=SLUG)
    if not drafts:
        found = found.on_sale(NOW)
    rows = _rows(NOW)
    sql, params = found.annotate(**rows).values_list(*FIELDS, "brand__name", *ROWS).query.sql_with_params()
    return sql, params, [*FIELDS, "brand__name", *ROWS]


def _rows(now: datetime) -> dict[str, ArraySubquery]:
    mine = {"product": OuterRef("pk")}
    cards = Product.objects.on_sale(now).for_cards(now).exclude(pk=OuterRef("pk"))
    above = Category.objects.filter(StartsWith(Cast(OuterRef("category__path"), CharField()), F("path")))
    return {
        "variant_rows": ArraySubquery(
            Variant.objects.filter(**mine, is_active=True)
            .with_free(now=now)
            .order_by("pk")
            .values(
                json=JSONObject(
                    pk="pk",
                    name="name",
                    option_values="option_values",
                    price=_text(price_now(now=now)),
                    before=Case(When(reduced(now=now), then=_text(F("price")))),
                    free="free",
                )
            )
        ),
        "option_rows": ArraySubquery(
            Option.objects.filter(**mine)
            .order_by("position", "pk")
            .values(json=JSONObject(name="name", values="values"))
        ),
        "picture_rows": ArraySubquery(
            ProductPicture.objects.filter(**mine)
            .order_by("position", "pk")
            .values(
                json=JSONObject(
                    image="image", static_path="static_path", width="width", height="height", alt="alt", shows="shows"
                )
            )
        ),
        "facts": ArraySubquery(
            AttributeValue.objects.filter(products=OuterRef("pk"))
            .order_by("attribute__position", "attribute__name", "position", "name")
            .values(json=JSONObject(name="attribute__name", value="name"))
        ),
        "above": ArraySubquery(above.order_by("path").values(json=JSONObject(name="name", slug="slug"))),
        "related_rows": ArraySubquery(
            cards.filter(related_to__product=OuterRef("pk"))
            .order_by("related_to__position", "related_to__pk")
            .values(json=_card_row())
        ),
        "similar_rows": ArraySubquery(
            cards.filter(category=OuterRef("category"))
            .order_by("-publish_at", "-pk")
            .values(json=_card_row())[:MOST_RELATED]
        ),
    }


def _choice(row: Mapping[str, Any]) -> Choice:
    prices = {name: row[name] and Decimal(row[name]) for name in ("price", "before")}
    return Choice(**{**row, **prices})


def _card_row() -> JSONObject:
    texts = {name: _text(F(name)) for name in ("price_from", "price_to", "price_before")}
    plain = ("id", "name", "slug", "picture", "picture_alt", "publish_at", "reduced_variant", "left")
    return JSONObject(**texts, **{name: name for name in plain})


def _card(row: Mapping[str, Any]) -> Product:
    product = Product(publish_at=datetime.fromisoformat(row["publish_at"]))
    for name in row.keys() - {"publish_at"}:
        setattr(product, name, Decimal(row[name]) if name.startswith("price_") else row[name])
    return product


def _text(amount: Any) -> Cast:
    """JSON has no decimals."""
    return Cast(amount, CharField())
