"""The cart page, and putting things into the cart, with and without JavaScript."""

from uuid import uuid4

import pytest
from django.contrib.auth import user_logged_in
from django.contrib.messages import get_messages
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from shop.cart.models import MOST_OF_ONE, Cart, CartLine
from shop.product.models import Product, Variant
from tests.shop.product.shelf import variant

pytestmark = pytest.mark.django_db
CART, ADD, UPDATE, REMOVE = "/cart/", "/cart/add/", "/cart/update/", "/cart/remove/"
HTMX = {"HX-Request": "true"}

QUANTITIES = ["", "abc", "-1", "1.5", "1e3", str(10**12), "9" * 5000, "\0", "１００", None]
VARIANTS = ["", "abc", "-1", "0", str(10**12), "9" * 400, "9" * 5000, "\0", None]


def add(client, mug, quantity=1, **extra):
    return client.post(ADD, {"variant": mug.pk, "quantity": quantity}, **extra)


def quantities():
    return dict(CartLine.objects.values_list("variant_id", "quantity"))


def fill(user, count):
    cart = Cart.objects.create(user=user)
    CartLine.objects.bulk_create(
        CartLine(cart=cart, variant=variant(), quantity=2, price_seen="10.00") for _ in range(count)
    )
    return cart


class TestAdd:
    def test_it_goes_to_the_cart_and_says_so(self, client):
        mug = variant("Blue")
        page = client.post(ADD, {"variant": mug.pk, "quantity": 2}, follow=True)
        assert page.redirect_chain == [(CART, 302)]
        assert "2 × Mug, Blue are in your cart." in page.text
        assert '<span class="count">2' in page.text
        assert quantities() == {mug.pk: 2}

    def test_htmx_gets_the_words_and_the_count(self, client):
        mug = variant()
        add(client, mug, headers=HTMX)
        part = add(client, mug, 2, headers=HTMX)
        assert part.status_code == 200
        assert "3 × Mug are in your cart." in part.text
        assert 'id="cart-count" hx-swap-oob="true"><span class="count">3' in part.text
        assert "<html" not in part.text

    @pytest.mark.parametrize("headers", [{}, HTMX])
    def test_too_many_is_refused_in_clear_words(self, client, headers):
        mug = variant(on_hand=3)
        add(client, mug, 3)
        answer = add(client, mug, headers=headers)
        assert answer.status_code == 422
        assert "There are 3 left; your cart has all of them." in answer.text
        assert quantities() == {mug.pk: 3}

    @pytest.mark.parametrize("headers", [{}, HTMX])
    @pytest.mark.parametrize("quantity", [*QUANTITIES, "0"])
    def test_a_nonsense_quantity_is_refused(self, client, quantity, headers):
        data = {"variant": variant().pk} | ({} if quantity is None else {"quantity": quantity})
        answer = client.post(ADD, data, headers=headers)
        assert answer.status_code == 422
        assert "Please give the quantity as a number from 1 to 99." in answer.text
        assert not Session.objects.exists()

    @pytest.mark.parametrize("headers", [{}, HTMX])
    @pytest.mark.parametrize("wrong", VARIANTS)
    def test_a_variant_that_is_not_there_is_refused(self, client, wrong, headers):
        data = {"quantity": 1} | ({} if wrong is None else {"variant": wrong})
        assert client.post(ADD, data, headers=headers).status_code in (404, 422)
        assert not Cart.objects.exists()

    def test_what_is_not_sold_is_not_found(self, client):
        hidden, retired = variant(), variant(is_active=False)
        Product.objects.filter(pk=hidden.product_id).update(status="draft")
        assert [add(client, each).status_code for each in (hidden, retired)] == [404, 404]

    def test_a_cart_of_a_session_that_was_swept_away_is_made_again(self, client):
        mug = variant()
        add(client, mug)
        Cart.objects.all().delete()
        add(client, mug)
        assert quantities() == {mug.pk: 1}

    def test_it_needs_the_token_against_forgery(self):
        assert add(Client(enforce_csrf_checks=True), variant()).status_code == 403

    @pytest.mark.parametrize("url", [ADD, UPDATE, REMOVE])
    def test_reading_changes_nothing(self, client, url):
        assert client.get(url).status_code == 405

    @pytest.mark.parametrize("lines", [0, 1, 40])
    @pytest.mark.parametrize("headers", [{}, HTMX])
    def test_it_costs_eight_queries_however_long_the_cart(self, client, ben, lines, headers, django_assert_num_queries):
        """Session, person, begin, the cart made and locked, the cart, the variant with the sums, the line, commit."""
        if lines:
            fill(ben, lines)
        mug = variant()
        client.force_login(ben)
        with django_assert_num_queries(8):
            add(client, mug, headers=headers)
        assert quantities()[mug.pk] == 1


class TestCart:
    def test_an_empty_cart_leads_on_and_makes_no_session(self, client, django_assert_num_queries):
        with django_assert_num_queries(0):
            page = client.get(CART)
        assert "Your cart is empty" in page.text
        assert reverse("product:list") in page.text
        assert "session" not in page.cookies

    def test_it_shows_lines_and_the_way_on(self, client):
        add(client, variant("Blue", price="12.50"), 2)
        page = client.get(CART)
        assert "Blue" in page.text and "€\xa012.50 each" in page.text and "€\xa025.00" in page.text
        assert reverse("checkout:start") in page.text
        assert "no-store" in page["Cache-Control"]

    def test_it_says_that_a_price_changed(self, client):
        add(client, variant(price="10.00"))
        Variant.objects.update(price="12.00")
        text = client.get(CART).text
        assert "The price changed from €\xa010.00 to €\xa012.00 since you picked it." in text
        assert "€\xa012.00 each" in text

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"on_hand": 0}, "Sold out at the moment."),
            ({"on_hand": 1}, "There is only 1 left."),
            ({"is_active": False}, "We don&#x27;t sell this any more."),
        ],
    )
    def test_it_says_what_can_not_be_bought_and_does_not_lead_on(self, client, change, words):
        add(client, variant(), 2)
        Variant.objects.update(**change)
        page = client.get(CART)
        assert words in page.text.replace("'", "&#x27;")
        assert reverse("checkout:start") not in page.text

    def test_a_strangers_cart_is_not_shown(self, client, ben):
        cart = fill(ben, 1)
        session = client.session
        session["cart_id"] = str(cart.pk)
        session.save()
        assert "Your cart is empty" in client.get(CART).text

    @pytest.mark.parametrize("lines", [1, 40])
    def test_it_costs_four_queries_however_long_it_is(self, client, ben, lines, django_assert_num_queries):
        """Session, person, cart, lines."""
        fill(ben, lines)
        client.force_login(ben)
        with django_assert_num_queries(4):
            page = client.get(CART)
        assert f'<span class="count">{lines * 2}' in page.text


class TestUpdate:
    def test_it_sets_the_quantity_and_shows_the_cart(self, client):
        mug = variant()
        add(client, mug)
        assert client.post(UPDATE, {"variant": mug.pk, "quantity": 4}).url == CART
        assert quantities() == {mug.pk: 4}

    def test_htmx_gets_the_cart_and_the_count(self, client):
        mug = variant(price="10.00")
        add(client, mug)
        part = client.post(UPDATE, {"variant": mug.pk, "quantity": 4}, headers=HTMX)
        assert part.status_code == 200
        assert "€\xa040.00" in part.text
        assert '<span class="count">4' in part.text
        assert "<html" not in part.text

    @pytest.mark.parametrize("headers", [{}, HTMX])
    def test_too_many_is_refused_and_the_cart_shown_as_it_is(self, client, headers):
        mug = variant(on_hand=3)
        add(client, mug, 2)
        answer = client.post(UPDATE, {"variant": mug.pk, "quantity": 9}, headers=headers)
        assert answer.status_code == 422
        assert "There are 3 left; your cart has 2 of them already." in answer.text
        assert 'value="2"' in answer.text

    @pytest.mark.parametrize("headers", [{}, HTMX])
    @pytest.mark.parametrize("quantity", QUANTITIES)
    def test_a_nonsense_quantity_is_refused(self, client, quantity, headers):
        mug = variant()
        add(client, mug, 2)
        data = {"variant": mug.pk} | ({} if quantity is None else {"quantity": quantity})
        answer = client.post(UPDATE, data, headers=headers)
        assert answer.status_code == 422
        assert f"from 0 to {MOST_OF_ONE}" in answer.text
        assert quantities() == {mug.pk: 2}

    @pytest.mark.parametrize("url", [UPDATE, REMOVE])
    @pytest.mark.parametrize("wrong", VARIANTS)
    def test_a_line_that_is_not_there_changes_nothing(self, client, url, wrong):
        mug = variant()
        add(client, mug, 2)
        data = {"quantity": 3} | ({} if wrong is None else {"variant": wrong})
        assert client.post(url, data).status_code in (302, 422)
        assert quantities() == {mug.pk: 2}

    @pytest.mark.parametrize("headers", [{}, HTMX])
    @pytest.mark.parametrize("url", [UPDATE, REMOVE])
    def test_without_a_cart_there_is_an_empty_one(self, client, url, headers):
        answer = client.post(url, {"variant": 1, "quantity": 1}, headers=headers, follow=True)
        assert answer.status_code == 200
        assert "Your cart is empty" in answer.text

    def test_a_strangers_line_is_out_of_reach(self, client, ben):
        fill(ben, 1)
        mug = variant()
        add(client, mug)
        theirs = CartLine.objects.get(cart__user=ben)
        for url in (UPDATE, REMOVE):
            client.post(url, {"variant": theirs.variant_id, "quantity": 9})
        theirs.refresh_from_db()
        assert theirs.quantity == 2

    def test_it_takes_a_line_out(self, client):
        mug, pot = variant(), variant()
        add(client, mug)
        add(client, pot)
        assert client.post(REMOVE, {"variant": mug.pk}).url == CART
        part = client.post(REMOVE, {"variant": pot.pk}, headers=HTMX)
        assert "Your cart is empty" in part.text
        assert quantities() == {}

    def test_a_change_costs_no_more_for_a_long_cart(self, client, ben, django_assert_max_num_queries):
        line = fill(ben, 40).lines.first()
        client.force_login(ben)
        with django_assert_max_num_queries(10):
            client.post(UPDATE, {"variant": line.variant_id, "quantity": 3}, headers=HTMX)


class TestSignIn:
    def sign_in(self, client, user):
        client.get(CART)  # what was said before is read
        request = client.get(CART).wsgi_request
        user_logged_in.send(sender=type(user), request=request, user=user)
        request.session.save()
        return [str(message) for message in get_messages(request)]

    def test_what_a_guest_picked_comes_along_and_is_told(self, client, ben):
        mug, pot = variant(), variant()
        add(client, mug, 2)
        add(client, pot)
        said = self.sign_in(client, ben)
        assert said == ["We put the 3 things you picked before signing in into your cart."]
        assert {line.variant_id: line.quantity for line in ben.cart.lines.all()} == {mug.pk: 2, pot.pk: 1}

    def test_what_is_too_much_is_told(self, client, ben):
        mug = variant(on_hand=3)
        CartLine.objects.create(cart=Cart.objects.create(user=ben), variant=mug, quantity=2, price_seen="10.00")
        add(client, mug, 3)
        moved, less = self.sign_in(client, ben)
        assert moved == "We put the 1 thing you picked before signing in into your cart."
        assert "less of something" in less

    def test_without_anything_picked_nothing_is_said(self, client, ben):
        assert self.sign_in(client, ben) == []
        client.session["cart_id"] = str(uuid4())
        assert self.sign_in(client, ben) == []

    def test_djangos_own_login_merges_too(self, client, ben):
        mug = variant()
        add(client, mug, 2)
        client.force_login(ben)
        assert '<span class="count">2' in client.get(CART).text
        assert Cart.objects.get().user == ben
