from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.stepup.browser import browser_of
from accounts.stepup.requests import signed_in
from shop.order.models import Order


@never_cache
@require_GET
def order_list(request: HttpRequest) -> HttpResponse:
    orders = Order.objects.filter(user=signed_in(request)).exclude(state=Order.State.PENDING).prefetch_related("lines")
    page = Paginator(orders.order_by("-placed_at", "-pk"), 10).get_page(request.GET.get("page"))
    return render(request, "order/list.html", {"page_obj": page})


@login_not_required
@never_cache
@require_GET
def detail(request: HttpRequest, code: str) -> HttpResponse:
    return render(request, "order/detail.html", {"order": own_order(request, code)})


def own_order(request: HttpRequest, code: str) -> Order:
    """One's own: the person's, or the guest's in the browser that placed it. To all others it doesn't exist."""
    order = Order.objects.prefetch_related("lines", "events").filter(code=code.upper()).first()
    if order is None or not _may_see(request, order):
        raise Http404
    return order


def _may_see(request: HttpRequest, order: Order) -> bool:
    if order.user_id:
        return bool(request.user.is_authenticated and order.user_id == request.user.pk)
    return order.browser == browser_of(request)
