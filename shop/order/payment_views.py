"""How an order was approved and paid, and a statement of it to print: with a proof, for whom it belongs to."""

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts import audit
from accounts.stepup import grants
from accounts.stepup.challenges import ChallengeOver, begin
from accounts.stepup.decorators import step_up
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Purpose
from accounts.stepup.requests import asker_of
from shop.order.models import Order
from shop.order.views import own_order

Page = Callable[[HttpRequest, Order], HttpResponse]


def _with_proof(page: Page) -> Callable[[HttpRequest, str], HttpResponse]:
    """The person's proof is asked for as everywhere; a guest's by the contact that approved the payment."""

    def shown(request: HttpRequest, order: Order) -> HttpResponse:
        audit.record(
            audit.Kind.PAYMENT_DETAILS_VIEWED,
            user=order.user,
            contact="" if order.user else _contact(order),
            request=request,
            order=order.code,
        )
        return page(request, order)

    @login_not_required
    @never_cache
    @require_GET
    @wraps(page)
    def view(request: HttpRequest, code: str) -> HttpResponse:
        order = own_order(request, code)
        if order.user_id:
            return step_up(Purpose.VIEW_PAYMENT_DETAILS)(shown)(request, order)
        return _ask_guest(request, order) or shown(request, order)

    return view


def _ask_guest(request: HttpRequest, order: Order) -> HttpResponse | None:
    """None where the guest has proven it in the last minutes. Looking uses nothing up: it is looked at twice."""
    purpose, contact = Purpose.VIEW_PAYMENT_DETAILS, _contact(order)
    asker, digest = asker_of(request, contact=contact), context_digest(purpose, {"order": order.code})
    if grants.find(browser=asker.browser, purpose=purpose, digest=digest, contact=contact):
        return None
    try:
        challenge = begin(asker=asker, purpose=purpose, digest=digest, next_path=request.path)
    except ChallengeOver:  # two tabs at the same moment
        messages.info(request, _("Please try again."))
        return redirect(order)
    return redirect("stepup:challenge", challenge.pk)


@_with_proof
def payment(request: HttpRequest, order: Order) -> HttpResponse:
    context = {
        "order": order,
        "fingerprint": bytes(order.context_digest).hex(),
        "payments": order.payments.order_by("attempt").prefetch_related("refunds"),
    }
    return render(request, "order/payment.html", context)


@_with_proof
def statement(request: HttpRequest, order: Order) -> HttpResponse:
    """Made to be printed; no tax invoice, which has a number of its own."""
    paid = order.payments.exclude(card_ending="").order_by("-attempt").first()
    context = {"order": order, "payment": paid, "tax_rate": f"{settings.TAX_RATE * 100:.0f}"}
    return render(request, "order/statement.html", context)


def _contact(order: Order) -> str:
    """The one that approved the payment of a guest."""
    return order.phone or order.email
