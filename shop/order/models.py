from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from accounts.factors.registry import factor
from accounts.stepup.models import BY_RULE
from shop.money import MoneyField
from shop.product.models import Variant, picture_url


class Order(models.Model):
    """What was bought, as it was approved: names, prices and address of that moment."""

    class State(models.TextChoices):
        PENDING = "pending", _("waiting for the payment")
        PAID = "paid", _("paid")
        DISPATCHED = "dispatched", _("dispatched")
        CANCELLED = "cancelled", _("cancelled")

    code = models.CharField(_("order"), max_length=8, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="orders"
    )
    # A guest's browser, so that its orders can be seen there and nowhere else.
    browser = models.CharField(max_length=64, blank=True, editable=False)
    # The hash of the secret of a person's browser, by which it is known the next time (checkout/device.py).
    device = models.CharField(max_length=64, blank=True, editable=False)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.PENDING)
    attempt_token = models.UUIDField(unique=True, editable=False)
    cart_id = models.UUIDField(editable=False)

    email = models.EmailField(_("e-mail"), blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    name = models.CharField(_("name"), max_length=120)
    line1 = models.CharField(_("street and number"), max_length=120)
    line2 = models.CharField(_("more of the address"), max_length=120, blank=True)
    postcode = models.CharField(_("postcode"), max_length=16)
    city = models.CharField(_("town"), max_length=80)
    country = models.CharField(_("country"), max_length=2)

    delivery_method = models.CharField(_("delivery"), max_length=20)
    subtotal = MoneyField(_("goods"))
    delivery_fee = MoneyField(_("delivery fee"))
    tax = MoneyField(_("tax included"))
    total = MoneyField(_("total"))
    currency = models.CharField(max_length=3)

    # The approval: which grant, over which digest, by which factor, when.
    grant = models.OneToOneField("stepup.Grant", on_delete=models.PROTECT, related_name="order", editable=False)
    context_digest = models.BinaryField(max_length=32, editable=False)
    # All that was approved, as it was digested (checkout/quote.py): verify_approval compares the order with it.
    approved_context = models.JSONField(default=dict, editable=False)
    approved_at = models.DateTimeField(_("approved"))
    approved_by = models.CharField(_("approved with"), max_length=16)

    placed_at = models.DateTimeField(_("placed"), default=timezone.now)
    paid_at = models.DateTimeField(_("paid"), null=True)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [
            models.CheckConstraint(
                name="order_adds_up",
                condition=models.Q(total=models.F("subtotal") + models.F("delivery_fee")),
            ),
            # A cart is being paid for once at a time.
            models.UniqueConstraint(
                name="order_one_pending_a_cart", fields=["cart_id"], condition=models.Q(state="pending")
            ),
        ]
        indexes = [models.Index(fields=["user", "-placed_at"]), models.Index(fields=["-placed_at"])]

    def __str__(self) -> str:
        return self.code

    def get_absolute_url(self) -> str:
        return reverse("order:detail", args=[self.code])

    @property
    def approved_with(self) -> str:
        """The factor by its name; a rule approves too, and a factor may be gone since."""
        if self.approved_by == BY_RULE:
            return str(_("the shop’s rule, without a code"))
        try:
            return str(factor(self.approved_by).verbose_name)
        except LookupError:
            return self.approved_by

    @cached_property
    def quantities(self) -> dict[int, int]:
        """Pieces by variant; variants that were deleted since are not in it."""
        return {line.variant_id: line.quantity for line in self.lines.all() if line.variant_id}

    @property
    def summary_lines(self) -> list[dict[str, object]]:
        """For components/order_summary.html."""
        return [
            {
                "name": line.name,
                "quantity": line.quantity,
                "total": line.total,
                "picture_url": picture_url(line.picture),
            }
            for line in self.lines.all()
        ]


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    variant = models.ForeignKey(Variant, on_delete=models.SET_NULL, null=True)
    sku = models.CharField(_("SKU"), max_length=40)
    name = models.CharField(_("name"), max_length=200)
    picture = models.CharField(max_length=200, blank=True)
    unit_price = MoneyField(_("unit price"))
    quantity = models.PositiveSmallIntegerField(_("quantity"))
    total = MoneyField(_("total"))

    class Meta:
        verbose_name = _("line")
        verbose_name_plural = _("lines")
        constraints = [
            models.CheckConstraint(
                name="order_line_adds_up", condition=models.Q(total=models.F("unit_price") * models.F("quantity"))
            )
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"


class OrderEvent(models.Model):
    """What happened to an order, for the shopper and the staff to read."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(_("time"), default=timezone.now)
    text = models.CharField(_("what"), max_length=200)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")

    def __str__(self) -> str:
        return self.text
