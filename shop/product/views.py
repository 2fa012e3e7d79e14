from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from shop.product.listing import PAGE_SIZE, SORTS, ListingForm, find_products
from shop.product.models import Category, Product, Variant

NEW_ON_HOME = 8
FEW = 5  # from here down the page says how many are left


@login_not_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "product/home.html",
        {
            "categories": Category.objects.for_tiles(),
            "products": Product.objects.on_sale().for_cards().order_by("-created_at", "-pk")[:NEW_ON_HOME],
        },
    )


@login_not_required
@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    form = ListingForm(request.GET)
    form.is_valid()  # what is not understood is left out, but for a category, which is an address
    if "category" in form.errors:
        raise Http404
    q = form.cleaned_data.get("q", "")
    sort = form.cleaned_data.get("sort") or "newest"
    categories = list(Category.objects.in_order())
    slug = form.cleaned_data["category"]
    category = next((category for category in categories if category.slug == slug), None)
    if slug and category is None:
        raise Http404
    page_obj = Paginator(find_products(q=q, category=category, sort=sort), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(
        request,
        "product/list.html",
        {
            "q": q,
            "sort": sort,
            "sorts": [(key, label) for key, (label, _order) in SORTS.items()],
            "categories": categories,
            "category": category,
            "page_obj": page_obj,
            "crumbs": [
                (_("Home"), reverse("product:home")),
                (_("Products"), reverse("product:list") if category else None),
                *([(category.name, None)] if category else []),
            ],
        },
    )


@login_not_required
@require_safe
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    variants = list(Variant.objects.on_sale().with_free().with_option_names().filter(product__slug=slug).order_by("pk"))
    if not variants:
        raise Http404
    product = variants[0].product
    prices = {variant.price_now for variant in variants}
    return render(
        request,
        "product/detail.html",
        {
            "product": product,
            "variants": variants,
            "option": ", ".join(variants[0].option_names),
            "chosen": next((variant for variant in variants if variant.free > 0), None),
            "price_from": min(prices),
            "several_prices": len(prices) > 1,
            "few": FEW,
            "most": max(variant.free for variant in variants),
            "crumbs": [
                (_("Home"), reverse("product:home")),
                (product.category.name, product.category.get_absolute_url()),
                (product.name, None),
            ],
        },
    )
