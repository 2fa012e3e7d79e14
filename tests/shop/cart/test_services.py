"""What a cart does, beneath its pages."""

import threading
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from shop.cart import services
from shop.cart.models import MOST_OF_ONE, Cart, CartLine
from shop.cart.services import NotEnough, NotSold
from shop.checkout.models import Checkout
from shop.product import stock
from shop.product.models import Product, Variant
from tests.conftest import in_threads
from tests.shop.product.shelf import variant

GUEST = AnonymousUser()


def quantities(cart):
    return dict(CartLine.objects.filter(cart=cart).values_list("variant_id", "quantity"))


def put(mug, quantity=1, *, session=None, user=GUEST):
    session = {} if session is None else session
    services.add(session=session, user=user, variant_id=mug.pk, quantity=quantity)
    return session


@pytest.mark.django_db
class TestAdding:
    def test_a_guest_gets_a_cart_that_the_session_knows(self):
        mug = variant()
        session = put(mug, 2)
        cart = services.cart_of(session, GUEST)
        assert quantities(cart) == {mug.pk: 2}
        assert services.count_items(session, GUEST) == 2

    def test_a_person_has_one_cart_in_every_browser(self, ben):
        mug = variant()
        assert put(mug, user=ben) == {}
        put(mug, 2, session={"cart_id": str(uuid4())}, user=ben)
        assert quantities(Cart.objects.get()) == {mug.pk: 3}
        assert services.count_items({}, ben) == 3

    def test_it_tells_how_many_there_are_now(self, ben):
        mug, pot = variant(), variant()
        put(pot, 4, user=ben)
        put(mug, 1, user=ben)
        added = services.add(session={}, user=ben, variant_id=mug.pk, quantity=2)
        assert (added.in_cart, added.count) == (3, 7)

    @pytest.mark.parametrize(
        ("on_hand", "in_cart", "more", "words"),
        [
            (0, 0, 1, "Mug is sold out."),
            (3, 3, 1, "There are 3 left; your cart has all of them."),
            (3, 1, 3, "There are 3 left; your cart has 1 of them already."),
            (3, 0, 4, "There are 3 left, so we can't put more than that into your cart."),
            (1, 1, 1, "There is 1 left; your cart has it."),
            (500, 90, 10, "We sell at most 99 of one thing at a time."),
            (99, 99, 1, "We sell at most 99 of one thing at a time."),
        ],
    )
    def test_it_refuses_what_is_not_there_in_clear_words(self, on_hand, in_cart, more, words):
        mug = variant(on_hand=on_hand)
        session = put(mug, in_cart) if in_cart else {}
        with pytest.raises(NotEnough) as refusal:
            put(mug, more, session=session)
        assert refusal.value.words == words
        assert services.count_items(session, GUEST) == in_cart

    @pytest.mark.parametrize("change", [{"is_active": False}, {"product__status": "draft"}, None])
    def test_it_refuses_what_is_not_sold(self, change):
        mug = variant()
        if change is None:
            mug.pk = 10**15
        elif "is_active" in change:
            Variant.objects.update(**change)
        else:
            Product.objects.update(status="draft")
        with pytest.raises(NotSold):
            put(mug)
        assert not Cart.objects.exists()

    def test_what_others_hold_can_not_be_picked_what_lapsed_can(self):
        mug = variant(on_hand=2)
        until = stock.place_hold(uuid4(), {mug.pk: 2})
        with pytest.raises(NotEnough):
            put(mug)
        services.add(session={}, user=GUEST, variant_id=mug.pk, quantity=2, now=until)

    def test_what_ones_own_checkout_holds_is_still_ones_own(self, ben):
        mug = variant(on_hand=2)
        put(mug, 2, user=ben)
        cart = Cart.objects.get()
        checkout = Checkout.objects.create(cart=cart)
        stock.place_hold(checkout.attempt_token, {mug.pk: 2})
        (line,) = services.lines_of(cart)
        assert line.available == 2
        services.set_quantity(cart=cart, variant_id=mug.pk, quantity=1)
        put(mug, user=ben)
        assert services.count_items({}, ben) == 2

    def test_adding_more_takes_the_price_of_now_as_seen(self, ben):
        mug = variant(price="10.00")
        put(mug, user=ben)
        Variant.objects.update(price="12.00")
        (line,) = services.lines_of(Cart.objects.get())
        assert line.price_changed
        put(mug, user=ben)
        (line,) = services.lines_of(Cart.objects.get())
        assert not line.price_changed


@pytest.mark.django_db
class TestChanging:
    def test_it_sets_the_quantity(self, ben):
        mug = variant()
        put(mug, 5, user=ben)
        services.set_quantity(cart=Cart.objects.get(), variant_id=mug.pk, quantity=2)
        assert quantities(Cart.objects.get()) == {mug.pk: 2}

    def test_nought_takes_the_line_out(self, ben):
        mug, pot = variant(), variant()
        put(mug, user=ben)
        put(pot, user=ben)
        services.set_quantity(cart=Cart.objects.get(), variant_id=mug.pk, quantity=0)
        assert quantities(Cart.objects.get()) == {pot.pk: 1}

    def test_less_is_granted_even_if_it_is_still_too_much(self, ben):
        mug = variant(on_hand=9)
        put(mug, 9, user=ben)
        Variant.objects.update(on_hand=2)
        services.set_quantity(cart=Cart.objects.get(), variant_id=mug.pk, quantity=5)
        assert quantities(Cart.objects.get()) == {mug.pk: 5}
        with pytest.raises(NotEnough):
            services.set_quantity(cart=Cart.objects.get(), variant_id=mug.pk, quantity=6)

    def test_what_was_removed_in_another_tab_stays_removed(self, ben):
        mug = variant()
        put(mug, user=ben)
        services.remove(cart=Cart.objects.get(), variant_id=mug.pk)
        services.set_quantity(cart=Cart.objects.get(), variant_id=mug.pk, quantity=3)
        assert quantities(Cart.objects.get()) == {}

    def test_it_empties(self, ben):
        put(variant(), user=ben)
        services.empty(Cart.objects.get())
        assert services.count_items({}, ben) == 0

    def test_a_lock_needs_a_cart(self, ben):
        put(variant(), user=ben)
        cart = Cart.objects.get()
        with transaction.atomic():
            assert services.lock(cart.pk) == cart
            with pytest.raises(Cart.DoesNotExist):
                services.lock(uuid4())


@pytest.mark.django_db
class TestReading:
    def test_lines_have_what_a_page_needs(self, ben):
        mug, pot = variant("Blue", price="12.50"), variant(on_hand=3, price="7.00")
        put(mug, 2, user=ben)
        put(pot, 3, user=ben)
        Variant.objects.filter(pk=pot.pk).update(on_hand=1, price="8.00")
        first, second = services.lines_of(Cart.objects.get())
        assert (first.name, first.options, first.total, first.can_be_bought) == ("Mug", "Blue", Decimal("25.00"), True)
        assert (second.price_seen, second.price, second.price_changed) == (Decimal("7.00"), Decimal("8.00"), True)
        assert (second.available, second.can_be_bought, second.most) == (1, False, 1)

    def test_what_is_no_longer_sold_is_not_available(self, ben):
        put(variant(), user=ben)
        Product.objects.update(status="draft")
        (line,) = services.lines_of(Cart.objects.get())
        assert (line.is_on_sale, line.available, services.subtotal_of([line])) == (False, 0, Decimal("0.00"))

    def test_a_visitor_without_a_cart_costs_nothing(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert services.count_items({}, GUEST) == 0
            assert services.cart_of({}, GUEST) is None
            assert services.lines_of(None) == []

    def test_a_persons_cart_is_not_found_by_its_id(self, ben):
        put(variant(), user=ben)
        session = {"cart_id": str(Cart.objects.get().pk)}
        assert services.cart_of(session, GUEST) is None
        assert services.count_items(session, GUEST) == 0


@pytest.mark.django_db
class TestMerging:
    def test_somebody_without_a_cart_takes_the_guests_over_with_its_checkout(self, ben):
        mug = variant()
        session = put(mug, 2)
        Checkout.objects.create(cart=Cart.objects.get(), city="Berlin")
        merged = services.merge(session=session, user=ben)
        assert (merged.moved, merged.left_out, session) == (2, 0, {})
        assert quantities(ben.cart) == {mug.pk: 2}
        assert ben.cart.checkout.city == "Berlin"

    def test_quantities_add_up_to_what_is_there(self, ben):
        mug, pot, pan, jug = variant(on_hand=5), variant(on_hand=200), variant(), variant()
        for each, own in ((mug, 3), (pot, 60), (jug, 1)):
            put(each, own, user=ben)
        session = put(mug, 4)
        for each, picked in ((pot, 50), (pan, 2)):
            put(each, picked, session=session)
        merged = services.merge(session=session, user=ben)
        assert quantities(ben.cart) == {mug.pk: 5, pot.pk: MOST_OF_ONE, pan.pk: 2, jug.pk: 1}
        assert (merged.moved, merged.left_out) == (2 + 39 + 2, 2 + 11)
        assert Cart.objects.count() == 1

    def test_nothing_that_the_person_had_becomes_less(self, ben):
        mug = variant(on_hand=9)
        put(mug, 9, user=ben)
        session = put(mug, 1)
        Variant.objects.update(on_hand=2)
        merged = services.merge(session=session, user=ben)
        assert quantities(ben.cart) == {mug.pk: 9}
        assert (merged.moved, merged.left_out) == (0, 1)

    def test_what_sold_out_meanwhile_goes_over_and_is_shown_as_sold_out(self, ben):
        mug, pot = variant(), variant()
        put(pot, user=ben)
        session = put(mug, 3)
        Variant.objects.filter(pk=mug.pk).update(on_hand=0)
        services.merge(session=session, user=ben)
        line = services.lines_of(ben.cart)[1]
        assert (line.variant, line.quantity, line.available) == (mug, 1, 0)

    @pytest.mark.parametrize("session", [{}, {"cart_id": str(uuid4())}])
    def test_without_a_guest_cart_nothing_happens(self, ben, session):
        mug = variant()
        put(mug, user=ben)
        assert services.merge(session=session, user=ben).moved == 0
        assert quantities(ben.cart) == {mug.pk: 1}

    def test_another_persons_cart_is_never_taken_over(self, ben, mallory):
        put(variant(), user=ben)
        services.merge(session={"cart_id": str(Cart.objects.get().pk)}, user=mallory)
        assert Cart.objects.get().user == ben


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_two_posts_add_up(self, ben):
        mug = variant(on_hand=50)
        results = in_threads(8, lambda n: put(mug, 2, user=ben))
        assert results == [{}] * 8
        assert quantities(Cart.objects.get()) == {mug.pk: 16}

    def test_a_guests_posts_add_up(self):
        mug, pot = variant(on_hand=50), variant(on_hand=50)
        session = put(mug)
        in_threads(8, lambda n: put((mug, pot)[n % 2], session=dict(session)))
        assert quantities(Cart.objects.get()) == {mug.pk: 5, pot.pk: 4}

    def test_never_above_the_stock(self, ben):
        mug = variant(on_hand=3)
        results = in_threads(8, lambda n: put(mug, user=ben))
        assert sum(isinstance(result, NotEnough) for result in results) == 5
        assert quantities(Cart.objects.get()) == {mug.pk: 3}

    def test_never_above_what_one_may_buy(self, ben):
        mug = variant(on_hand=5000)
        put(mug, 90, user=ben)
        results = in_threads(6, lambda n: put(mug, 5, user=ben))
        assert sum(isinstance(result, NotEnough) for result in results) == 5
        assert quantities(Cart.objects.get()) == {mug.pk: 95}

    def test_the_naive_way_loses_some(self, ben):
        """What the lock is for: without it the same posts don't add up, or break."""
        mug = variant(on_hand=50)
        put(mug, user=ben)

        in_time = threading.Barrier(4, timeout=20)

        def naive(n):
            line = CartLine.objects.get()
            in_time.wait()
            line.quantity += 2
            line.save()

        in_threads(4, naive)
        assert quantities(Cart.objects.get()) == {mug.pk: 3}

    @pytest.mark.parametrize("has_cart", [True, False])
    def test_twenty_sign_ins_merge_once(self, ben, has_cart):
        mug = variant(on_hand=50)
        if has_cart:
            put(mug, 3, user=ben)
        session = put(mug, 4)
        merged = in_threads(20, lambda n: services.merge(session=dict(session), user=ben))
        assert sorted(each.moved for each in merged)[-2:] == [0, 4]
        assert quantities(Cart.objects.get()) == {mug.pk: 7 if has_cart else 4}

    def test_carts_of_two_browsers_merge_at_once(self, ben):
        mug = variant(on_hand=50)
        sessions = [put(mug, 2) for _ in range(6)]
        merged = in_threads(6, lambda n: services.merge(session=sessions[n], user=ben))
        assert [each.moved for each in merged] == [2] * 6
        assert quantities(Cart.objects.get()) == {mug.pk: 12}

    def test_adding_while_the_cart_is_emptied_loses_or_keeps_the_whole_line(self, ben):
        mug, pot = variant(on_hand=50), variant(on_hand=50)
        put(mug, user=ben)
        cart = Cart.objects.get()
        results = in_threads(6, lambda n: put(pot, user=ben) if n else services.empty(cart))
        assert results == [None, *[{}] * 5]
        left = quantities(cart)
        assert mug.pk not in left
        assert 0 <= left.get(pot.pk, 0) <= 5

    def test_changed_at_moves(self, ben):
        before = timezone.now()
        put(variant(), user=ben)
        assert Cart.objects.get().changed_at >= before
