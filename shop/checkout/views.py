"""address → delivery → review → approve → pay → order."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.factors.registry import has_strong_factor
from accounts.models import Address
from accounts.stepup import policy
from accounts.stepup.challenges import Asker, ChallengeOver
from accounts.stepup.models import Challenge
from accounts.stepup.requests import asker_of, signed_in
from shop.cart.services import cart_of, owned_by
from shop.checkout.delivery import cheapest
from shop.checkout.device import device_of, keep_device, name_device
from shop.checkout.forms import AddressForm, CardForm, DeliveryForm, method_choices
from shop.checkout.models import Checkout
from shop.checkout.quote import ADDRESS_FIELDS, Quote, quote_of
from shop.checkout.services import (
    CartChanged,
    NothingToPay,
    PaymentUnderWay,
    approved_quote,
    pay_order,
    place_order,
    start_approval,
)
from shop.order.models import Order
from shop.payment.base import Card
from shop.payment.models import Payment
from shop.product.stock import OutOfStock


@login_not_required
@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """Go on where the shopper left off."""
    quote = _quote(request)
    if quote is None:
        return _empty(request)
    if not quote.checkout.line1:
        return redirect("checkout:address")
    return redirect("checkout:review" if quote.checkout.delivery_method else "checkout:delivery")


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def address(request: HttpRequest) -> HttpResponse:
    quote = _quote(request)
    if quote is None:
        return _empty(request)
    guest = not request.user.is_authenticated
    checkout = quote.checkout
    if request.method == "GET":
        initial = {} if checkout.line1 or guest else _known_address(request.user)
        return _step(request, "address", quote, form=AddressForm(instance=checkout, initial=initial, guest=guest))
    form = AddressForm(request.POST, instance=checkout, guest=guest)
    if not form.is_valid():
        return _step(request, "address", quote, form=form, status=422)
    checkout.delivery_method = checkout.delivery_method or cheapest(quote.subtotal).code
    form.save()
    if not guest:
        Address.objects.get_or_create(
            user=signed_in(request), **{field: form.cleaned_data[field] for field in ADDRESS_FIELDS}
        )
    return redirect("checkout:review")


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def delivery(request: HttpRequest) -> HttpResponse:
    quote = _quote(request)
    if quote is None:
        return _empty(request)
    if not quote.checkout.line1:
        return redirect("checkout:address")
    methods = method_choices(quote.subtotal)
    form = DeliveryForm(request.POST if request.method == "POST" else None)
    if request.method == "GET" or not form.is_valid():
        status = 200 if request.method == "GET" else 422
        return _step(request, "delivery", quote, form=form, methods=methods, status=status)
    Checkout.objects.filter(pk=quote.checkout.pk).update(delivery_method=form.cleaned_data["delivery_method"])
    return redirect("checkout:review")


@login_not_required
@never_cache
@require_GET
def review(request: HttpRequest) -> HttpResponse:
    quote = _quote(request)
    if quote is None:
        return _empty(request)
    if not quote.checkout.line1 or quote.delivery_fee is None:
        return redirect("checkout:start")
    could_enrol = request.user.is_authenticated and not has_strong_factor(request.user)
    return _step(request, "review", quote, changes=quote.changes_since_approval(), could_enrol=could_enrol)


@login_not_required
@never_cache
@require_POST
def approve(request: HttpRequest) -> HttpResponse:
    """Set the goods aside and ask for the proof that is bound to exactly this purchase."""
    quote = _quote(request)
    if quote is None:
        return _empty(request)
    asker = _asker(request, quote.checkout)
    if asker is None or quote.delivery_fee is None:
        return redirect("checkout:start")
    if request.POST.get("shown_total") != f"{quote.total:f}":
        messages.warning(request, _("The total has changed since you saw it. Please look again before you approve."))
        return redirect("checkout:review")
    try:
        approved_quote(cart=quote.checkout.cart, checkout=quote.checkout, asker=asker)
        return redirect("checkout:pay")  # approved already, and nothing has changed: the back button
    except CartChanged:
        pass
    try:
        challenge = start_approval(
            cart=quote.checkout.cart, asker=asker, next_path=reverse("checkout:pay"), device=device_of(request)
        )
    except NothingToPay:
        return _empty(request)
    except OutOfStock:
        return _sold_out(request)
    except PaymentUnderWay:
        return _under_way(request, quote.checkout)
    except policy.NoFactor as why:
        messages.error(request, str(why))
        return redirect("checkout:review")
    except ChallengeOver:
        return redirect("checkout:review")  # another tab began a different approval at the same moment
    if challenge.state == Challenge.State.PASSED:
        return redirect("checkout:pay")  # the shop's rules spare it
    return redirect("stepup:challenge", challenge.pk)


@login_not_required
@never_cache
@sensitive_post_parameters("card")
@require_http_methods(["GET", "POST"])
def pay(request: HttpRequest) -> HttpResponse:
    """Take the card, place the order, ask for its money."""
    if request.method == "GET":
        return _show_card_form(request)
    response = _take_card(request)
    return keep_device(request, response) if request.user.is_authenticated and device_of(request) else response


def _show_card_form(request: HttpRequest) -> HttpResponse:
    quote = _quote(request)
    if quote is None:
        return _empty(request)
    asker = _asker(request, quote.checkout)
    if asker is None:
        return redirect("checkout:start")
    try:
        approved_quote(cart=quote.checkout.cart, checkout=quote.checkout, asker=asker)
    except NothingToPay:
        return _empty(request)
    except CartChanged as changed:
        return _approve_again(request, changed)
    return _step(request, "pay", quote, form=_card_form(quote.checkout))


def _take_card(request: HttpRequest) -> HttpResponse:
    form = CardForm(request.POST)
    if not form.is_valid():
        quote = None if {"attempt_token", "attempt"} & form.errors.keys() else _quote(request)
        return _step(request, "pay", quote, form=form, status=422) if quote else redirect("checkout:pay")
    token = form.cleaned_data["attempt_token"]
    asker = _asker_of_attempt(request, token)
    if asker is None:
        return redirect("checkout:start")
    own_cart = owned_by(request.session, request.user)
    try:
        order = place_order(own_cart=own_cart, attempt_token=token, asker=asker, device=name_device(request))
    except NothingToPay:
        return _empty(request)
    except CartChanged as changed:
        return _approve_again(request, changed)
    except OutOfStock:
        return _sold_out(request)
    try:
        payment = pay_order(order=order, attempt=form.cleaned_data["attempt"], card=Card(form.cleaned_data["card"]))
    except PaymentUnderWay:
        return redirect("order:detail", order.code)
    if payment is None or payment.state not in (Payment.State.DECLINED, Payment.State.FAILED):
        return redirect("order:detail", order.code)
    quote = _quote(request)
    if quote is None:
        return redirect("checkout:start")
    refusal = (
        _("Your bank declined this card. Nothing was charged; your goods stay set aside. Try another card.")
        if payment.state == Payment.State.DECLINED
        else _("The payment did not go through this time, and nothing was charged. Please try again.")
    )
    return _step(request, "pay", quote, form=_card_form(quote.checkout), refusal=refusal, status=422)


def _quote(request: HttpRequest) -> Quote | None:
    """The visitor's cart and how far its checkout has come; None for an empty cart."""
    cart = cart_of(request.session, request.user)
    if cart is None:
        return None
    checkout = Checkout.objects.select_related("cart").filter(cart=cart).first() or Checkout(cart=cart)
    quote = quote_of(cart, checkout)
    return quote if quote.lines else None


def _asker(request: HttpRequest, checkout: Checkout) -> Asker | None:
    """Who approves: the signed-in person, or the guest by the phone, or else the mailbox, of the address page."""
    if request.user.is_authenticated:
        return asker_of(request)
    contact = checkout.phone or checkout.email
    return asker_of(request, contact=contact) if contact else None


def _asker_of_attempt(request: HttpRequest, attempt_token: UUID) -> Asker | None:
    """Who pays; of a guest whose order is paid the checkout is gone, and a repeated post is answered by the order."""
    if request.user.is_authenticated:
        return asker_of(request)
    kept: Checkout | Order | None = Checkout.objects.filter(attempt_token=attempt_token).first()
    if kept is None:
        kept = Order.objects.filter(attempt_token=attempt_token).first()
    contact = (kept.phone or kept.email) if kept else ""
    return asker_of(request, contact=contact) if contact else None


def _known_address(user: Any) -> dict[str, Any]:
    saved = Address.objects.filter(user=user).order_by("-pk").first()
    kept = {field: getattr(saved, field) for field in ADDRESS_FIELDS} if saved else {"name": user.name}
    return kept | {"email": user.email or "", "phone": str(user.phone or "")}


def _card_form(checkout: Checkout) -> CardForm:
    tried = Payment.objects.filter(order__attempt_token=checkout.attempt_token).count()
    return CardForm(initial={"attempt_token": checkout.attempt_token, "attempt": tried + 1})


STEPS = [
    ("address", gettext_lazy("Address")),
    ("delivery", gettext_lazy("Delivery")),
    ("review", gettext_lazy("Review and approve")),
    ("pay", gettext_lazy("Pay")),
]


def _step(request: HttpRequest, step: str, quote: Quote, *, status: int = 200, **context: Any) -> HttpResponse:
    """One page of the checkout, with the way shown on top and the summary beside it."""
    at = [key for key, _label in STEPS].index(step)
    steps = [
        (
            key,
            label,
            reverse(f"checkout:{key}") if i < at else None,
            "done" if i < at else "current" if i == at else "todo",
        )
        for i, (key, label) in enumerate(STEPS)
    ]
    return render(request, f"checkout/{step}.html", context | {"quote": quote, "steps": steps}, status=status)


def _empty(request: HttpRequest) -> HttpResponse:
    messages.info(request, _("Your cart is empty, so there is nothing to pay."))
    return redirect("cart:detail")


def _sold_out(request: HttpRequest) -> HttpResponse:
    messages.error(
        request,
        _("Somebody was faster: not all of it is there any more. Nothing was charged. Your cart shows what is left."),
    )
    return redirect("cart:detail")


def _approve_again(request: HttpRequest, changed: CartChanged) -> HttpResponse:
    if changed.changes:
        messages.warning(
            request,
            _("Your order is not what you approved any more: %(changes)s") % {"changes": " ".join(changed.changes)},
        )
    else:
        messages.info(request, _("Please approve your order with a code before you pay."))
    return redirect("checkout:review")


def _under_way(request: HttpRequest, checkout: Checkout) -> HttpResponse:
    order = Order.objects.filter(cart_id=checkout.cart_id, state=Order.State.PENDING).first()
    messages.info(request, _("This order is being paid at this moment."))
    return redirect("order:detail", order.code) if order else redirect("cart:detail")
