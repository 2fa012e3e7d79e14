"""Puts the catalogue into the database, beside what is there."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

from django.contrib.staticfiles import finders
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from shop.demo import shelves
from shop.demo.catalogue import CATEGORIES, DemoProduct, DemoVariant
from shop.product.models import (
    Attribute,
    AttributeValue,
    Brand,
    Category,
    Option,
    Product,
    ProductPicture,
    Related,
    Variant,
)


def create_goods() -> int:
    """Categories and products that are not there yet; how many products that were.

    One of each category in turn, so that the newest are of many kinds.
    """
    places, brands, facts, now = _places(), _brands(), _facts(), timezone.now()
    rows = [*zip_longest(*(demo.products for demo in CATEGORIES))]
    created = []
    for age, row in zip(reversed(range(len(rows))), rows, strict=True):
        for demo in filter(None, row):
            days = shelves.SCHEDULED.get(demo.slug, -age * shelves.DAYS_BETWEEN)
            fields = {
                "category": places[demo.slug],
                "brand": brands.get(demo.slug),
                "publish_at": timezone.now() + timedelta(days=days),
            }
            if _create(demo, facts[demo.slug], now, fields):
                created.append(demo.slug)
    _relate(created)
    return len(created)


def _places() -> dict[str, Category]:
    """The tree, and in which category each product is."""
    places: dict[str, Category] = {}
    for position, demo in enumerate(CATEGORIES):
        words = {"name": demo.name, "description": demo.description, "position": position}
        top = Category.objects.get_or_create(slug=demo.slug, defaults=words)[0]
        for below, ((slug, name), products) in enumerate(shelves.TREE[demo.slug].items()):
            words = {"name": name, "parent": top, "position": below}
            leaf = Category.objects.get_or_create(slug=slug, defaults=words)[0]
            places |= dict.fromkeys(products.split(), leaf)
    return places


@transaction.atomic
def _create(demo: DemoProduct, facts: list[AttributeValue], now: datetime, fields: dict[str, Any]) -> bool:
    fields |= {
        "name": demo.name,
        "summary": demo.summary,
        "description": demo.description,
        "picture": f"img/demo/{demo.slug}.svg",
        "picture_alt": demo.picture_alt,
        "status": Product.Status.DRAFT if demo.slug in shelves.DRAFTS.split() else Product.Status.PUBLISHED,
    }
    product, created = Product.objects.get_or_create(slug=demo.slug, defaults=fields)
    if created:
        product.attribute_values.set(facts)
        _add_variants(product, demo, now)
    return created


def _add_variants(product: Product, demo: DemoProduct, now: datetime) -> None:
    options = demo.option.split(", ") if demo.option else []
    values = {each.sku: each.name.split(", ") if options else [] for each in demo.variants}
    pictures = [ProductPicture(product=product, static_path=product.picture, alt=demo.picture_alt)]
    for nth, option in enumerate(options):
        in_order = list(dict.fromkeys(each[nth] for each in values.values()))
        Option.objects.create(product=product, name=option, values=in_order, position=nth)
        shown = {value: f"img/demo/{demo.slug}-{slugify(value)}.svg" for value in in_order}
        shown = {value: path for value, path in shown.items() if finders.find(path)}
        if shown and nth == 0:  # the first picture shows the value that has none of its own
            pictures[0].shows = next(value for value in in_order if value not in shown)
        pictures += [
            ProductPicture(
                product=product, static_path=path, alt=f"{demo.name}, {value.lower()}", shows=value, position=n
            )
            for n, (value, path) in enumerate(shown.items(), 1)
        ]
    ProductPicture.objects.bulk_create(pictures)
    of_value = {each.shows: each.static_path for each in pictures}
    Variant.objects.bulk_create(_variant(product, each, values[each.sku], of_value, now) for each in demo.variants)


def _variant(
    product: Product, demo: DemoVariant, values: list[str], pictures: Mapping[str, str], now: datetime
) -> Variant:
    price, begins, ends = shelves.SALES.get(demo.sku, (None, None, None))
    return Variant(
        product=product,
        sku=demo.sku,
        name=demo.name,
        option_values=values,
        price=demo.price,
        sale_price=price,
        sale_from=None if begins is None else now + timedelta(days=begins),
        sale_until=None if ends is None else now + timedelta(days=ends),
        weight=next(
            (grams for grams, of in shelves.WEIGHTS.items() if product.slug in of.split()), shelves.USUAL_WEIGHT
        ),
        picture=next((pictures[value] for value in values if value in pictures), ""),
        on_hand=demo.on_hand,
    )


def _brands() -> dict[str, Brand]:
    """The brand of each product."""
    brands: dict[str, Brand] = {}
    for name, products in shelves.BRANDS.items():
        brand = Brand.objects.get_or_create(slug=slugify(name), defaults={"name": name})[0]
        brands |= dict.fromkeys(products.split(), brand)
    return brands


def _facts() -> dict[str, list[AttributeValue]]:
    """The attribute values of each product."""
    facts = defaultdict(list)
    for nth, (name, values) in enumerate(shelves.FACTS.items()):
        attribute = Attribute.objects.get_or_create(slug=slugify(name), defaults={"name": name, "position": nth})[0]
        for position, (value, products) in enumerate(values.items()):
            words = {"name": value, "position": position}
            fact = attribute.values.get_or_create(slug=slugify(value), defaults=words)[0]
            for product in products.split():
                facts[product].append(fact)
    return facts


def _relate(created: list[str]) -> None:
    themes = [theme.split() for theme in shelves.THEMES]
    found = dict(Product.objects.filter(slug__in=" ".join(shelves.THEMES).split()).values_list("slug", "pk"))
    Related.objects.bulk_create(
        (
            Related(product_id=found[slug], other_id=found[other], position=position)
            for theme in themes
            for slug in theme
            for position, other in enumerate(theme)
            if slug != other and slug in created and other in found
        ),
        ignore_conflicts=True,  # two may share two themes
    )
