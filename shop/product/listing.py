"""What a listing shows: words to look for, a category, an order."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from shop.product.models import Category, Product

PAGE_SIZE = 24
SORTS = {
    "newest": (_("Newest first"), ["-publish_at", "-pk"]),
    "name": (_("Name"), ["name", "pk"]),
    "price": (_("Price: low to high"), ["price_from", "name", "pk"]),
    "-price": (_("Price: high to low"), ["-price_to", "name", "pk"]),
}
MOST_WORDS = 8  # more only make the search slower


class ListingForm(forms.Form):
    q = forms.CharField(required=False, max_length=100)
    category = forms.CharField(required=False, max_length=80)
    sort = forms.ChoiceField(required=False, choices=[(key, label) for key, (label, _order) in SORTS.items()])


def menu(categories: Iterable[Category], category: Category | None) -> list[Category]:
    """The top of the tree, opened down to the category and what is right below it."""
    below = defaultdict(list)
    for each in categories:
        below[each.parent_id].append(each)

    def opened(parent: int | None) -> Iterator[Category]:
        for each in below[parent]:
            yield each
            if category is not None and category.path.startswith(each.path):
                yield from opened(each.pk)

    return [*opened(None)]


def find_products(*, q: str = "", category: Category | None = None, sort: str = "newest") -> Any:
    """The products on sale in which each word of `q` is found, whatever its accents, as a queryset for cards."""
    products = Product.objects.on_sale().for_cards()
    if category is not None:
        products = products.within(category)
    for word in q.split()[:MOST_WORDS]:
        products = products.filter(
            Q(name__unaccent__icontains=word)
            | Q(summary__unaccent__icontains=word)
            | Q(category__name__unaccent__icontains=word)
        )
    return products.order_by(*SORTS[sort][1])
