"""Orders with a payment, straight into the tables: what tests of charging and paying back begin with."""

import secrets
from decimal import Decimal
from uuid import uuid4

from django.utils import timezone

from accounts.stepup.models import Challenge, Grant, Purpose
from shop.checkout.services import CODE_ALPHABET
from shop.order.models import Order
from shop.payment.base import Card
from shop.payment.demo import APPROVES, DemoCards
from shop.payment.models import Payment


def new_order(total: str = "30.00", state: str = "paid") -> Order:
    """A guest's, of no goods: nothing but its money is of interest."""
    now = timezone.now()
    proof = {"purpose": Purpose.PAY, "context_digest": bytes(32), "browser": "b" * 64, "contact": "guest@example.org"}
    challenge = Challenge.objects.create(
        **proof, next_path="/", factor="email", code_key="", attempts_left=1, expires_at=now, credentials="",
        state=Challenge.State.PASSED,
    )  # fmt: skip
    grant = Grant.objects.create(
        **proof, challenge=challenge, factor="email", strength=1, granted_at=now, expires_at=now, used_at=now
    )
    return Order.objects.create(
        code="".join(secrets.choice(CODE_ALPHABET) for _ in range(8)), state=state, attempt_token=uuid4(),
        cart_id=uuid4(), email="guest@example.org", name="G", line1="1", postcode="1", city="B", country="DE",
        delivery_method="standard", subtotal=Decimal(total), delivery_fee=0, tax=0, total=Decimal(total),
        currency="EUR", grant=grant, context_digest=bytes(32), approved_at=now, approved_by="email",
        paid_at=now if state == "paid" else None,
    )  # fmt: skip


def new_payment(total: str = "30.00", state: str = "started") -> Payment:
    order = new_order(total)
    return Payment.objects.create(
        order=order, attempt=1, provider="demo", amount=order.total, currency="EUR", state=state
    )


def authorised(total: str = "30.00") -> Payment:
    """The demo's bank has set it aside."""
    payment = new_payment(total)
    outcome = DemoCards().authorise(payment, Card(APPROVES))
    assert payment.move(outcome.state, provider_id=outcome.provider_id, ended_at=timezone.now())
    return payment
