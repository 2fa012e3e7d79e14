"""Puts the catalogue into the database, beside what is there."""

from itertools import zip_longest

from django.db import transaction

from shop.demo.catalogue import CATEGORIES, DemoProduct
from shop.product.models import Category, Option, Product, ProductPicture, Variant


def create_goods() -> int:
    """Categories and products that are not there yet; how many products that were.

    One of each category in turn, so that the newest are of many kinds.
    """
    categories = [
        Category.objects.get_or_create(
            slug=demo.slug, defaults={"name": demo.name, "description": demo.description, "position": position}
        )[0]
        for position, demo in enumerate(CATEGORIES)
    ]
    created = 0
    for row in zip_longest(*(demo.products for demo in CATEGORIES)):
        for category, demo in zip(categories, row, strict=True):
            if demo is not None:
                created += _create(category, demo)
    return created


@transaction.atomic
def _create(category: Category, demo: DemoProduct) -> bool:
    picture = f"img/demo/{demo.slug}.svg"
    product, created = Product.objects.get_or_create(
        slug=demo.slug,
        defaults={
            "category": category,
            "name": demo.name,
            "summary": demo.summary,
            "description": demo.description,
            "picture": picture,
            "picture_alt": demo.picture_alt,
        },
    )
    if created:
        ProductPicture.objects.create(product=product, static_path=picture, alt=demo.picture_alt)
        if demo.option:
            values = [each.name for each in demo.variants]
            Option.objects.create(product=product, name=demo.option, values=values)
        Variant.objects.bulk_create(
            Variant(
                product=product,
                sku=each.sku,
                name=each.name,
                option_values=[each.name] if demo.option else [],
                price=each.price,
                on_hand=each.on_hand,
            )
            for each in demo.variants
        )
    return created
