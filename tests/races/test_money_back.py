"""Two who give the same money back, or charge what another lets go, at the same moment."""

import threading
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.models import Sum

from shop.payment.models import DemoCharge, DemoRefund, Payment, Refund
from shop.payment.services import TooMuch, capture_of, refund_of, send_open, void_of
from tests.conftest import in_threads
from tests.payments import authorised

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]


@pytest.fixture
def charged():
    payment = authorised("30.00")
    capture_of(payment.order_id)
    send_open()
    return payment


def test_refunds_at_once_never_give_back_more_than_was_paid(charged):
    results = in_threads(20, lambda n: refund_of(charged.order_id, Decimal("7.00")))
    assert sorted(type(result).__name__ for result in results) == ["Refund"] * 4 + ["TooMuch"] * 16
    rest = in_threads(10, lambda n: refund_of(charged.order_id))
    assert sorted(type(result).__name__ for result in rest) == ["NoneType"] * 9 + ["Refund"]
    charged.refresh_from_db()
    assert charged.refunded_amount == DemoCharge.objects.get().refunded == Decimal("30.00")
    assert Refund.objects.filter(state="done").aggregate(sum=Sum("amount"))["sum"] == Decimal("30.00")


def test_control_looking_before_paying_back_gives_back_too_much(charged):
    """What happens without the condition in the payment's own row: everybody has seen that it is not paid back yet."""
    all_have_seen = threading.Barrier(10)

    def naive(_number):
        seen = Payment.objects.get(pk=charged.pk)
        back = seen.refunds.aggregate(sum=Sum("amount", default=0))["sum"]
        all_have_seen.wait()
        if back + 20 <= seen.captured_amount:
            seen.refunds.create(amount=20)

    in_threads(10, naive)
    assert Refund.objects.aggregate(sum=Sum("amount"))["sum"] > charged.amount


def test_one_key_posted_ten_times_is_one_refund(charged):
    key = uuid4()
    results = in_threads(10, lambda n: refund_of(charged.order_id, Decimal("2.00"), key=key))
    assert {result.pk for result in results} == {Refund.objects.get().pk} and DemoRefund.objects.count() == 1


@pytest.mark.parametrize("round", range(3))
def test_a_payment_is_either_charged_or_let_go(round):
    payment = authorised("30.00")
    results = in_threads(12, lambda n: (capture_of, void_of)[n % 2](payment.order_id))
    payment.refresh_from_db()
    charge = DemoCharge.objects.get()
    assert payment.state == ("voided" if charge.voided else "captured")
    assert set(results[0::2]) == {not charge.voided} and set(results[1::2]) == {charge.voided}
    assert charge.captured == (0 if charge.voided else 30)


def test_control_looking_before_writing_charges_what_is_let_go():
    """What happens without the conditional UPDATE: both have seen that it is set aside, and both are told yes."""
    payment = authorised("30.00")
    both_have_seen = threading.Barrier(2)

    def naive(number):
        seen = Payment.objects.get(pk=payment.pk)
        both_have_seen.wait()
        if seen.state != "authorised":
            return False
        wish = {"state": "capturing", "captured_amount": 30} if number else {"state": "voiding", "captured_amount": 0}
        return bool(Payment.objects.filter(pk=payment.pk).update(**wish))

    assert in_threads(2, naive) == [True, True]


def test_a_part_is_let_go_or_paid_back_and_is_never_both():
    payment = authorised("30.00")

    def one_of_two(number):
        if number == 0:
            return capture_of(payment.order_id)
        try:
            return refund_of(payment.order_id, Decimal("7.00"))
        except TooMuch as much:
            return much

    in_threads(8, one_of_two)
    send_open()
    charge = DemoCharge.objects.get()
    let_go = Refund.objects.filter(state="let_go").count() * 7
    assert charge.captured == 30 - let_go and charge.captured - charge.refunded == 2
