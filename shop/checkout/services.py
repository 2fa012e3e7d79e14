"""From an approval to a paid order.

One lock order everywhere: cart, stock (by primary key), order, payment, grant. No lock and no open transaction is held
while the payment provider is asked; what it answers is written by conditional UPDATEs, so the page, a second post and
the task that settles what was left open can't both do it.
"""

import logging
import secrets
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.delivery.models import Channel, Message
from accounts.delivery.services import queue_message
from accounts.factors.base import Strength
from accounts.stepup import grants, rules
from accounts.stepup.challenges import Asker, begin
from accounts.stepup.models import Challenge, Grant, Purpose
from accounts.stepup.risk import STRONG, decide
from accounts.stepup.sparing import last_strong_proof, spare
from shop.cart.models import Cart, CartLine
from shop.checkout.facts import facts_of
from shop.checkout.models import Checkout
from shop.checkout.quote import Quote, quote_of
from shop.money import format_money
from shop.order.models import Order, OrderLine
from shop.order.services import note
from shop.payment.base import Card, Outcome, ProviderSilent
from shop.payment.door import provider, provider_of
from shop.payment.models import Payment
from shop.payment.services import follow, send_open, void_of
from shop.product import stock

logger = logging.getLogger(__name__)
State = Payment.State

# Letters and digits that can't be taken for one another, on paper and on the phone.
CODE_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
# A payment under way for longer than this has lost its request; the provider is asked what became of it.
SETTLE_AFTER = timedelta(minutes=1)
# A shopper whom the bank has asked for longer than this does not come back: the goods are not set aside any more.
ABANDONED_AFTER = timedelta(minutes=30)


class CartChanged(Exception):
    """What is about to be ordered isn't what was approved. `changes` says what is different."""

    def __init__(self, changes: list[str]) -> None:
        super().__init__(changes)
        self.changes = changes


class NothingToPay(Exception):
    """The cart is empty, or the way to the payment isn't complete."""


class PaymentUnderWay(Exception):
    """This order is being paid at this moment, by an earlier post."""


def start_approval(
    *, cart: Cart, asker: Asker, next_path: str, device: str = "", now: datetime | None = None
) -> Challenge:
    """Set the stock aside and begin the challenge that is bound to exactly this purchase.

    Where the shop's rules spare it, the challenge is passed already. `device` is the browser's hash (device.py).

    Raises NothingToPay, PaymentUnderWay, stock.OutOfStock and policy.NoFactor.
    """
    now = now or timezone.now()
    with transaction.atomic():
        checkout = _locked_checkout(cart.pk)
        quote = quote_of(cart, checkout)
        if not quote.lines or quote.delivery_fee is None:
            raise NothingToPay
        _drop_other_orders(cart.pk, checkout, quote.digest, now)
        checkout.approved_context = quote.context
        checkout.save(update_fields=["approved_context", "attempt_token"])
        stock.place_hold(checkout.attempt_token, quote.quantities, now)
    # The challenge is outside: a message is not taken back because a cart was locked for too long.
    facts = facts_of(quote=quote, asker=asker, device=device, now=now)
    decision = decide(facts, rules.current())
    approval: dict[str, Any] = {
        "asker": asker,
        "purpose": Purpose.PAY,
        "digest": quote.digest,
        "next_path": next_path,
        "summary": {"amount": format_money(quote.total).replace("\u00a0", " ")},
        "reasons": decision.reasons,
        "facts": facts.plain(),
        "now": now,
    }
    if not decision.ask and (proof := last_strong_proof(browser=asker.browser, user=asker.user, least=STRONG)):
        return spare(strength=proof.strength, **approval)
    return begin(least=decision.least if decision.least > Strength.EMAIL else None, **approval)


def approved_quote(*, cart: Cart, checkout: Checkout, asker: Asker) -> Quote:
    """The purchase as it is now, if it is approved and can be paid.

    Raises NothingToPay, or CartChanged where it is not, or no longer, approved.
    """
    quote = quote_of(cart, checkout)
    if not quote.lines or quote.delivery_fee is None:
        raise NothingToPay
    pending = Order.objects.filter(attempt_token=checkout.attempt_token, state=Order.State.PENDING).first()
    if pending and bytes(pending.context_digest) == quote.digest:
        return quote
    if not grants.find(
        browser=asker.browser, purpose=Purpose.PAY, digest=quote.digest, user=asker.user, contact=asker.contact
    ):
        raise CartChanged(quote.changes_since_approval())
    return quote


def place_order(
    *, own_cart: Q, attempt_token: UUID, asker: Asker, device: str = "", now: datetime | None = None
) -> Order:
    """Write the order that was approved, as pending, and use its grant up, in one transaction.

    `own_cart` is the condition on the visitor's cart, `device` the hash by which the browser is known the next time.
    However often it is posted, an attempt token makes one order.
    Raises NothingToPay, CartChanged, stock.OutOfStock.
    """
    now = now or timezone.now()
    with transaction.atomic():
        cart = Cart.objects.select_for_update().filter(own_cart).first()
        if cart is None:
            raise NothingToPay
        order = Order.objects.filter(attempt_token=attempt_token, cart_id=cart.pk).first()
        if order and order.state != Order.State.PENDING:
            return order
        # Read after the lock, not joined to it: a join would show it as it was before the wait.
        checkout = Checkout.objects.filter(pk=cart.pk, attempt_token=attempt_token).first()
        if checkout is None:
            raise NothingToPay
        quote = quote_of(cart, checkout)
        if not quote.lines or quote.delivery_fee is None:
            raise NothingToPay
        if order:
            if bytes(order.context_digest) != quote.digest:
                raise CartChanged(quote.changes_since_approval())
            stock.renew_hold(attempt_token, quote.quantities, now)  # the next card is tried on goods that are there
            return order
        grant = grants.find(
            browser=asker.browser,
            purpose=Purpose.PAY,
            digest=quote.digest,
            user=asker.user,
            contact=asker.contact,
            now=now,
        )
        if grant is None:
            raise CartChanged(quote.changes_since_approval())
        stock.renew_hold(attempt_token, quote.quantities, now)
        order = _write_order(quote, cart, asker, device, grant, now)
        try:
            grants.use_up(grant, now)
        except grants.NoGrant:
            raise CartChanged([]) from None
        return order


def pay_order(*, order: Order, attempt: int, card: Card, now: datetime | None = None) -> Payment | None:
    """Ask the provider for a pending order's money, once for each attempt; None where the order isn't pending.

    A repeated post of the same attempt charges nothing and gives the same payment. Raises PaymentUnderWay while
    another post is at it, or when the provider stays silent: then the task settles it.
    """
    now = now or timezone.now()
    if order.state != Order.State.PENDING:
        return None
    try:
        with transaction.atomic():
            payment = Payment.objects.create(
                order=order,
                attempt=attempt,
                provider=provider().name,
                amount=order.total,
                currency=order.currency,
                card_ending=card.number[-4:],
                started_at=now,
            )
    except IntegrityError:
        earlier = Payment.objects.filter(order=order, attempt=attempt).exclude(state=State.STARTED).first()
        if earlier is None:
            raise PaymentUnderWay from None  # this attempt or another one is open
        return earlier
    try:
        outcome = provider().authorise(payment, card)
    except ProviderSilent:
        logger.warning("The payment provider did not answer for %s.", payment)
        raise PaymentUnderWay from None
    if state := settle(payment, outcome):
        payment.state = state
    else:
        payment.refresh_from_db()
    return payment


def settle(payment: Payment, outcome: Outcome, now: datetime | None = None) -> Payment.State | None:
    """Write what became of a payment under way, and give its new state; None where that is no news."""
    now = now or timezone.now()
    if outcome.state == State.STARTED:
        return None
    if outcome.state not in (State.AUTHORISED, State.CAPTURED):
        ended = State.DECLINED if outcome.state == State.DECLINED else State.FAILED
        return ended if _end(payment, outcome, ended, now) else None
    order = payment.order
    try:
        with transaction.atomic():
            Cart.objects.select_for_update().filter(pk=order.cart_id).first()
            stock.take_held(order.attempt_token, order.quantities, now)
            paid = Order.objects.filter(
                pk=order.pk, state__in=[Order.State.PENDING, Order.State.CANCELLED], paid_at=None
            ).update(state=Order.State.PAID, paid_at=now)
            if not (paid and _end(payment, outcome, State.AUTHORISED, now)):
                raise _SettledAlready
            _clear_cart(order)
            _confirm(order, Order.State.PAID)
    except _SettledAlready:
        return None
    except stock.OutOfStock:
        return State.VOIDING if _give_back(order, payment, outcome, now) else None
    follow(payment, outcome, now)  # where it was charged at once
    return State.AUTHORISED


def settle_open(now: datetime | None = None) -> None:
    """Ask the provider about all that has no answer yet, and end orders that nobody pays any more."""
    now = now or timezone.now()
    lost = Payment.objects.filter(state=State.STARTED, started_at__lt=now - SETTLE_AFTER)
    for payment in lost.select_related("order__user"):
        try:
            outcome = provider_of(payment).outcome_of(payment)
        except ProviderSilent:
            logger.warning("The payment provider still does not answer for %s.", payment)
            continue
        settle(payment, outcome, now)
        if outcome.state == State.STARTED and payment.started_at < now - ABANDONED_AFTER:
            void_of(payment.order_id)
    send_open()
    for order in Order.objects.filter(state=Order.State.PENDING, placed_at__lt=now - stock.HOLD_LIMIT):
        _cancel_unpaid(order)


class _SettledAlready(Exception):
    """Somebody else wrote this payment's end first; our half is rolled back."""


def _locked_checkout(cart_id: UUID) -> Checkout:
    Cart.objects.select_for_update().get(pk=cart_id)
    return Checkout.objects.get_or_create(cart_id=cart_id)[0]


def _drop_other_orders(cart_id: UUID, checkout: Checkout, digest: bytes, now: datetime) -> None:
    """A pending order of this cart that is not what is being approved now is cancelled, and a new attempt begins."""
    for order in Order.objects.filter(cart_id=cart_id, state=Order.State.PENDING):
        if bytes(order.context_digest) == digest and order.attempt_token == checkout.attempt_token:
            continue
        if not _cancel_unpaid(order):
            raise PaymentUnderWay
        if order.attempt_token == checkout.attempt_token:
            checkout.attempt_token = uuid4()


def _cancel_unpaid(order: Order) -> bool:
    """Cancel a pending order, unless it is being paid at this moment."""
    with transaction.atomic():
        stock.release_hold(order.attempt_token)
        cancelled = (
            Order.objects.filter(pk=order.pk, state=Order.State.PENDING)
            .exclude(payments__state__in=Payment.OPEN_OR_PAID)
            .update(state=Order.State.CANCELLED)
        )
        if not cancelled:
            transaction.set_rollback(True)
            return False
        note(order, "Cancelled: it was not paid.")
    return True


def _write_order(quote: Quote, cart: Cart, asker: Asker, device: str, grant: Grant, now: datetime) -> Order:
    checkout = quote.checkout
    order = Order.objects.create(
        code="".join(secrets.choice(CODE_ALPHABET) for _ in range(8)),
        user=asker.user,
        browser=asker.browser,
        device=device if asker.user else "",
        attempt_token=checkout.attempt_token,
        cart_id=cart.pk,
        email=checkout.email,
        phone=checkout.phone,
        name=checkout.name,
        line1=checkout.line1,
        line2=checkout.line2,
        postcode=checkout.postcode,
        city=checkout.city,
        country=checkout.country,
        delivery_method=checkout.delivery_method,
        subtotal=quote.subtotal,
        delivery_fee=quote.total - quote.subtotal,
        tax=quote.tax,
        total=quote.total,
        currency=settings.CURRENCY,
        grant=grant,
        context_digest=quote.digest,
        approved_context=quote.context,
        approved_at=grant.granted_at,
        approved_by=grant.factor,
        placed_at=now,
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            variant=line.variant,
            sku=line.variant.sku,
            name=str(line.variant),
            picture=line.variant.picture or line.variant.product.picture,
            unit_price=line.unit_price,
            quantity=line.quantity,
            total=line.total,
        )
        for line in quote.lines
    )
    order.quantities = quote.quantities  # just written, so not read again
    return order


def _end(payment: Payment, outcome: Outcome, state: Payment.State, now: datetime) -> bool:
    return payment.move(state, provider_id=outcome.provider_id, ended_at=now)


def _clear_cart(order: Order) -> None:
    """What was bought leaves the cart; what was added since stays."""
    bought = Q()
    for variant_id, quantity in order.quantities.items():
        bought |= Q(variant_id=variant_id, quantity__lte=quantity)
    if bought:
        CartLine.objects.filter(bought, cart_id=order.cart_id).delete()
    # The next purchase begins with a new attempt token; a person's address is kept with the account.
    Checkout.objects.filter(cart_id=order.cart_id, attempt_token=order.attempt_token).delete()


def _confirm(order: Order, state: str) -> None:
    """Tell the shopper; the message leaves after the commit, and its failure touches nothing."""
    queue_message(
        kind=Message.Kind.ORDER,
        channel=Channel.EMAIL if order.email else Channel.TEXT,
        destination=order.email or order.phone,
        user=order.user,
        reference=f"{order.code} {state}",
    )


def _give_back(order: Order, payment: Payment, outcome: Outcome, now: datetime) -> bool:
    """The money came, the goods are gone: cancel, let it go, and tell both sides."""
    with transaction.atomic():
        if not _end(payment, outcome, State.AUTHORISED, now):
            return False
        void_of(order.pk)
        Order.objects.filter(pk=order.pk).update(state=Order.State.CANCELLED)
        stock.release_hold(order.attempt_token)
        note(order, "Cancelled, and nothing was charged: it was sold out before the payment came.")
        _confirm(order, Order.State.CANCELLED)
    logger.error("Order %s was paid after its goods were gone; nothing is charged.", order.code)
    return True
