"""What an order was approved with, checked again from what is stored."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from accounts.stepup import passkeys
from accounts.stepup.digest import context_digest
from accounts.stepup.models import BY_RULE, Assertion, Purpose
from shop.checkout.quote import ADDRESS_FIELDS, CONTACT_FIELDS
from shop.order.models import Order, OrderLine


def faults_of(order: Order) -> list[str]:
    """Where the order, what was approved and the proof of it do not fit together; none where all is as it was."""
    context = order.approved_context
    if not context:
        return ["What was approved is not kept with this order."]
    digest, grant = context_digest(Purpose.PAY, context), order.grant
    found = []
    if digest != bytes(order.context_digest):
        found.append("What is kept as approved is not what was approved: its digest is another.")
    if bytes(grant.context_digest) != digest or bytes(grant.challenge.context_digest) != digest:
        found.append("The approval is of something else: its digest is another.")
    if grant.purpose != Purpose.PAY or grant.challenge.purpose != Purpose.PAY or grant.user_id != order.user_id:
        found.append("The approval is not this person's approval of a payment.")
    if grant.factor != order.approved_by or grant.used_at is None:
        found.append("The approval was given by other means, or never used.")
    found += [f"Edited since it was approved: {what}." for what in _differences(order, context)]
    if grant.factor == "passkey":
        found += _faults_of_the_signature(order, digest)
    return found


def what_proves(order: Order) -> str:
    """What that proves and what it can't, for an order without faults."""
    if order.approved_by == BY_RULE:
        return "Nobody was asked: the shop's rules spared it. The records agree with each other, and prove no consent."
    if order.approved_by == "passkey":
        signed = order.grant.assertion
        since = passkeys.registered_at(order.user, bytes(signed.public_key))
        return (
            f"Proven: a passkey that was added on {since:%d %B %Y} signed exactly this purchase, on {signed.site}, "
            "after its device had checked who held it. The shop has no part of the key that signs."
        )
    return (
        "The records agree with each other: this person's proof was accepted for exactly this purchase. A code is "
        "known to the shop too, so nothing here shows to others that the shop did not make it up; verify_audit shows "
        "whether its security events were edited."
    )


def _faults_of_the_signature(order: Order, digest: bytes) -> list[str]:
    kept = Assertion.objects.filter(grant=order.grant).select_related("grant__challenge").first()
    if kept is None:
        return ["The passkey's signature is missing."]
    found = []
    if not passkeys.verifies(kept, digest):
        found.append("The passkey's signature is not over this purchase.")
    if passkeys.registered_at(order.user, bytes(kept.public_key)) is None:
        found.append("No security event tells that this person added the passkey that signed.")
    return found


def _differences(order: Order, context: Mapping[str, Any]) -> list[str]:
    """What the order says otherwise than what was approved, by name."""
    now = {
        "delivery method": (order.delivery_method, context["delivery_method"]),
        "delivery fee": (order.delivery_fee, Decimal(context["delivery_fee"])),
        "tax": (order.tax, Decimal(context["tax"])),
        "total": (order.total, Decimal(context["total"])),
        "currency": (order.currency, context["currency"]),
        "address": ({field: getattr(order, field) for field in ADDRESS_FIELDS}, context["address"]),
        "contact": ({field: getattr(order, field) for field in CONTACT_FIELDS}, context["contact"]),
        "goods": (order.subtotal, sum((line.total for line in order.lines.all()), Decimal(0))),
    }
    different = [name for name, (is_now, was) in now.items() if is_now != was]
    return different if _same_lines(list(order.lines.all()), context["lines"]) else [*different, "lines"]


def _same_lines(lines: list[OrderLine], approved: list[Mapping[str, Any]]) -> bool:
    """A variant that was deleted since is known by its quantity and price alone."""
    left = [(line["variant"], line["quantity"], Decimal(line["unit_price"])) for line in approved]
    for line in sorted(lines, key=lambda line: line.variant_id is None):
        fitting = (
            each for each in left if each[1:] == (line.quantity, line.unit_price) and line.variant_id in (None, each[0])
        )
        if (same := next(fitting, None)) is None:
            return False
        left.remove(same)
    return not left
