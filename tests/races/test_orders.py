"""Many shoppers at once for the last item, and one shopper's post twenty times over."""

import threading
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.models import Q
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.stepup import policy
from accounts.stepup.browser import browser_of
from accounts.stepup.challenges import Asker, credentials_of
from accounts.stepup.models import Challenge, Grant, Purpose
from shop.cart.models import Cart, CartLine
from shop.checkout import services
from shop.checkout.models import Checkout
from shop.checkout.quote import quote_of
from shop.order.models import Order
from shop.payment.base import Card, Outcome
from shop.payment.models import DemoCharge, Payment
from shop.product.models import Category, Hold, Product, Variant
from shop.product.stock import HOLD_LIFE, OutOfStock, place_hold, release_lapsed
from tests.conftest import in_threads

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

CARD = Card("4242424242424242")


@pytest.fixture
def last_item():
    category = Category.objects.create(name="Kitchen", slug="kitchen")
    product = Product.objects.create(category=category, name="Teapot", slug="teapot")
    return Variant.objects.create(product=product, sku="TEA", price=Decimal("30.00"), on_hand=1)


def approved_buyer(number, variant):
    """Somebody with the item in the cart and an unused approval for it, whose hold has lapsed."""
    user = User.objects.create_user(email=f"buyer{number}@example.org")
    cart = Cart.objects.create(user=user)
    CartLine.objects.create(cart=cart, variant=variant, quantity=1, price_seen=variant.price)
    checkout = Checkout.objects.create(
        cart=cart,
        email=user.email,
        delivery_method="standard",
        name="B",
        line1="1",
        postcode="1",
        city="B",
        country="DE",
    )
    asker = Asker(browser=f"{number:064d}", user=user)
    grant_for(asker, quote_of(cart, checkout).digest)
    return asker, Q(pk=cart.pk), checkout.attempt_token


def grant_for(asker, digest):
    now = timezone.now()
    challenge = Challenge.objects.create(
        user=asker.user, browser=asker.browser, purpose=Purpose.PAY, context_digest=digest, next_path="/",
        factor="email", code_key="", attempts_left=1, expires_at=now, state=Challenge.State.PASSED,
        credentials=credentials_of(asker.user),
    )  # fmt: skip
    return Grant.objects.create(
        challenge=challenge, user=asker.user, browser=asker.browser, purpose=Purpose.PAY, context_digest=digest,
        factor="email", strength=1, granted_at=now, expires_at=now + policy.rule(Purpose.PAY, asker.user).grant_life,
    )  # fmt: skip


def buy(asker, own_cart, token):
    order = services.place_order(own_cart=own_cart, attempt_token=token, asker=asker)
    return services.pay_order(order=order, attempt=1, card=CARD)


def test_fifty_buyers_of_one_item_make_one_order(last_item):
    buyers = [approved_buyer(number, last_item) for number in range(50)]
    results = in_threads(50, lambda n: buy(*buyers[n]))
    assert sorted(type(result).__name__ for result in results) == ["OutOfStock"] * 49 + ["Payment"]
    assert Order.objects.count() == DemoCharge.objects.count() == 1
    last_item.refresh_from_db()
    assert (last_item.on_hand, last_item.reserved) == (0, 0)
    assert Grant.objects.filter(used_at=None).count() == 49  # nobody's approval is lost


def test_control_reading_before_writing_sells_one_item_to_many(last_item):
    """What happens without the conditional UPDATE: everybody has seen the one that is there."""
    all_have_seen = threading.Barrier(20)

    def naive(_number):
        seen = Variant.objects.get(pk=last_item.pk)
        all_have_seen.wait()
        if seen.on_hand < 1:
            return "sold out"
        Variant.objects.filter(pk=seen.pk).update(on_hand=seen.on_hand - 1)
        return "sold"

    assert in_threads(20, naive).count("sold") > 1
    last_item.refresh_from_db()
    assert last_item.on_hand == 0  # and the books look right


def test_twenty_equal_posts_make_one_order_and_one_charge(last_item, ben):
    Variant.objects.update(on_hand=9)
    client = Client()
    client.force_login(ben)
    cart = Cart.objects.create(user=ben)
    CartLine.objects.create(cart=cart, variant=last_item, quantity=1, price_seen=last_item.price)
    checkout = Checkout.objects.create(
        cart=cart,
        email=ben.email,
        delivery_method="standard",
        name="B",
        line1="1",
        postcode="1",
        city="B",
        country="DE",
    )
    session = client.session
    request = type("Request", (), {"session": session})()
    browser = browser_of(request)
    session.save()
    grant_for(Asker(browser=browser, user=ben), quote_of(cart, checkout).digest)
    form = {"card": CARD.number, "attempt_token": str(checkout.attempt_token), "attempt": 1}

    def post(_number):
        again = Client()
        again.cookies = client.cookies.copy()
        return again.post("/checkout/pay/", form)

    answers = in_threads(20, post)
    order = Order.objects.get()
    assert {answer.url for answer in answers} == {order.get_absolute_url()}
    assert (order.state, DemoCharge.objects.count(), Payment.objects.count()) == ("paid", 1, 1)
    last_item.refresh_from_db()
    assert (last_item.on_hand, last_item.reserved) == (8, 0)


def test_control_looking_for_a_charge_before_making_one_charges_many_times():
    """What happens without the payment row that is unique for its attempt: everybody finds no charge yet."""
    all_have_looked = threading.Barrier(20)

    def naive(_number):
        found = DemoCharge.objects.exists()
        all_have_looked.wait()
        if not found:
            DemoCharge.objects.create(idempotency_key=uuid4(), amount=1, currency="EUR", outcome="authorised")

    in_threads(20, naive)
    assert DemoCharge.objects.count() > 1


def test_one_payment_settled_by_page_and_task_at_once_sells_once(last_item):
    asker, own_cart, token = approved_buyer(1, last_item)
    order = services.place_order(own_cart=own_cart, attempt_token=token, asker=asker)
    payment = Payment.objects.create(order=order, attempt=1, provider="demo", amount=order.total, currency="EUR")
    outcome = Outcome(Payment.State.AUTHORISED, "demo-1")

    def settle(_number):
        return services.settle(Payment.objects.select_related("order__user").get(pk=payment.pk), outcome)

    assert sorted(map(str, in_threads(10, settle))) == ["None"] * 9 + ["authorised"]
    last_item.refresh_from_db()
    assert (last_item.on_hand, last_item.reserved) == (0, 0)
    assert Order.objects.get().state == "paid"


def test_a_hold_that_lapses_while_it_is_paid_for_is_sold_once(last_item):
    """The sweep, another buyer and the payment meet at the moment the hold is over."""
    asker, own_cart, token = approved_buyer(1, last_item)
    order = services.place_order(own_cart=own_cart, attempt_token=token, asker=asker)
    payment = Payment.objects.create(order=order, attempt=1, provider="demo", amount=order.total, currency="EUR")
    over = timezone.now() + HOLD_LIFE
    rival = approved_buyer(2, last_item)

    def one_of_three(number):
        if number == 0:
            return services.settle(payment, Outcome(Payment.State.AUTHORISED, "demo-1"), over)
        if number == 1:
            return release_lapsed(over)
        try:
            return place_hold(rival[2], {last_item.pk: 1}, over)
        except OutOfStock as missing:
            return missing

    in_threads(3, one_of_three)
    last_item.refresh_from_db()
    order.refresh_from_db()
    held = Hold.objects.filter(holder=rival[2]).count()
    assert (order.state, held) in [("paid", 0), ("cancelled", 1)]
    assert (last_item.on_hand, last_item.reserved) == ((0, 0) if order.state == "paid" else (1, 1))
