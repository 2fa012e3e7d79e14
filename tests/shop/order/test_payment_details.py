"""How an order was paid is shown with a proof, to whom it belongs."""

import json
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import SecurityEvent
from accounts.stepup.models import Challenge, Grant, Purpose
from shop.cart.models import Cart
from shop.order.models import Order
from shop.payment.demo import DECLINES
from shop.payment.services import capture_of, refund_of, send_open
from tests.accounts.sign_in.steps import app_code, challenge_of, type_code
from tests.shop.conftest import ADDRESS

pytestmark = pytest.mark.django_db
Kind = SecurityEvent.Kind


@pytest.fixture
def ben_client(client, ben, fill_cart, approve, card_form):
    """Ben has paid with the second card."""
    fill_cart(ben)
    client.force_login(ben)
    approve(client)
    client.post("/checkout/pay/", card_form(client, DECLINES))
    client.post("/checkout/pay/", card_form(client))
    other = Client()  # the payment's own approval is a fresh proof, so he comes back later
    other.force_login(ben)
    return other


@pytest.fixture
def guest(client, teapot, approve, card_form):
    client.post("/cart/add/", {"variant": teapot.pk, "quantity": 1})
    client.post("/checkout/address/", ADDRESS | {"phone": "01512 3456789", "email": ""})
    client.post("/checkout/delivery/", {"delivery_method": "express"})
    approve(client)
    client.post("/checkout/pay/", card_form(client))
    return client


def pages(order):
    return [reverse(f"order:{name}", args=[order.code]) for name in ("payment", "statement")]


def test_the_order_page_tells_no_card(ben_client):
    order = Order.objects.get()
    page = ben_client.get(order.get_absolute_url()).content.decode()
    assert "4242" not in page and "0002" not in page
    assert all(path in page for path in pages(order))


def test_the_owner_sees_it_with_a_proof_and_it_is_recorded(ben_client, ben):
    order = Order.objects.get()
    payment, statement = pages(order)
    assert ben_client.get(payment).url == f"/account/challenge/{challenge_of(ben_client).pk}/"
    assert challenge_of(ben_client).purpose == Purpose.VIEW_PAYMENT_DETAILS
    assert not SecurityEvent.objects.filter(kind=Kind.PAYMENT_DETAILS_VIEWED).exists()
    assert type_code(ben_client).url == payment
    page = ben_client.get(payment)
    text = page.content.decode()
    assert "no-store" in page["Cache-Control"]
    for shown in (
        "•••• 4242",
        "•••• 0002",
        "Declined",
        "Approved by the bank",
        "E-mail",
        bytes(order.context_digest).hex(),
    ):
        assert shown in text
    text = ben_client.get(statement).content.decode()
    for shown in (
        "Teapot",
        "TEA",
        "€\u00a034.90",
        "19% VAT",
        "€\u00a05.57",
        "Long Lane 1",
        "•••• 4242",
        "no tax invoice",
    ):
        assert shown in text
    events = SecurityEvent.objects.filter(kind=Kind.PAYMENT_DETAILS_VIEWED, user=ben)
    assert [event.detail for event in events] == [{"order": order.code}] * 2


def test_a_refund_is_told(ben_client):
    order = Order.objects.get()
    capture_of(order.pk)
    send_open()
    refund_of(order.pk, Decimal("4.90"), "The lid was broken.")
    send_open()
    payment = pages(order)[0]
    ben_client.get(payment)
    type_code(ben_client)
    page = ben_client.get(payment).content.decode()
    for shown in ("Paid back", "The lid was broken.", "€\u00a04.90", "•••• 4242 · Paid"):
        assert shown in page


def test_a_stronger_factor_is_asked_for_where_there_is_one(client, ada, fill_cart, approve, card_form):
    fill_cart(ada)
    client.force_login(ada)
    client.post("/checkout/approve/", {"shown_total": "34.90"})
    type_code(client, app_code(ada))
    client.post("/checkout/pay/", card_form(client))
    assert client.get(pages(Order.objects.get())[0]).status_code == 200  # approved by app a moment ago


def test_to_others_it_is_not_there(ben_client, mallory, sam):
    for path in pages(Order.objects.get()):
        for person in (mallory, sam, None):
            stranger = Client()
            if person:
                stranger.force_login(person)
            assert stranger.get(path).status_code == 404
    assert not Challenge.objects.filter(purpose=Purpose.VIEW_PAYMENT_DETAILS).exists()


def test_a_guest_proves_the_contact_that_approved_it(guest):
    order = Order.objects.get()
    payment, statement = pages(order)
    assert guest.get(payment).url == f"/account/challenge/{challenge_of(guest).pk}/"
    asked = challenge_of(guest)
    assert (asked.purpose, asked.user, asked.contact) == (Purpose.VIEW_PAYMENT_DETAILS, None, "+4915123456789")
    assert type_code(guest).url == payment
    for path in (payment, statement, payment):  # one proof for some minutes of looking
        assert "•••• 4242" in guest.get(path).content.decode()
    seen = SecurityEvent.objects.filter(kind=Kind.PAYMENT_DETAILS_VIEWED)
    assert [(event.user, event.contact) for event in seen] == [(None, "+4915123456789")] * 3
    assert Client().get(payment).status_code == 404


def test_a_guests_proof_is_good_for_that_order_and_purpose_only(guest):
    payment = pages(Order.objects.get())[0]
    guest.get(payment)
    type_code(guest)
    proof = Grant.objects.get(purpose=Purpose.VIEW_PAYMENT_DETAILS)
    for other in (
        {"context_digest": b"x" * 32},
        {"purpose": Purpose.PAY},
        {"browser": "b" * 64},
        {"contact": "x@y.org"},
    ):
        kept = {name: getattr(proof, name) for name in other}
        Grant.objects.filter(pk=proof.pk).update(**other)
        assert guest.get(payment).url.startswith("/account/challenge/")
        Grant.objects.filter(pk=proof.pk).update(**kept)
    assert guest.get(payment).status_code == 200


def test_orders_and_cart_are_in_the_persons_data(ben_client, ben, fill_cart, teapot):
    fill_cart(ben)
    ben_client.get(reverse("security:export_data"))
    type_code(ben_client)
    data = json.loads(ben_client.post(reverse("security:export_data")).content)
    (order,) = data["orders"]
    assert order["code"] == Order.objects.get().code and order["total"] == "34.90"
    assert [payment["card_ending"] for payment in order["payments"]] == ["0002", "4242"]
    assert data["cart"]["lines"] == [{"sku": "TEA", "name": str(teapot), "quantity": 1}]


def test_a_closed_account_leaves_its_orders_and_no_cart(ben_client, ben, fill_cart):
    fill_cart(ben)
    ben_client.get(reverse("security:close_account"))
    type_code(ben_client)
    assert ben_client.post(reverse("security:close_account")).url == "/"
    assert not Cart.objects.filter(user=ben).exists()
    order = Order.objects.get()
    assert (order.user, order.email, order.line1) == (ben, "ben@example.org", "Long Lane 1")
