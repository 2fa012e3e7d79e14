"""The numbers of the stock: nothing is sold twice, nothing is lost. Threads are in tests/races."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shop.product import stock
from shop.product.models import Hold, Variant
from shop.product.stock import HOLD_LIFE, HOLD_LIMIT, OutOfStock
from tests.shop.product.shelf import variant

pytestmark = pytest.mark.django_db
NOW = timezone.now()
MINUTE = timedelta(minutes=1)
ANN, BOB = uuid4(), uuid4()


def numbers(mug: Variant) -> tuple[int, int]:
    mug.refresh_from_db()
    return mug.on_hand, mug.reserved


def test_it_sets_pieces_aside():
    mug = variant(on_hand=5)
    until = stock.place_hold(ANN, {mug.pk: 2}, NOW)
    assert until == NOW + HOLD_LIFE
    assert numbers(mug) == (5, 2)
    assert stock.available_now(mug.pk, NOW) == 3
    assert stock.available_now(mug.pk, NOW, holder=ANN) == 5


def test_it_says_what_is_missing_and_sets_nothing_aside():
    mug, pot = variant(on_hand=5), variant(on_hand=1)
    with pytest.raises(OutOfStock) as refusal:
        stock.place_hold(ANN, {mug.pk: 2, pot.pk: 2}, NOW)
    assert refusal.value.missing == {pot.pk: 1}
    assert numbers(mug) == (5, 0)
    assert not Hold.objects.exists()


def test_it_sets_nothing_aside_of_what_is_not_there_or_not_sold():
    hidden = variant(on_hand=5, is_active=False)
    with pytest.raises(OutOfStock) as refusal:
        stock.place_hold(ANN, {hidden.pk: 1, 10**9: 1}, NOW)
    assert refusal.value.missing == {hidden.pk: 0, 10**9: 0}


def test_a_second_hold_takes_the_place_of_the_first():
    mug, pot, pan = variant(on_hand=5), variant(on_hand=5), variant(on_hand=5)
    stock.place_hold(ANN, {mug.pk: 2, pot.pk: 3}, NOW)
    stock.place_hold(ANN, {mug.pk: 4, pan.pk: 1}, NOW)
    assert [numbers(each)[1] for each in (mug, pot, pan)] == [4, 0, 1]
    assert Hold.objects.filter(holder=ANN).count() == 2


def test_a_renewed_hold_lasts_longer_but_not_beyond_the_limit():
    mug = variant()
    until = stock.place_hold(ANN, {mug.pk: 1}, NOW)
    renewed = [stock.place_hold(ANN, {mug.pk: 1}, NOW + n * 20 * MINUTE) for n in (1, 2)]
    assert renewed == [NOW + 20 * MINUTE + HOLD_LIFE, NOW + HOLD_LIMIT]
    assert until < renewed[0]
    assert numbers(mug) == (10, 1)


def test_renewing_what_stands_is_one_query(django_assert_num_queries):
    goods = {variant().pk: 2 for _ in range(5)}
    stock.place_hold(ANN, goods, NOW)
    with django_assert_num_queries(1):
        stock.renew_hold(ANN, goods, NOW + MINUTE)
    assert set(Hold.objects.values_list("expires_at", flat=True)) == {NOW + MINUTE + HOLD_LIFE}
    stock.renew_hold(ANN, goods, NOW + 20 * MINUTE)
    stock.renew_hold(ANN, goods, NOW + 40 * MINUTE)
    assert set(Hold.objects.values_list("expires_at", flat=True)) == {NOW + HOLD_LIMIT}


def test_renewing_what_lapsed_or_changed_places_it_anew():
    mug, pot = variant(on_hand=3), variant(on_hand=3)
    until = stock.place_hold(ANN, {mug.pk: 1, pot.pk: 1}, NOW)
    stock.renew_hold(ANN, {mug.pk: 2, pot.pk: 1}, NOW)
    assert (numbers(mug), numbers(pot)) == ((3, 2), (3, 1))
    stock.place_hold(BOB, {mug.pk: 3}, until)
    with pytest.raises(OutOfStock):
        stock.renew_hold(ANN, {mug.pk: 2, pot.pk: 1}, until)


def test_after_it_lapsed_a_hold_begins_anew():
    mug = variant()
    until = stock.place_hold(ANN, {mug.pk: 1}, NOW)
    assert stock.place_hold(ANN, {mug.pk: 1}, until) == until + HOLD_LIFE
    assert numbers(mug) == (10, 1)


def test_a_lapsed_hold_is_ignored_before_it_is_swept():
    mug = variant(on_hand=2)
    until = stock.place_hold(ANN, {mug.pk: 2}, NOW)
    with pytest.raises(OutOfStock):
        stock.place_hold(BOB, {mug.pk: 1}, until - MINUTE)
    assert stock.available_now(mug.pk, until) == 2
    stock.place_hold(BOB, {mug.pk: 1}, until)
    assert numbers(mug) == (2, 1)
    assert set(Hold.objects.values_list("holder", flat=True)) == {BOB}


def test_ones_own_lapsed_hold_is_not_counted_twice():
    mug = variant(on_hand=3)
    until = stock.place_hold(ANN, {mug.pk: 2}, NOW)
    stock.place_hold(BOB, {mug.pk: 1}, NOW)
    with pytest.raises(OutOfStock) as refusal:
        stock.place_hold(ANN, {mug.pk: 4}, until)
    assert refusal.value.missing == {mug.pk: 3}
    stock.place_hold(ANN, {mug.pk: 3}, until)
    assert numbers(mug) == (3, 3)
    stock.release_hold(ANN)
    assert numbers(mug) == (3, 0)


def test_release_gives_back_once():
    mug = variant(on_hand=5)
    stock.place_hold(ANN, {mug.pk: 2}, NOW)
    stock.place_hold(BOB, {mug.pk: 1}, NOW)
    stock.release_hold(ANN)
    stock.release_hold(ANN)
    assert numbers(mug) == (5, 1)


def test_the_sweep_gives_back_what_lapsed_and_nothing_else():
    mug = variant(on_hand=5)
    until = stock.place_hold(ANN, {mug.pk: 2}, NOW)
    stock.place_hold(BOB, {mug.pk: 1}, NOW + MINUTE)
    assert stock.release_lapsed(until - MINUTE) == 0
    assert stock.release_lapsed(until) == 1
    assert stock.release_lapsed(until) == 0
    assert numbers(mug) == (5, 1)


def test_what_is_held_is_sold_out_of_the_hold():
    mug = variant(on_hand=2)
    stock.place_hold(ANN, {mug.pk: 2}, NOW)
    stock.take_held(ANN, {mug.pk: 2}, NOW)
    assert numbers(mug) == (0, 0)
    assert not Hold.objects.exists()


def test_a_sale_after_the_hold_was_given_away_takes_what_is_free():
    mug = variant(on_hand=2)
    until = stock.place_hold(ANN, {mug.pk: 1}, NOW)
    stock.release_lapsed(until)
    stock.place_hold(BOB, {mug.pk: 1}, until)
    stock.take_held(ANN, {mug.pk: 1}, until)
    assert numbers(mug) == (1, 1)


def test_a_sale_of_what_somebody_else_holds_by_now_changes_nothing():
    mug, pot = variant(on_hand=1), variant(on_hand=5)
    until = stock.place_hold(ANN, {mug.pk: 1, pot.pk: 1}, NOW)
    stock.place_hold(BOB, {mug.pk: 1}, until)
    with pytest.raises(OutOfStock) as refusal:
        stock.take_held(ANN, {mug.pk: 1, pot.pk: 1}, until)
    assert refusal.value.missing == {mug.pk: 0}
    assert numbers(mug) == (1, 1)
    assert numbers(pot) == (5, 1)


def test_a_sale_gives_back_what_was_held_beyond_it():
    mug, pot = variant(on_hand=5), variant(on_hand=5)
    stock.place_hold(ANN, {mug.pk: 3, pot.pk: 2}, NOW)
    stock.take_held(ANN, {pot.pk: 1}, NOW)
    assert numbers(mug) == (5, 0)
    assert numbers(pot) == (4, 0)


def test_what_was_taken_off_sale_meanwhile_is_still_sold_out_of_the_hold():
    mug = variant(on_hand=2)
    stock.place_hold(ANN, {mug.pk: 1}, NOW)
    Variant.objects.update(is_active=False)
    stock.take_held(ANN, {mug.pk: 1}, NOW)
    assert numbers(mug) == (1, 0)


def test_goods_come_back():
    mug = variant(on_hand=2)
    stock.put_back({mug.pk: 3})
    assert numbers(mug) == (5, 0)


def test_a_hold_costs_one_update_a_variant(django_assert_num_queries):
    goods = {variant().pk: 1 for _ in range(5)}
    with django_assert_num_queries(2 + 1 + 5 + 2):  # savepoint; what was held; the stock; the holds
        stock.place_hold(ANN, goods, NOW)


HOLDERS = [UUID(int=n) for n in range(3)]
STEPS = st.one_of(
    st.tuples(st.just("hold"), st.sampled_from(HOLDERS), st.dictionaries(st.integers(0, 1), st.integers(1, 4))),
    st.tuples(st.just("take"), st.sampled_from(HOLDERS), st.dictionaries(st.integers(0, 1), st.integers(1, 4))),
    st.tuples(st.just("release"), st.sampled_from(HOLDERS), st.just({})),
    st.tuples(st.just("sweep"), st.none(), st.just({})),
    st.tuples(st.just("wait"), st.none(), st.just({})),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=14))
def test_whatever_happens_the_numbers_add_up(db, steps):
    start = 6
    goods = [variant(on_hand=start), variant(on_hand=start)]
    sold = [0, 0]
    now = NOW
    for step, holder, amounts in steps:
        quantities = {goods[which].pk: amount for which, amount in amounts.items()}
        if step == "wait":
            now += timedelta(minutes=13)
        elif step == "sweep":
            stock.release_lapsed(now)
        elif step == "release":
            stock.release_hold(holder)
        else:
            could = {pk: stock.available_now(pk, now, holder) for pk in quantities}
            missing = {pk: could[pk] for pk, wanted in quantities.items() if wanted > could[pk]}
            call = stock.place_hold if step == "hold" else stock.take_held
            if missing:
                with pytest.raises(OutOfStock) as refusal:
                    call(holder, quantities, now)
                assert refusal.value.missing == missing
                continue
            call(holder, quantities, now)
            for which, amount in amounts.items():
                sold[which] += amount if step == "take" else 0
        for which, each in enumerate(goods):
            held = sum(Hold.objects.filter(variant=each).values_list("quantity", flat=True))
            assert numbers(each) == (start - sold[which], held)
    Hold.objects.all().delete()
    Variant.objects.all().delete()
