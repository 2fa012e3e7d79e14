from decimal import Decimal
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, F, Min, OuterRef, Q
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop.money import MoneyField


class Category(models.Model):
    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    description = models.TextField(_("description"), blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"{reverse('product:list')}?category={self.slug}"


class ProductQuerySet(models.QuerySet["Product"]):
    def on_sale(self) -> Self:
        """What shoppers see."""
        return self.filter(is_published=True)

    def for_cards(self) -> Self:
        """With what a product card shows, and no query more: `price_from`, `price_to`, `in_stock`."""
        buyable = Variant.objects.filter(product=OuterRef("pk"), is_active=True, on_hand__gt=F("reserved"))
        return self.annotate(
            price_from=Min("variants__price", filter=Q(variants__is_active=True)),
            price_to=models.Max("variants__price", filter=Q(variants__is_active=True)),
            in_stock=Exists(buyable),
        ).filter(price_from__isnull=False)


class Product(models.Model):
    category = models.ForeignKey(
        Category, on_delete=models.PROTECT, related_name="products", verbose_name=_("category")
    )
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=120, unique=True)
    summary = models.CharField(_("summary"), max_length=160, blank=True)
    description = models.TextField(_("description"), blank=True)
    # What the variants differ in ("Size"); empty where there is one.
    option = models.CharField(_("option"), max_length=40, blank=True)
    picture = models.CharField(_("picture"), max_length=200, blank=True, help_text=_("Path below static/."))
    picture_alt = models.CharField(_("picture in words"), max_length=200, blank=True)
    is_published = models.BooleanField(_("published"), default=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects: ClassVar[Any] = ProductQuerySet.as_manager()

    # Annotated by `for_cards`.
    price_from: Decimal
    price_to: Decimal
    in_stock: bool

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        indexes = [models.Index(fields=["category", "name"])]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("product:detail", args=[self.slug])

    @property
    def has_several_prices(self) -> bool:
        """Of a product out of `for_cards`: does the price depend on the variant?"""
        return bool(self.price_from != self.price_to)

    @property
    def picture_url(self) -> str:
        return static(self.picture or "img/no-picture.svg")


class Variant(models.Model):
    """What is bought: a product in one size or colour, with its price and its stock."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="variants", verbose_name=_("product"))
    sku = models.CharField(_("SKU"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=60, blank=True)
    price = MoneyField(_("price"))
    is_active = models.BooleanField(_("active"), default=True)
    on_hand = models.PositiveIntegerField(_("on hand"), default=0)
    reserved = models.PositiveIntegerField(_("reserved"), default=0, editable=False)

    class Meta:
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        constraints = [
            models.CheckConstraint(
                name="variant_reserved_within_on_hand",
                condition=Q(reserved__gte=0) & Q(reserved__lte=F("on_hand")),
                violation_error_message=_("Some of this stock is reserved for checkouts that are under way."),
            ),
            models.CheckConstraint(name="variant_price_not_negative", condition=Q(price__gte=0)),
            models.UniqueConstraint(name="variant_name_once_a_product", fields=["product", "name"]),
        ]

    def __str__(self) -> str:
        return f"{self.product.name}, {self.name}" if self.name else self.product.name

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


class Hold(models.Model):
    """Stock set aside for one checkout (`holder`) for a limited time."""

    holder = models.UUIDField()
    variant = models.ForeignKey(Variant, on_delete=models.CASCADE, related_name="holds")
    quantity = models.PositiveIntegerField()
    placed_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints = [
            models.UniqueConstraint(name="hold_once_a_holder", fields=["holder", "variant"]),
            models.CheckConstraint(name="hold_quantity_positive", condition=Q(quantity__gte=1)),
        ]
        indexes = [models.Index(fields=["expires_at"]), models.Index(fields=["variant", "expires_at"])]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.variant_id}"
