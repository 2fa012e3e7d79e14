from collections import Counter as Tally
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from shop.cart.models import Cart
from shop.product.models import Category, Hold, Product, Variant
from shop.product.stock import HOLD_LIFE, OutOfStock, place_hold, release_hold, release_lapsed, take_held
from tests.conftest import in_threads

from .conftest import meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def cups():
    """Two sizes of a cup."""
    category = Category.objects.create(name="Cups", slug="cups")
    product = Product.objects.create(category=category, name="Cup", slug="cup")
    return [
        Variant.objects.create(product=product, sku=f"cup-{name}", name=name, price=Decimal("9.00"), on_hand=1)
        for name in ("S", "M")
    ]


def numbers(variant):
    return Variant.objects.values_list("on_hand", "reserved").get(pk=variant.pk)


def reserved_is_what_is_held(variant):
    held = sum(Hold.objects.filter(variant=variant).values_list("quantity", flat=True))
    return numbers(variant)[1] == held


def test_fifty_buyers_hold_one_item_once(cups):
    results = in_threads(50, lambda n: place_hold(uuid4(), {cups[0].pk: 1}))
    assert Tally(type(result).__name__ for result in results) == {"datetime": 1, "OutOfStock": 49}
    assert numbers(cups[0]) == (1, 1) and Hold.objects.count() == 1


def test_control_reserving_after_looking_oversells(cups):
    together = meeting(5)

    def naive(_number):
        mine = Variant.objects.get(pk=cups[0].pk)
        free = mine.available >= 1
        together()
        if free:
            Variant.objects.filter(pk=mine.pk).update(reserved=1)
            Hold.objects.create(
                holder=uuid4(), variant=mine, quantity=1, placed_at=timezone.now(), expires_at=timezone.now()
            )
        return free

    assert sum(in_threads(5, naive)) > 1
    assert not reserved_is_what_is_held(cups[0])


def test_twenty_holds_of_one_checkout_are_one(cups):
    """A double tap, two tabs: what is reserved is what is held, since each locks the cart first."""
    Variant.objects.update(on_hand=100)
    cart, holder = Cart.objects.create(), uuid4()

    def hold(_number):
        with transaction.atomic():
            Cart.objects.select_for_update().get(pk=cart.pk)
            return place_hold(holder, {cups[0].pk: 2})

    results = in_threads(20, hold)
    assert not [result for result in results if isinstance(result, Exception)]
    assert Hold.objects.get().quantity == 2
    assert numbers(cups[0]) == (100, 2)


def test_buyers_who_want_two_things_in_other_orders_do_not_block_each_other(cups):
    Variant.objects.update(on_hand=100)
    small, middle = (cup.pk for cup in cups)

    def hold(number):
        return place_hold(uuid4(), {small: 1, middle: 1} if number % 2 else {middle: 1, small: 1})

    results = in_threads(20, hold)
    assert not [result for result in results if isinstance(result, Exception)]
    assert [numbers(cup) for cup in cups] == [(100, 20), (100, 20)]


def test_all_of_it_or_nothing(cups):
    Variant.objects.filter(pk=cups[0].pk).update(on_hand=100)
    results = in_threads(20, lambda n: place_hold(uuid4(), {cup.pk: 1 for cup in cups}))
    assert sum(isinstance(result, OutOfStock) for result in results) == 19
    assert [numbers(cup) for cup in cups] == [(100, 1), (1, 1)]
    assert all(reserved_is_what_is_held(cup) for cup in cups)


def test_a_sale_and_the_release_of_its_lapsed_hold_at_once(cups):
    """Either the hold is sold, or it is released and the goods are taken from what is free: never both."""
    holder, now = uuid4(), timezone.now()
    for _ in range(10):
        Variant.objects.update(on_hand=1, reserved=0)
        place_hold(holder, {cups[0].pk: 1}, now - HOLD_LIFE)

        def either(number):
            return release_lapsed(now) if number else take_held(holder, {cups[0].pk: 1}, now)

        sold, _released = in_threads(2, either)
        assert sold is None
        assert numbers(cups[0]) == (0, 0) and not Hold.objects.exists()


def test_a_lapsed_hold_goes_to_one_other_buyer(cups):
    holder, now = uuid4(), timezone.now()
    for _ in range(5):
        Variant.objects.update(on_hand=1, reserved=0)
        Hold.objects.all().delete()
        place_hold(holder, {cups[0].pk: 1}, now - HOLD_LIFE)

        def either(number):
            if number == 0:
                return take_held(holder, {cups[0].pk: 1}, now)
            return place_hold(uuid4(), {cups[0].pk: 1}, now)

        results = in_threads(6, either)
        won = [result for result in results if not isinstance(result, Exception)]
        assert len(won) == 1 and all(isinstance(result, OutOfStock) for result in results if result not in won)
        assert numbers(cups[0]) in [(0, 0), (1, 1)] and reserved_is_what_is_held(cups[0])


def test_releasing_twice_at_once_releases_once(cups):
    holder = uuid4()
    Variant.objects.update(on_hand=5)
    place_hold(uuid4(), {cups[0].pk: 1})
    place_hold(holder, {cups[0].pk: 2})
    assert in_threads(5, lambda n: release_hold(holder)) == [None] * 5
    assert numbers(cups[0]) == (5, 1)


def test_selling_twice_at_once_sells_no_more_than_there_is(cups):
    holder = uuid4()
    place_hold(holder, {cups[0].pk: 1})
    results = in_threads(5, lambda n: take_held(holder, {cups[0].pk: 1}))
    assert sum(result is None for result in results) == 1
    assert numbers(cups[0]) == (0, 0)


def test_sales_and_holds_of_two_things_at_once_end(cups):
    """Each takes its rows in primary-key order, whatever it sells and whatever it gives back."""
    Variant.objects.update(on_hand=1000)
    small, middle = (cup.pk for cup in cups)
    for _ in range(3):
        holders = [uuid4() for _ in range(12)]
        for holder in holders:
            place_hold(holder, {small: 2, middle: 2})

        def act(number, holders=holders):
            holder = holders[number]
            if number % 3 == 0:
                return take_held(holder, {middle: 1})  # gives the rest back, of `small` too
            if number % 3 == 1:
                return place_hold(holder, {small: 3, middle: 3})
            return release_hold(holder)

        results = in_threads(12, act)
        assert not [result for result in results if isinstance(result, Exception)]
        assert all(reserved_is_what_is_held(cup) for cup in cups)
        release_lapsed(timezone.now() + timedelta(hours=2))


def test_a_sale_takes_its_rows_in_primary_key_order(cups):
    """Else a sale that gives back the rest of its hold and a hold of both things wait for each other for ever."""
    holder = uuid4()
    Variant.objects.update(on_hand=5)
    small, middle = (cup.pk for cup in cups)
    place_hold(holder, {small: 2, middle: 2})
    with CaptureQueriesContext(connection) as queries:
        take_held(holder, {middle: 1})
    changed = [query["sql"] for query in queries if query["sql"].startswith('UPDATE "product_variant"')]
    assert [int(sql.split('"id" = ')[1].split(" ")[0].rstrip(")")) for sql in changed] == [small, middle]
    assert [numbers(cup) for cup in cups] == [(5, 0), (4, 0)]


class TestALapsedHoldOfOnesOwn:
    """It still reserves what it names until it is swept, so it can't be given back and counted on at once."""

    @pytest.fixture
    def holder(self, cups):
        holder = uuid4()
        place_hold(holder, {cups[0].pk: 1}, timezone.now() - HOLD_LIFE)
        return holder

    def test_it_does_not_make_two_out_of_one(self, cups, holder):
        with pytest.raises(OutOfStock) as out:
            place_hold(holder, {cups[0].pk: 2})
        assert out.value.missing == {cups[0].pk: 1}
        assert reserved_is_what_is_held(cups[0])

    def test_nor_does_a_sale(self, cups, holder):
        with pytest.raises(OutOfStock) as out:
            take_held(holder, {cups[0].pk: 2})
        assert out.value.missing == {cups[0].pk: 1}
        assert numbers(cups[0]) == (1, 1)

    def test_it_is_renewed(self, cups, holder):
        assert place_hold(holder, {cups[0].pk: 1}) > timezone.now()
        assert numbers(cups[0]) == (1, 1)
