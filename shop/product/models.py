from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop.money import MoneyField


def picture_url(picture: str) -> str:
    return static(picture or "img/no-picture.svg")


class CategoryQuerySet(models.QuerySet["Category"]):
    def in_order(self) -> Self:
        return self.order_by("position", "name")

    def for_tiles(self) -> Self:
        """Those that have something on sale, with the picture of a product as `picture`."""
        first = Product.objects.on_sale().filter(category=OuterRef("pk")).order_by("pk")
        return self.in_order().annotate(picture=Subquery(first.values("picture")[:1])).filter(picture__isnull=False)


class Category(models.Model):
    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    description = models.TextField(_("description"), blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    objects: ClassVar[Any] = CategoryQuerySet.as_manager()

    # Annotated by `for_tiles`.
    picture: str

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"{reverse('product:list')}?category={self.slug}"

    @property
    def picture_url(self) -> str:
        return picture_url(self.picture)


class ProductQuerySet(models.QuerySet["Product"]):
    def on_sale(self) -> Self:
        """What shoppers see."""
        return self.filter(is_published=True)

    def for_cards(self) -> Self:
        """With what a product card shows, and no query more: `price_from`, `price_to`, `in_stock`."""
        variants = Variant.objects.filter(product=OuterRef("pk"), is_active=True)
        return self.filter(Exists(variants)).annotate(
            price_from=Subquery(variants.order_by("price").values("price")[:1]),
            price_to=Subquery(variants.order_by("-price").values("price")[:1]),
            in_stock=Exists(variants.filter(on_hand__gt=F("reserved"))),
        )


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
        return picture_url(self.picture)


class VariantQuerySet(models.QuerySet["Variant"]):
    def on_sale(self) -> Self:
        """What shoppers may buy if there is any, with the product and its category."""
        return self.filter(is_active=True, product__is_published=True).select_related("product__category")

    def with_free(self, *, holder: Any = None, now: datetime | None = None) -> Self:
        """With `free`: how many can be had this moment, by whoever holds stock as `holder` (an id or an expression)."""
        return self.annotate(free=F("on_hand") - F("reserved") + not_counting("pk", holder=holder, now=now))


class Variant(models.Model):
    """What is bought: a product in one size or colour, with its price and its stock."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="variants", verbose_name=_("product"))
    sku = models.CharField(_("SKU"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=60, blank=True)
    price = MoneyField(_("price"))
    is_active = models.BooleanField(_("active"), default=True)
    on_hand = models.PositiveIntegerField(_("on hand"), default=0)
    reserved = models.PositiveIntegerField(_("reserved"), default=0, editable=False)

    objects: ClassVar[Any] = VariantQuerySet.as_manager()

    # Annotated by `with_free`.
    free: int

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
        """What nobody has set aside. Lapsed holds count until they are swept: `with_free` knows better."""
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


def not_counting(variant: str, *, holder: Any = None, now: datetime | None = None) -> Coalesce:
    """How much of what is reserved stands in nobody's way: lapsed holds, and the holder's own.

    `variant` is the path to the variant's key in the query that this becomes a part of.
    """
    free = Q(expires_at__lte=now or timezone.now())
    if holder is not None:
        free |= Q(holder=holder)
    holds = Hold.objects.filter(free, variant=OuterRef(variant)).order_by().values("variant")
    return Coalesce(Subquery(holds.annotate(sum=Sum("quantity")).values("sum")), 0)
