import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop.money import MoneyField


class Payment(models.Model):
    """One attempt to be paid for one order, written before the provider is asked."""

    class State(models.TextChoices):
        STARTED = "started", _("under way")
        SUCCEEDED = "succeeded", _("paid")
        DECLINED = "declined", _("declined")
        FAILED = "failed", _("failed, nothing was charged")
        REFUNDING = "refunding", _("being paid back")
        REFUNDED = "refunded", _("paid back")

    order = models.ForeignKey("order.Order", on_delete=models.PROTECT, related_name="payments")
    attempt = models.PositiveSmallIntegerField(_("attempt"))
    # What the provider recognises a repeat by: the same key never charges twice.
    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    provider = models.CharField(_("provider"), max_length=20)
    provider_id = models.CharField(_("provider's id"), max_length=64, blank=True)
    amount = MoneyField(_("amount"))
    currency = models.CharField(max_length=3)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.STARTED)
    card_ending = models.CharField(_("card ending in"), max_length=4, blank=True)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            models.UniqueConstraint(name="payment_attempt_once", fields=["order", "attempt"]),
            # However many posts there are, one attempt is under way or has paid.
            models.UniqueConstraint(
                name="payment_one_open_or_paid",
                fields=["order"],
                condition=models.Q(state__in=["started", "succeeded"]),
            ),
            models.CheckConstraint(name="payment_amount_positive", condition=models.Q(amount__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}/{self.attempt} {self.get_state_display()}"


class DemoCharge(models.Model):
    """The demo card provider's own books: what it charged, by idempotency key. No card number is kept."""

    idempotency_key = models.UUIDField(primary_key=True)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    outcome = models.CharField(max_length=12)
    refunded = models.BooleanField(default=False)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.outcome} {self.amount}"
