"""Goods for the tests, made in one line each."""

from itertools import count
from typing import Any

from shop.product.models import Category, Option, Product, Variant

_numbers = count(1)


def category(name: str = "Kitchen", **fields: Any) -> Category:
    return Category.objects.get_or_create(slug=fields.pop("slug", name.lower()), defaults={"name": name, **fields})[0]


def product(name: str = "Mug", **fields: Any) -> Product:
    fields.setdefault("slug", f"{name.lower().replace(' ', '-')}-{next(_numbers)}")
    fields.setdefault("category", None)
    fields["category"] = fields["category"] or category()
    return Product.objects.create(name=name, **fields)


def option(of: Product, name: str, *values: str) -> Option:
    return Option.objects.create(product=of, name=name, values=list(values), position=of.options.count())


def variant(
    name: str = "", *, of: Product | None = None, price: str = "10.00", on_hand: int = 10, **fields: Any
) -> Variant:
    fields.setdefault("sku", f"SKU-{next(_numbers)}")
    return Variant.objects.create(product=of or product(), name=name, price=price, on_hand=on_hand, **fields)
