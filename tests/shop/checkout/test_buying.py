"""The way from a cart to a paid order, and every way in which it may go wrong."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db.models import Q
from django.test import Client
from django.utils import timezone

from accounts.delivery.models import Message
from accounts.stepup.models import Challenge, Grant
from shop.cart.models import CartLine
from shop.checkout import services
from shop.order.models import Order
from shop.payment.demo import DECLINES, NEEDS_A_RETRY
from shop.payment.models import DemoCharge, Payment
from shop.product.models import Hold, Variant
from tests.servers.phone import Phone, by
from tests.shop.conftest import ADDRESS

pytestmark = pytest.mark.django_db


@pytest.fixture
def ben_client(client, ben, fill_cart):
    fill_cart(ben)
    client.force_login(ben)
    return client


def stock_of(variant):
    variant.refresh_from_db()
    return variant.on_hand, variant.reserved


def test_an_approved_order_is_paid_and_the_goods_leave_the_stock(ben_client, ben, teapot, approve, card_form):
    approve(ben_client)
    assert stock_of(teapot) == (5, 1)
    response = ben_client.post("/checkout/pay/", card_form(ben_client))
    order = Order.objects.get()
    assert response.url == order.get_absolute_url()
    assert (order.state, order.user, order.total, order.approved_by) == ("paid", ben, Decimal("34.90"), "email")
    assert order.tax == Decimal("5.57")  # 34.90 - 34.90 / 1.19
    assert stock_of(teapot) == (4, 0)
    assert not CartLine.objects.exists()
    assert DemoCharge.objects.get().amount == order.total
    assert Message.objects.get(kind=Message.Kind.ORDER).destination == "ben@example.org"
    page = ben_client.get(response.url)
    assert "Teapot" in page.content.decode()
    assert order.code in ben_client.get("/orders/").content.decode()


def test_a_guest_proves_a_phone_and_pays(client, teapot, approve, card_form):
    client.post("/cart/add/", {"variant": teapot.pk, "quantity": 2})
    response = client.post("/checkout/address/", ADDRESS | {"phone": "01512 3456789", "email": ""})
    assert response.url == "/checkout/review/"
    assert client.post("/checkout/delivery/", {"delivery_method": "express"}).url == "/checkout/review/"
    challenge = approve(client)
    assert (challenge.user, challenge.contact, challenge.factor) == (None, "+4915123456789", "text")
    response = client.post("/checkout/pay/", card_form(client))
    order = Order.objects.get()
    assert (order.state, order.user, order.total) == ("paid", None, Decimal("69.90"))
    assert client.get(response.url).status_code == 200
    assert Client().get(response.url).status_code == 404
    assert Message.objects.get(kind=Message.Kind.ORDER).channel == "text"


def test_a_guest_proves_a_landline_by_call_and_pays(client, teapot, card_form, deliver, twilio):
    client.post("/cart/add/", {"variant": teapot.pk, "quantity": 1})
    client.post("/checkout/address/", ADDRESS | {"phone": "030 90182099", "email": ""})
    client.post("/checkout/delivery/", {"delivery_method": "express"})
    page = client.post("/checkout/approve/", {"shown_total": "39.90"}).url
    assert "We call <strong" in client.get(page).content.decode()
    deliver()

    heard = Phone(twilio, through=by(Client())).takes(twilio.calls[0], presses="1")
    assert " ".join(heard.after[0].split()) == "Your code to pay € 39.90 to Countersign is:"
    assert client.post(page, {"code": heard.digits[6:]}).url == "/checkout/pay/"
    client.post("/checkout/pay/", card_form(client))
    order = Order.objects.get()
    assert (order.state, order.approved_by, str(order.phone)) == ("paid", "call", "+493090182099")


def test_a_new_phone_approves_no_payment_by_call_either(client, ada, fill_cart):
    fill_cart(ada)
    client.force_login(ada)
    ada.phones.update(approves_payments_from=timezone.now() + timedelta(hours=72))
    page = client.post("/checkout/approve/", {"shown_total": "34.90"}).url
    shown = client.get(page).content.decode()
    assert "Open your authenticator app" in shown  # a phone that was changed lately asks for more than mail, too
    assert "Text a code" not in shown and "and say a code" not in shown and "E-mail a code" not in shown
    assert client.post(f"{page}send/", {"factor": "call"}).status_code == 410
    assert not Message.objects.exists()


def test_a_declined_card_leaves_the_cart_and_the_stock_right_and_another_card_pays(
    ben_client, teapot, approve, card_form
):
    approve(ben_client)
    response = ben_client.post("/checkout/pay/", card_form(ben_client, DECLINES))
    assert response.status_code == 422
    assert "declined" in response.content.decode()
    assert CartLine.objects.count() == 1
    assert stock_of(teapot) == (5, 1)  # still set aside, for the next card
    assert Order.objects.get().state == "pending"
    ben_client.post("/checkout/pay/", card_form(ben_client))
    assert Order.objects.get().state == "paid"
    assert list(Payment.objects.order_by("attempt").values_list("state", flat=True)) == ["declined", "authorised"]
    assert Grant.objects.count() == 1  # the same purchase needs no second approval


def test_a_card_that_needs_a_retry_pays_at_the_second_try(ben_client, approve, card_form):
    approve(ben_client)
    response = ben_client.post("/checkout/pay/", card_form(ben_client, NEEDS_A_RETRY))
    assert "nothing was charged" in response.content.decode()
    response = ben_client.post("/checkout/pay/", card_form(ben_client, NEEDS_A_RETRY))
    assert response.url == Order.objects.get(state="paid").get_absolute_url()


def test_a_declined_order_that_nobody_pays_is_cancelled_and_its_hold_released(ben_client, teapot, approve, card_form):
    approve(ben_client)
    ben_client.post("/checkout/pay/", card_form(ben_client, DECLINES))
    services.settle_open(timezone.now() + timedelta(hours=2))
    assert Order.objects.get().state == "cancelled"
    assert stock_of(teapot) == (5, 0)
    assert CartLine.objects.count() == 1


def test_without_an_approval_there_is_no_order(ben_client, fill_cart):
    response = ben_client.get("/checkout/pay/")
    assert response.url == "/checkout/review/"
    token = ben_client.get("/checkout/review/").context["quote"].checkout.attempt_token
    response = ben_client.post("/checkout/pay/", {"card": "4242424242424242", "attempt_token": token, "attempt": 1})
    assert response.url == "/checkout/review/"
    assert not Order.objects.exists()
    assert not DemoCharge.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda teapot: Variant.objects.filter(pk=teapot.pk).update(price=Decimal("31.00")),
        lambda teapot: Variant.objects.filter(pk=teapot.pk).update(sale_price=Decimal("29.00")),
        lambda teapot: CartLine.objects.update(quantity=2),
        lambda teapot: services.Checkout.objects.update(line1="Mallory Street 13"),
        lambda teapot: services.Checkout.objects.update(delivery_method="express"),
        lambda teapot: services.Checkout.objects.update(email="mallory@example.net"),
    ],
    ids=["price", "sale", "quantity", "address", "delivery", "contact"],
)
def test_a_purchase_that_changed_after_the_approval_is_not_ordered(ben_client, teapot, approve, card_form, change):
    approve(ben_client)
    form = card_form(ben_client)
    change(teapot)
    response = ben_client.post("/checkout/pay/", form, follow=True)
    assert "not what you approved any more" in response.content.decode()
    assert not Order.objects.exists()
    assert not DemoCharge.objects.exists()
    approve(ben_client)  # a new proof, for what it is now
    ben_client.post("/checkout/pay/", card_form(ben_client))
    assert Order.objects.get().state == "paid"


def test_the_total_that_was_shown_is_the_one_that_is_approved(ben_client, teapot):
    Variant.objects.update(price=Decimal("99.00"))
    response = ben_client.post("/checkout/approve/", {"shown_total": "34.90"}, follow=True)
    assert "total has changed" in response.content.decode()
    assert not Challenge.objects.exists()


def test_what_is_sold_out_at_the_approval_is_said_calmly(ben_client, teapot):
    Variant.objects.update(on_hand=0)
    response = ben_client.post("/checkout/approve/", {"shown_total": "34.90"}, follow=True)
    assert "Somebody was faster" in response.content.decode()
    assert not Hold.objects.exists()
    assert not Challenge.objects.exists()


def test_goods_that_went_after_the_hold_lapsed_are_not_charged(ben_client, teapot, approve, card_form):
    approve(ben_client)
    form = card_form(ben_client)
    Hold.objects.update(expires_at=timezone.now())
    from shop.product.stock import release_lapsed

    release_lapsed()
    Variant.objects.update(on_hand=0)
    response = ben_client.post("/checkout/pay/", form, follow=True)
    assert "Somebody was faster" in response.content.decode()
    assert not DemoCharge.objects.exists()
    assert not Order.objects.exists()
    assert Grant.objects.get().used_at is None


def test_the_same_post_again_gives_the_same_order_and_one_charge(ben_client, approve, card_form):
    approve(ben_client)
    form = card_form(ben_client)
    first = ben_client.post("/checkout/pay/", form)
    second = ben_client.post("/checkout/pay/", form)
    assert first.url == second.url == Order.objects.get().get_absolute_url()
    assert DemoCharge.objects.count() == 1


def test_an_approval_is_good_for_one_order(ben_client, ben, teapot, approve, card_form):
    approve(ben_client)
    ben_client.post("/checkout/pay/", card_form(ben_client))
    CartLine.objects.create(cart=ben.cart, variant=teapot, quantity=1, price_seen=teapot.price)
    services.Checkout.objects.create(cart=ben.cart, email=ben.email, delivery_method="standard", **ADDRESS)
    assert ben_client.get("/checkout/pay/").url == "/checkout/review/"  # the very same purchase, to the cent


def test_an_approval_in_one_browser_pays_in_no_other(ben_client, ben, approve, card_form):
    approve(ben_client)
    other = Client()
    other.force_login(ben)
    assert other.get("/checkout/pay/").url == "/checkout/review/"
    response = other.post("/checkout/pay/", card_form(ben_client))
    assert response.url == "/checkout/review/"
    assert not Order.objects.exists()


def test_an_approval_does_not_wait_for_ever(ben_client, approve, card_form):
    approve(ben_client)
    form = card_form(ben_client)
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        assert ben_client.post("/checkout/pay/", form).url == "/checkout/review/"
    assert not Order.objects.exists()


def test_money_for_goods_that_are_gone_is_let_go(
    ben_client, teapot, approve, card_form, monkeypatch, django_capture_on_commit_callbacks
):
    approve(ben_client)
    form = card_form(ben_client)
    order = services.place_order(
        own_cart=Q(pk=services.Cart.objects.get().pk),
        attempt_token=form["attempt_token"],
        asker=_asker_of(ben_client, order_user=services.Cart.objects.get().user),
    )
    Hold.objects.all().delete()
    Variant.objects.update(on_hand=0, reserved=0)
    with django_capture_on_commit_callbacks(execute=True):
        services.pay_order(order=order, attempt=1, card=services.Card("4242424242424242"))
    order.refresh_from_db()
    assert order.state == "cancelled"
    assert order.payments.get().state == "voided"
    assert DemoCharge.objects.get().voided
    assert Message.objects.filter(kind=Message.Kind.ORDER, reference=f"{order.code} cancelled").exists()


def test_a_payment_whose_answer_was_lost_is_settled_by_the_task(ben_client, approve, card_form, monkeypatch):
    from shop.payment.base import ProviderSilent
    from shop.payment.demo import DemoCards

    approve(ben_client)
    authorise = DemoCards.authorise

    def silent(self, payment, card):
        authorise(self, payment, card)
        raise ProviderSilent

    monkeypatch.setattr(DemoCards, "authorise", silent)
    response = ben_client.post("/checkout/pay/", card_form(ben_client))
    order = Order.objects.get()
    assert response.url == order.get_absolute_url()
    assert "waiting for the payment" in ben_client.get(response.url).content.decode()
    services.settle_open(timezone.now() + timedelta(minutes=2))
    order.refresh_from_db()
    assert order.state == "paid"
    assert DemoCharge.objects.count() == 1


@pytest.mark.parametrize(
    "form",
    [{}, {"card": "abc"}, {"card": "4" * 10_000}, {"card": "４２４２４２４２４２４２４２４２"}, {"attempt": "x"}],
)
def test_odd_input_at_the_payment_is_answered_in_words(ben_client, approve, card_form, form):
    approve(ben_client)
    response = ben_client.post("/checkout/pay/", card_form(ben_client) | {"card": ""} | form)
    assert response.status_code in (302, 422)
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "path", ["/checkout/", "/checkout/address/", "/checkout/delivery/", "/checkout/review/", "/checkout/pay/"]
)
def test_an_empty_cart_has_nothing_to_pay(client, db, path):
    assert client.get(path).url == "/cart/"
    assert client.post("/checkout/approve/").url == "/cart/"


def test_other_peoples_orders_do_not_exist(ben_client, mallory, approve, card_form):
    approve(ben_client)
    url = ben_client.post("/checkout/pay/", card_form(ben_client)).url
    stranger = Client()
    stranger.force_login(mallory)
    assert stranger.get(url).status_code == 404
    assert stranger.get("/orders/NOSUCH22/").status_code == 404


def _asker_of(client, order_user):
    import hashlib

    from accounts.stepup.challenges import Asker

    browser = hashlib.sha256(client.session["browser"].encode()).hexdigest()
    return Asker(browser=browser, user=order_user)
