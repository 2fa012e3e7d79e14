from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.core.files.storage import default_storage
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_POST, require_safe

from shop.product.listing import PAGE_SIZE, SORTS, ListingForm, find_products, menu
from shop.product.models import Category, Product
from shop.product.page import find_page

NEW_ON_HOME = 8
REDUCED_ON_HOME = 4


@login_not_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    cards = Product.objects.on_sale().for_cards().order_by("-publish_at", "-pk")
    return render(
        request,
        "product/home.html",
        {
            "categories": Category.objects.for_tiles(),
            "reduced": cards.reduced()[:REDUCED_ON_HOME],
            "products": cards[:NEW_ON_HOME],
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
    above = [each for each in categories if category and category.path.startswith(each.path) and each != category]
    above.sort(key=lambda each: each.level)
    page_obj = Paginator(find_products(q=q, category=category, sort=sort), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(
        request,
        "product/list.html",
        {
            "q": q,
            "sort": sort,
            "sorts": [(key, label) for key, (label, _order) in SORTS.items()],
            "categories": menu(categories, category),
            "category": category,
            "page_obj": page_obj,
            "crumbs": [
                (_("Home"), reverse("product:home")),
                (_("Products"), reverse("product:list") if category else None),
                *[(each.name, each.get_absolute_url()) for each in above],
                *([(category.name, None)] if category else []),
            ],
        },
    )


@login_not_required
@require_safe
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    page = find_page(slug, request.GET)
    is_preview = page is None and _may_preview(request)
    if is_preview:
        page = find_page(slug, request.GET, drafts=True)
    if page is None:
        raise Http404
    product = page.product
    return render(
        request,
        "product/detail.html",
        {
            "product": product,
            "page": page,
            "is_preview": is_preview,
            "crumbs": [
                (_("Home"), reverse("product:home")),
                *[(each["name"], f"{reverse('product:list')}?category={each['slug']}") for each in product.above],
                (product.name, None),
            ],
        },
    )


@login_not_required
@require_POST
def choose(request: HttpRequest, slug: str) -> HttpResponse:
    """Without JavaScript: from what is ticked in the form to the page that shows its price and its picture."""
    ticked = [(name, request.POST[name]) for name in request.POST if name == "variant" or name.startswith("option-")]
    return redirect(f"{reverse('product:detail', args=[slug])}?{urlencode(ticked)}")


@login_not_required
@require_safe
@cache_control(public=True, max_age=365 * 24 * 3600, immutable=True)
def picture(request: HttpRequest, name: str) -> FileResponse:
    """An upload, which never changes under its name."""
    if not default_storage.exists(name):
        raise Http404
    return FileResponse(default_storage.open(name), content_type=f"image/{name.rpartition('.')[2]}")


def _may_preview(request: HttpRequest) -> bool:
    return admin.site.has_permission(request) and request.user.has_perm("product.view_product")
