import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop.product.models import Variant

MOST_OF_ONE = 99  # pieces of one variant in a cart


class Cart(models.Model):
    """What a visitor has picked. A person has one; a guest's is known by its id in the session."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="cart")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("cart")
        verbose_name_plural = _("carts")

    def __str__(self) -> str:
        return f"cart {self.pk}"


class CartLine(models.Model):
    cart = models.ForeignKey(Cart, on_delete=models.CASCADE, related_name="lines")
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE)
    quantity = models.PositiveSmallIntegerField(_("quantity"))
    # The price when it was picked, to tell the shopper when it has changed since.
    price_seen = models.DecimalField(max_digits=10, decimal_places=2)
    added_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="cart_line_once_a_variant", fields=["cart", "variant"]),
            models.CheckConstraint(
                name="cart_line_quantity", condition=models.Q(quantity__gte=1) & models.Q(quantity__lte=MOST_OF_ONE)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.variant_id}"
