import uuid
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop.money import MoneyField


class Payment(models.Model):
    """One attempt to be paid for one order, written before the provider is asked."""

    class State(models.TextChoices):
        STARTED = "started", _("under way")
        AUTHORISED = "authorised", _("approved by the bank, charged when we dispatch")
        CAPTURING = "capturing", _("being charged")
        CAPTURED = "captured", _("paid")
        VOIDING = "voiding", _("being cancelled")
        VOIDED = "voided", _("cancelled, nothing was charged")
        DECLINED = "declined", _("declined")
        FAILED = "failed", _("failed, nothing was charged")

    # What may follow what. Every move is a conditional UPDATE by `move`; what has no line is the end.
    MOVES: dict[str, set[str]] = {
        State.STARTED: {State.AUTHORISED, State.DECLINED, State.FAILED, State.VOIDING},
        State.AUTHORISED: {State.CAPTURING, State.CAPTURED, State.VOIDING, State.VOIDED},
        State.CAPTURING: {State.CAPTURED, State.FAILED},
        # Captured: by somebody at the provider's own desk, before it heard of our void. It is paid back.
        State.VOIDING: {State.VOIDED, State.CAPTURED},
    }
    # However many posts there are, one attempt for an order is in one of these.
    OPEN_OR_PAID = (State.STARTED, State.AUTHORISED, State.CAPTURING, State.CAPTURED)

    order = models.ForeignKey("order.Order", on_delete=models.PROTECT, related_name="payments")
    attempt = models.PositiveSmallIntegerField(_("attempt"))
    # What the provider recognises a repeat by: the same key never charges twice.
    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    provider = models.CharField(_("provider"), max_length=20)
    provider_id = models.CharField(_("provider's id"), max_length=64, blank=True)
    amount = MoneyField(_("amount"))
    # What decides over charging and paying back stands in this row: the part that is not to be charged, what was, or
    # is being, charged, and what of it was, or is being, paid back.
    let_go_amount = MoneyField(_("not charged"), default=Decimal(0))
    captured_amount = MoneyField(_("charged"), default=Decimal(0))
    refunded_amount = MoneyField(_("paid back"), default=Decimal(0))
    currency = models.CharField(max_length=3)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.STARTED)
    card_ending = models.CharField(_("card ending in"), max_length=4, blank=True)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    ended_at = models.DateTimeField(_("answered"), null=True)
    captured_at = models.DateTimeField(_("charged at"), null=True)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            models.UniqueConstraint(name="payment_attempt_once", fields=["order", "attempt"]),
            models.UniqueConstraint(
                name="payment_one_open_or_paid",
                fields=["order"],
                condition=models.Q(state__in=["started", "authorised", "capturing", "captured"]),
            ),
            models.UniqueConstraint(
                name="payment_provider_id_once",
                fields=["provider", "provider_id"],
                condition=~models.Q(provider_id=""),
            ),
            models.CheckConstraint(name="payment_amount_positive", condition=models.Q(amount__gt=0)),
            models.CheckConstraint(
                name="payment_let_go_at_most_all",
                condition=models.Q(let_go_amount__gte=0, let_go_amount__lt=models.F("amount")),
            ),
            models.CheckConstraint(
                name="payment_captured_at_most_all",
                condition=models.Q(
                    state__in=["capturing", "captured"], captured_amount__gt=0, captured_amount__lte=models.F("amount")
                )
                | ~models.Q(state__in=["capturing", "captured"]) & models.Q(captured_amount=0),
            ),
            models.CheckConstraint(
                name="payment_refunded_at_most_captured",
                condition=models.Q(refunded_amount__gte=0, refunded_amount__lte=models.F("captured_amount")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}/{self.attempt} {self.get_state_display()}"

    @classmethod
    def before(cls, state: str) -> list[str]:
        """The states from which `state` may be reached."""
        return [earlier for earlier, later in cls.MOVES.items() if state in later]

    @property
    def left(self) -> Decimal:
        """What may still be paid back, or be let go."""
        if self.state == self.State.AUTHORISED:
            return self.amount - self.let_go_amount
        return self.captured_amount - self.refunded_amount

    def move(self, state: str, **changes: Any) -> bool:
        """One conditional UPDATE to `state`, if the row's own state of this moment allows it; whether it did.

        Where it did, `changes` that are values, and the state, are in this object too.
        """
        moved = Payment.objects.filter(pk=self.pk, state__in=self.before(state)).update(state=state, **changes)
        if moved:
            self.state = state
        return bool(moved)


class Refund(models.Model):
    """Money that goes back to the shopper, in whole or in part; written before the provider is asked."""

    class State(models.TextChoices):
        ASKED = "asked", _("being paid back")
        DONE = "done", _("paid back")
        # Before the money was charged: that much less is charged.
        LET_GO = "let_go", _("not charged")
        FAILED = "failed", _("could not be paid back")

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount = MoneyField(_("amount"))
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.ASKED)
    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    provider_id = models.CharField(_("provider's id"), max_length=64, blank=True)
    asked_at = models.DateTimeField(_("asked"), default=timezone.now)
    ended_at = models.DateTimeField(_("answered"), null=True)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.CheckConstraint(name="refund_amount_positive", condition=models.Q(amount__gt=0)),
            models.UniqueConstraint(
                name="refund_provider_id_once",
                fields=["payment", "provider_id"],
                condition=~models.Q(provider_id=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.get_state_display()}"


class DemoCharge(models.Model):
    """The demo card provider's own books: what it set aside, by idempotency key. No card number is kept."""

    idempotency_key = models.UUIDField(primary_key=True)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    outcome = models.CharField(max_length=12)
    captured = MoneyField(default=Decimal(0))
    voided = models.BooleanField(default=False)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="demo_charge_captured_or_voided",
                condition=models.Q(captured__lte=models.F("amount"), voided=False) | models.Q(captured=0, voided=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.outcome} {self.amount}"

    @property
    def refunded(self) -> Decimal:
        return sum((refund.amount for refund in self.refunds.all()), Decimal(0))


class DemoRefund(models.Model):
    """What the demo card provider paid back, by idempotency key."""

    idempotency_key = models.UUIDField(primary_key=True)
    charge = models.ForeignKey(DemoCharge, on_delete=models.CASCADE, related_name="refunds")
    amount = MoneyField()

    def __str__(self) -> str:
        return f"{self.amount}"
