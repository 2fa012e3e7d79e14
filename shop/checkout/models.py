import uuid

from django.db import models
from django.utils import timezone

from accounts.countries import COUNTRIES
from shop.cart.models import Cart
from shop.checkout.delivery import METHODS


class Checkout(models.Model):
    """What a shopper has said so far on the way from a cart to an order."""

    cart = models.OneToOneField(Cart, on_delete=models.CASCADE, primary_key=True, related_name="checkout")
    # The holder of the stock that is set aside, and the key under which twenty equal posts make one order. A new one
    # is drawn when the order is done with.
    attempt_token = models.UUIDField(default=uuid.uuid4)

    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=20, blank=True)
    name = models.CharField(max_length=120, blank=True)
    line1 = models.CharField(max_length=120, blank=True)
    line2 = models.CharField(max_length=120, blank=True)
    postcode = models.CharField(max_length=16, blank=True)
    city = models.CharField(max_length=80, blank=True)
    country = models.CharField(max_length=2, blank=True)
    delivery_method = models.CharField(max_length=20, blank=True)
    # What was shown and approved last, to tell the shopper what has changed since.
    approved_context = models.JSONField(null=True)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"checkout of {self.cart_id}"

    def get_country_name(self) -> str:
        return str(COUNTRIES.get(self.country, self.country))

    def get_delivery_name(self) -> str:
        return str(METHODS[self.delivery_method].name) if self.delivery_method in METHODS else ""
