from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.middleware import HtmxDetails

from shop.cart import services
from shop.cart.forms import AddForm, LineForm, UpdateForm
from shop.cart.models import Cart
from shop.product.models import Product


class HtmxRequest(HttpRequest):
    htmx: HtmxDetails


@login_not_required
@never_cache
@require_safe
def detail(request: HttpRequest) -> HttpResponse:
    cart = services.cart_of(request.session, request.user)
    return render(request, "cart/detail.html", _shown(cart))


@login_not_required
@require_POST
def add(request: HtmxRequest) -> HttpResponse:
    form = AddForm(request.POST)
    if not form.is_valid():
        return _not_added(request, _first_error(form))
    variant_id, quantity = form.cleaned_data["variant"], form.cleaned_data["quantity"]
    try:
        added = services.add(session=request.session, user=request.user, variant_id=variant_id, quantity=quantity)
    except services.NotSold:
        raise Http404 from None
    except services.NotEnough as refusal:
        return _not_added(request, refusal.words, refusal.variant.product)
    words = ngettext("%(n)d × %(name)s is in your cart.", "%(n)d × %(name)s are in your cart.", added.in_cart) % {
        "n": added.in_cart,
        "name": added.variant,
    }
    if request.htmx:
        return render(request, "cart/_added.html", {"words": words, "cart_count": added.count})
    messages.success(request, words)
    return redirect("cart:detail")


@login_not_required
@require_POST
def update(request: HtmxRequest) -> HttpResponse:
    cart = services.cart_of(request.session, request.user)
    form = UpdateForm(request.POST)
    if cart is None:
        return _changed(request, cart)
    if not form.is_valid():
        return _changed(request, cart, error=_first_error(form))
    variant_id, quantity = form.cleaned_data["variant"], form.cleaned_data["quantity"]
    error = ""
    try:
        services.set_quantity(cart=cart, variant_id=variant_id, quantity=quantity)
    except services.NotSold:
        error = _("We don't sell this any more. Please remove it from your cart.")
    except services.NotEnough as refusal:
        error = refusal.words
    return _changed(request, cart, error=error, variant_id=variant_id if quantity else None)


@login_not_required
@require_POST
def remove(request: HtmxRequest) -> HttpResponse:
    cart = services.cart_of(request.session, request.user)
    form = LineForm(request.POST)
    if cart and form.is_valid():
        services.remove(cart=cart, variant_id=form.cleaned_data["variant"])
    return _changed(request, cart)


def _shown(cart: Cart | None) -> dict[str, Any]:
    lines = services.lines_of(cart)
    return {
        "lines": lines,
        "subtotal": services.subtotal_of(lines),
        "ready": all(line.can_be_bought for line in lines),
        "cart_count": sum(line.quantity for line in lines),
    }


def _changed(request: HtmxRequest, cart: Cart | None, error: str = "", variant_id: int | None = None) -> HttpResponse:
    """The cart as it is now: the part of the page for htmx, else the page, at its own address if all went well."""
    if error:
        messages.error(request, error)
    elif not request.htmx:
        return redirect("cart:detail")
    template = "cart/_changed.html" if request.htmx else "cart/detail.html"
    focus = {"changed": variant_id, "focus": variant_id is None} if request.htmx else {}
    return render(request, template, _shown(cart) | focus, status=422 if error else 200)


def _not_added(request: HtmxRequest, words: str, product: Product | None = None) -> HttpResponse:
    template = "cart/_not_added.html" if request.htmx else "cart/not_added.html"
    return render(request, template, {"words": words, "product": product}, status=422)


def _first_error(form: LineForm) -> str:
    return next(str(errors[0]) for errors in form.errors.values())
