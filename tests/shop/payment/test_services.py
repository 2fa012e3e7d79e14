"""What was set aside is charged or let go, and paid back at most once."""

from contextlib import nullcontext
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from shop.payment import services
from shop.payment.base import Outcome, ProviderSilent
from shop.payment.demo import DemoCards
from shop.payment.models import DemoCharge, Payment, Refund
from shop.payment.services import TooMuch, capture_of, refund_of, refundable, send_open, void_of
from tests.payments import authorised, new_payment

pytestmark = pytest.mark.django_db
State = Payment.State


def books():
    """The demo bank's: set aside, charged, paid back, let go."""
    charge = DemoCharge.objects.get()
    return charge.amount, charge.captured, charge.refunded, charge.voided


def test_only_the_moves_of_the_table_are_made():
    payment = new_payment()
    for before in State:
        for after in State:
            captured = payment.amount if before in (State.CAPTURING, State.CAPTURED) else 0
            Payment.objects.filter(pk=payment.pk).update(state=before, captured_amount=captured)
            amount = payment.amount if after in (State.CAPTURING, State.CAPTURED) else 0
            allowed = after in Payment.MOVES.get(before, ())
            assert payment.move(after, captured_amount=amount) is allowed, f"{before} -> {after}"


def test_it_is_charged_at_dispatch_once_and_paid_back_in_parts():
    payment = authorised()
    assert refundable(payment.order_id) == Decimal("30.00")
    assert capture_of(payment.order_id) and capture_of(payment.order_id)
    send_open()
    assert capture_of(payment.order_id) and books() == (30, 30, 0, False)
    refund = refund_of(payment.order_id, Decimal("12.50"), "One cup was broken.")
    with pytest.raises(TooMuch) as refusal:
        refund_of(payment.order_id, Decimal("17.51"))
    assert refusal.value.left == refundable(payment.order_id) == Decimal("17.50")
    send_open()
    refund.refresh_from_db()
    assert (refund.state, refund.reason) == ("done", "One cup was broken.") and refund.provider_id and refund.ended_at
    assert refund_of(payment.order_id).amount == Decimal("17.50")
    send_open()
    send_open()
    assert books() == (30, 30, 30, False) and refundable(payment.order_id) == 0
    assert refund_of(payment.order_id) is None and not void_of(payment.order_id)


def test_before_it_is_charged_it_is_let_go_and_a_part_is_not_charged():
    payment = authorised()
    assert refund_of(payment.order_id, Decimal("10.00")).state == "let_go"
    assert refundable(payment.order_id) == Decimal("20.00")
    assert capture_of(payment.order_id)
    send_open()
    assert books() == (30, 20, 0, False) and refundable(payment.order_id) == Decimal("20.00")

    DemoCharge.objects.all().delete()
    other = authorised()
    assert refund_of(other.order_id) is None and void_of(other.order_id)
    send_open()
    other.refresh_from_db()
    assert books() == (30, 0, 0, True) and other.state == "voided"
    assert (
        not capture_of(other.order_id) and refundable(other.order_id) == 0 and not Refund.objects.filter(payment=other)
    )


def test_the_same_key_asks_for_the_same_refund():
    payment = authorised()
    capture_of(payment.order_id)
    key = uuid4()
    first = refund_of(payment.order_id, Decimal("5.00"), key=key)
    assert refund_of(payment.order_id, Decimal("5.00"), key=key) == first
    assert refundable(payment.order_id) == Decimal("25.00")


def test_a_refund_that_the_bank_returns_can_be_given_again(caplog):
    payment = authorised()
    capture_of(payment.order_id)
    send_open()
    refund = refund_of(payment.order_id)
    send_open()
    for _ in range(2):  # the provider says it twice
        services.end_refund(refund, Refund.State.FAILED, "")
    assert refundable(payment.order_id) == Decimal("30.00")
    assert "has to be paid back in another way" in caplog.text
    assert not services.end_refund(refund, Refund.State.DONE, "")  # a late word changes nothing


@pytest.mark.parametrize("lost", ["capture", "void", "refund"])
def test_what_was_not_answered_is_asked_again_and_done_once(monkeypatch, lost):
    payment = authorised()
    if lost == "refund":
        capture_of(payment.order_id)
        send_open()
    {"capture": capture_of, "void": void_of, "refund": refund_of}[lost](payment.order_id)
    really = getattr(DemoCards, lost)

    def silent(self, row):
        really(self, row)
        raise ProviderSilent

    with monkeypatch.context() as patch:
        patch.setattr(DemoCards, lost, silent)
        send_open()
    assert Payment.objects.get().state in ("capturing", "voiding", "captured")
    send_open()
    done = {
        "capture": ("captured", (30, 30, 0, False)),
        "void": ("voided", (30, 0, 0, True)),
        "refund": ("captured", (30, 30, 30, False)),
    }
    assert (Payment.objects.get().state, books()) == done[lost]
    assert not Refund.objects.filter(state="asked")


def test_an_authorisation_that_ended_at_the_bank_is_not_charged_and_staff_hear_of_it(caplog):
    payment = authorised()
    DemoCharge.objects.filter(pk=payment.idempotency_key).update(voided=True)
    capture_of(payment.order_id)
    refund_of(payment.order_id, Decimal("5.00"))
    send_open()
    payment.refresh_from_db()
    assert (payment.state, payment.captured_amount, Refund.objects.get().state) == ("failed", 0, "let_go")
    assert "before it was charged" in caplog.text and not capture_of(payment.order_id)


def test_what_was_charged_against_our_void_is_paid_back(django_capture_on_commit_callbacks):
    payment = authorised()
    void_of(payment.order_id)
    DemoCharge.objects.filter(pk=payment.idempotency_key).update(captured=30)  # by hand, at the provider's desk
    with django_capture_on_commit_callbacks(execute=True):
        send_open()
    assert books() == (30, 30, 30, False)


@pytest.mark.parametrize(
    "broken",
    [
        {"refunded_amount": Decimal("30.01")},
        {"refunded_amount": Decimal("-0.01")},
        {"captured_amount": Decimal("30.01")},
        {"captured_amount": 0},
        {"state": "voided"},
        {"let_go_amount": Decimal("30.00")},
    ],
)
def test_the_database_refuses_what_must_not_be(broken):
    payment = authorised()
    capture_of(payment.order_id)
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.filter(pk=payment.pk).update(**broken)


@given(
    words=st.lists(
        st.one_of(
            st.sampled_from(["capture", "void", "send", "captured", "voided"]),
            st.decimals("0.01", "40.00", places=2),
        ),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_asked_in_whatever_order_the_books_agree(words):
    """And what the provider tells may be old, or come twice."""
    with transaction.atomic():
        payment = authorised()
        for word in words:
            if isinstance(word, Decimal):
                with nullcontext() if word <= refundable(payment.order_id) else pytest.raises(TooMuch):
                    refund_of(payment.order_id, word)
            elif word in ("captured", "voided"):
                row = Payment.objects.get(pk=payment.pk)
                outcome = DemoCards().outcome_of(row)
                if outcome.state == word:
                    services.follow(row, outcome)
            else:
                {"capture": capture_of, "void": void_of, "send": lambda _: send_open()}[word](payment.order_id)
        send_open()
        payment.refresh_from_db()
        charge = DemoCharge.objects.get(pk=payment.idempotency_key)
        assert payment.captured_amount == charge.captured and payment.refunded_amount == charge.refunded
        assert (payment.state == "voided") is charge.voided
        back = sum(refund.amount for refund in payment.refunds.filter(state="let_go"))
        assert back == payment.let_go_amount and (not charge.captured or charge.captured + back == payment.amount)
        transaction.set_rollback(True)


def test_a_stale_word_from_the_provider_changes_nothing():
    payment = authorised()
    capture_of(payment.order_id)
    send_open()
    payment.refresh_from_db()
    for state in (State.VOIDED, State.DECLINED, State.FAILED, State.STARTED, State.AUTHORISED):
        assert not services.follow(payment, Outcome(state))
    assert Payment.objects.get().state == "captured"
