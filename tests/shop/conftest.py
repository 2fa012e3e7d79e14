"""What the shop's tests share: staff who have proven it, goods, a cart on its way, an approval."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from accounts.factors.base import Strength
from accounts.stepup.models import Challenge, Purpose
from shop.cart.models import Cart, CartLine
from shop.checkout.models import Checkout
from shop.product.models import Category, Product, Variant
from tests.codes import code_of

ADDRESS = {
    "name": "Ada Long", "line1": "Long Lane 1", "line2": "", "postcode": "10115", "city": "Berlin", "country": "DE",
}  # fmt: skip


@pytest.fixture
def teapot(db):
    category = Category.objects.create(name="Kitchen", slug="kitchen")
    long_ago = timezone.now() - timedelta(days=365)
    product = Product.objects.create(category=category, name="Teapot", slug="teapot", publish_at=long_ago)
    return Variant.objects.create(product=product, sku="TEA", price=Decimal("30.00"), on_hand=5)


@pytest.fixture
def more_variants(teapot):
    return [
        Variant.objects.create(
            product=teapot.product, sku=f"TEA-{n}", name=f"No. {n}", price=Decimal("3.50"), on_hand=9
        )
        for n in range(4)
    ]


@pytest.fixture
def fill_cart(teapot):
    """Fill a person's cart and say where it goes: everything before the review."""

    def fill(user, variants=None, quantity=1):
        cart, _ = Cart.objects.get_or_create(user=user)
        for variant in variants or [teapot]:
            CartLine.objects.create(cart=cart, variant=variant, quantity=quantity, price_seen=variant.price)
        Checkout.objects.create(
            cart=cart, email=user.email or "", phone=str(user.phone or ""), delivery_method="standard", **ADDRESS
        )
        return cart

    return fill


@pytest.fixture
def approve():
    """Press approve, type the code, and be at the payment."""

    def run(client):
        shown = client.get("/checkout/review/").context["quote"].total
        response = client.post("/checkout/approve/", {"shown_total": f"{shown:f}"})
        challenge = Challenge.objects.filter(purpose=Purpose.PAY).latest("requested_at")
        assert response.url == f"/account/challenge/{challenge.pk}/"
        response = client.post(response.url, {"code": code_of(challenge)})
        assert response.url == "/checkout/pay/"
        return challenge

    return run


@pytest.fixture
def card_form():
    """What the payment form of this page would post."""

    def read(client, card="4242 4242 4242 4242"):
        form = client.get("/checkout/pay/").context["form"]
        return {"card": card, "attempt_token": str(form["attempt_token"].value()), "attempt": form["attempt"].value()}

    return read


@pytest.fixture
def as_staff():
    """A browser in which this member of staff signed in, with an authenticator unless said otherwise."""

    def sign_in(user, strength: Strength = Strength.AUTHENTICATOR, at: datetime | None = None) -> Client:
        client = Client()
        client.force_login(user)
        session = client.session
        session["level"] = {
            "strength": int(strength), "factor": "authenticator", "at": (at or timezone.now()).isoformat()
        }  # fmt: skip
        if strength >= Strength.AUTHENTICATOR:
            session["otp_device_id"] = user.authenticators.get().persistent_id
        session.save()
        return client

    return sign_in
