from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, Self

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.core.validators import MinLengthValidator
from django.db import models, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Concat, Substr
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from shop.money import MoneyField

UPLOADS = "products/"  # below MEDIA_ROOT; every other picture is a static file
MOST_LEVELS = 4  # of the category tree
FEW = 5  # from here down a page says how many are left
NEW_FOR = timedelta(days=14)


def picture_url(picture: str) -> str:
    if picture.startswith(UPLOADS):
        return default_storage.url(picture)
    return static(picture or "img/no-picture.svg")


def published(prefix: str = "", now: datetime | None = None) -> Q:
    """The condition under which shoppers see a product. `prefix` is the path to it, such as "variant__product__"."""
    return Q(
        **{f"{prefix}status": Product.Status.PUBLISHED, f"{prefix}publish_at__lte": now or timezone.now()},
    )


def reduced(prefix: str = "", now: datetime | None = None) -> Q:
    """The condition under which a variant is sold at its sale price."""
    now = now or timezone.now()
    begun = Q(**{f"{prefix}sale_from": None}) | Q(**{f"{prefix}sale_from__lte": now})
    not_over = Q(**{f"{prefix}sale_until": None}) | Q(**{f"{prefix}sale_until__gt": now})
    return Q(**{f"{prefix}sale_price__isnull": False}) & begun & not_over


def price_now(prefix: str = "", now: datetime | None = None) -> Case:
    """What a variant costs this moment, as an expression; `Variant.price_now` is the same in Python."""
    return Case(When(reduced(prefix, now), then=F(f"{prefix}sale_price")), default=F(f"{prefix}price"))


class CategoryQuerySet(models.QuerySet["Category"]):
    def in_order(self) -> Self:
        return self.order_by("position", "name")

    def within(self, category: "Category") -> Self:
        """The category and all below it."""
        return self.filter(path__startswith=category.path)

    def for_tiles(self) -> Self:
        """Those at the top that have something on sale, with the picture of a product as `picture`."""
        first = Product.objects.on_sale().filter(category__path__startswith=OuterRef("path")).order_by("pk")
        tops = self.in_order().filter(parent=None)
        return tops.annotate(picture=Subquery(first.values("picture")[:1])).filter(picture__isnull=False)


class Category(models.Model):
    """A place in the tree. `path` is the slugs from the top, so what is below a category is one range of an index."""

    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("part of")
    )
    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    path = models.CharField(max_length=400, unique=True, editable=False)
    description = models.TextField(_("description"), blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    objects: ClassVar[Any] = CategoryQuerySet.as_manager()

    # Annotated by `for_tiles`.
    picture: str

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        constraints = [
            models.CheckConstraint(
                name="category_path_ends_with_its_slug", condition=Q(path__endswith=Concat(F("slug"), Value("/")))
            )
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Writes the path, and after a move the paths below. The tree changes one at a time: its rows are locked."""
        with transaction.atomic():
            paths = dict(Category.objects.order_by("pk").select_for_update().values_list("pk", "path"))
            before = paths.get(self.pk, "")
            above = paths[self.parent_id] if self.parent_id else ""
            if before and above.startswith(before):
                raise ValueError("A category can't be below itself.")
            self.path = f"{above}{self.slug}/"
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "path"}
            super().save(*args, **kwargs)
            if before and before != self.path:
                below = Category.objects.filter(path__startswith=before).exclude(pk=self.pk)
                below.update(path=Concat(Value(self.path), Substr("path", len(before) + 1)))

    def get_absolute_url(self) -> str:
        return f"{reverse('product:list')}?category={self.slug}"

    def clean(self) -> None:
        if self.parent is None:
            return
        if self.pk and self.path and self.parent.path.startswith(self.path):
            raise ValidationError({"parent": _("A category can't be part of itself or of what is below it.")})
        if self.parent.level >= MOST_LEVELS:
            raise ValidationError({"parent": _("The tree has at most %(n)d levels.") % {"n": MOST_LEVELS}})

    @property
    def level(self) -> int:
        """1 at the top."""
        return self.path.count("/")

    @property
    def picture_url(self) -> str:
        return picture_url(self.picture)


class Brand(models.Model):
    name = models.CharField(_("name"), max_length=80, unique=True)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)

    class Meta:
        verbose_name = _("brand")
        verbose_name_plural = _("brands")

    def __str__(self) -> str:
        return self.name


class Attribute(models.Model):
    """A fact by which products are told apart and filtered, such as the material."""

    name = models.CharField(_("name"), max_length=40)
    slug = models.SlugField(_("slug"), max_length=40, unique=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("attribute")
        verbose_name_plural = _("attributes")
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name


class AttributeValue(models.Model):
    attribute = models.ForeignKey(
        Attribute, on_delete=models.CASCADE, related_name="values", verbose_name=_("attribute")
    )
    name = models.CharField(_("name"), max_length=40)
    slug = models.SlugField(_("slug"), max_length=40)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("attribute value")
        verbose_name_plural = _("attribute values")
        ordering = ["attribute__position", "attribute__name", "position", "name"]
        constraints = [
            models.UniqueConstraint(name="attribute_value_once_an_attribute", fields=["attribute", "slug"]),
        ]

    def __str__(self) -> str:
        return f"{self.attribute.name}: {self.name}"


class TaxClass(models.TextChoices):
    STANDARD = "standard", _("standard")
    REDUCED = "reduced", _("reduced")
    ZERO = "zero", _("zero")


class ProductQuerySet(models.QuerySet["Product"]):
    def on_sale(self, now: datetime | None = None) -> Self:
        """What shoppers see."""
        return self.filter(published(now=now))

    def within(self, category: Category) -> Self:
        """Those in the category and in all below it."""
        return self.filter(category__in=Category.objects.within(category))

    def for_cards(self, now: datetime | None = None) -> Self:
        """With what a product card shows, and no query more: prices, stock, whether something of it is reduced."""
        variants = Variant.objects.filter(product=OuterRef("pk"), is_active=True)
        priced = variants.annotate(now=price_now(now=now))
        return self.filter(Exists(variants)).annotate(
            price_from=Subquery(priced.order_by("now").values("now")[:1]),
            price_to=Subquery(priced.order_by("-now").values("now")[:1]),
            price_before=Subquery(priced.order_by("now").values("price")[:1]),
            # No EXISTS: PostgreSQL may answer it for all products at once, which is much for a page of them.
            reduced_variant=Subquery(variants.filter(reduced(now=now)).order_by().values("pk")[:1]),
            left=Subquery(
                variants.order_by().values("product").annotate(n=Sum(F("on_hand") - F("reserved"))).values("n")
            ),
        )

    def reduced(self, now: datetime | None = None) -> Self:
        """Those of which something has a sale price now."""
        return self.filter(Exists(Variant.objects.filter(reduced(now=now), product=OuterRef("pk"), is_active=True)))


class Product(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")

    category = models.ForeignKey(
        Category, on_delete=models.PROTECT, related_name="products", verbose_name=_("category")
    )
    brand = models.ForeignKey(
        Brand, on_delete=models.PROTECT, null=True, blank=True, related_name="products", verbose_name=_("brand")
    )
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=120, unique=True)
    summary = models.CharField(_("summary"), max_length=160, blank=True)
    description = models.TextField(_("description"), blank=True)
    attribute_values = models.ManyToManyField(
        AttributeValue, blank=True, related_name="products", verbose_name=_("attributes")
    )
    tax_class = models.CharField(_("tax class"), max_length=10, choices=TaxClass.choices, default=TaxClass.STANDARD)
    # The first of the pictures, kept here so that a card, a cart and an order need no join.
    picture = models.CharField(max_length=200, blank=True, editable=False)
    picture_alt = models.CharField(max_length=200, blank=True, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.PUBLISHED)
    publish_at = models.DateTimeField(
        _("shown from"),
        default=timezone.now,
        help_text=_("A published product appears by itself at this time."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    related = models.ManyToManyField("self", through="Related", symmetrical=False, related_name="+")

    objects: ClassVar[Any] = ProductQuerySet.as_manager()

    # Annotated by `for_cards`: the lowest and the highest price of now, what the lowest is without its sale, stock.
    price_from: Decimal
    price_to: Decimal
    price_before: Decimal
    reduced_variant: int | None
    left: int

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        indexes = [
            models.Index(fields=["category", "name"]),
            models.Index(name="product_newest", fields=["-publish_at", "-id"], condition=Q(status="published")),
            models.Index(
                name="product_newest_of_category",
                fields=["category", "-publish_at", "-id"],
                condition=Q(status="published"),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("product:detail", args=[self.slug])

    @property
    def is_public(self) -> bool:
        """Do shoppers see it? The same as `published`."""
        return self.status == self.Status.PUBLISHED and self.publish_at <= timezone.now()

    @property
    def has_several_prices(self) -> bool:
        """Of a product out of `for_cards`: does the price depend on the variant?"""
        return bool(self.price_from != self.price_to)

    @property
    def is_reduced(self) -> bool:
        """Is anything of it sold at a sale price?"""
        return self.reduced_variant is not None

    @property
    def in_stock(self) -> bool:
        return self.left > 0

    @property
    def is_few(self) -> bool:
        return 0 < self.left <= FEW

    @property
    def is_new(self) -> bool:
        return self.publish_at > timezone.now() - NEW_FOR

    @property
    def picture_url(self) -> str:
        return picture_url(self.picture)


class Related(models.Model):
    """What is shown beside a product, in the order of the shop's choice."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="relations")
    other = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="related_to", verbose_name=_("product"))
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("related product")
        verbose_name_plural = _("related products")
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(name="related_once_a_product", fields=["product", "other"]),
            models.CheckConstraint(
                name="related_to_another",
                condition=~Q(product=F("other")),
                violation_error_message=_("A product is not related to itself."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} → {self.other_id}"


def option_names(product: str) -> ArraySubquery:
    """The names of the options in their order; `product` is the path to the product's key."""
    return ArraySubquery(Option.objects.filter(product=OuterRef(product)).order_by("position", "pk").values("name"))


class Option(models.Model):
    """What the variants of a product differ in, such as the size, and its values in order.

    That each active variant has one of the values of each option is kept by a trigger (migration 0005).
    """

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="options")
    name = models.CharField(_("name"), max_length=40)
    values = ArrayField(
        models.CharField(max_length=60, validators=[MinLengthValidator(1)]),
        verbose_name=_("values"),
        help_text=_("In the order in which they are shown, with commas between them."),
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("option")
        verbose_name_plural = _("options")
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(name="option_once_a_product", fields=["product", "name"]),
            models.CheckConstraint(name="option_has_values", condition=Q(values__len__gte=1)),
        ]

    def __str__(self) -> str:
        return self.name


class ProductPicture(models.Model):
    """A picture of a product: an upload (see `pictures`), or a static file of the demo."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="pictures")
    image = models.ImageField(
        _("picture"), upload_to=UPLOADS, max_length=200, blank=True, width_field="width", height_field="height"
    )
    static_path = models.CharField(max_length=200, blank=True, editable=False)
    width = models.PositiveIntegerField(default=800, editable=False)
    height = models.PositiveIntegerField(default=800, editable=False)
    alt = models.CharField(
        _("picture in words"),
        max_length=200,
        help_text=_("What somebody who can't see the picture should know of it."),
    )
    shows = models.CharField(
        _("shows"),
        max_length=78,
        blank=True,
        help_text=_("The value of an option, such as a colour, or the name of a variant. Empty: all of them."),
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(name="picture_is_uploaded_or_static", condition=Q(image="") ^ Q(static_path="")),
            models.CheckConstraint(name="picture_has_words", condition=~Q(alt="")),
        ]

    def __str__(self) -> str:
        return self.alt

    @property
    def path(self) -> str:
        return str(self.image or self.static_path)

    @property
    def url(self) -> str:
        return picture_url(self.path)


class VariantQuerySet(models.QuerySet["Variant"]):
    def on_sale(self, now: datetime | None = None) -> Self:
        """What shoppers may buy if there is any, with the product and its category."""
        return self.filter(published("product__", now), is_active=True).select_related("product__category")

    def with_price(self, now: datetime | None = None) -> Self:
        """With `price_now` as it is at `now`."""
        return self.annotate(price_now=price_now(now=now))

    def with_option_names(self) -> Self:
        """With `option_names`, in the order of `option_values`."""
        return self.annotate(option_names=option_names("product"))

    def with_free(self, *, holder: Any = None, now: datetime | None = None) -> Self:
        """With `free`: how many can be had this moment, by whoever holds stock as `holder` (an id or an expression)."""
        return self.annotate(free=F("on_hand") - F("reserved") + not_counting("pk", holder=holder, now=now))


class Variant(models.Model):
    """What is bought: a product in one size or colour, with its price and its stock."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="variants", verbose_name=_("product"))
    sku = models.CharField(_("SKU"), max_length=40, unique=True)
    # One value for each option of the product, in the order of the options.
    option_values = ArrayField(models.CharField(max_length=60), default=list, blank=True, editable=False)
    # With the name of the product and a comma, it has room in a line of an order.
    name = models.CharField(_("name"), max_length=78, blank=True)
    price = MoneyField(_("price"))
    sale_price = MoneyField(_("sale price"), null=True, blank=True)
    sale_from = models.DateTimeField(_("sale from"), null=True, blank=True)
    sale_until = models.DateTimeField(_("sale until"), null=True, blank=True)
    weight = models.PositiveIntegerField(_("weight in grams"), default=0)
    # The first picture that shows this variant; empty: the product's.
    picture = models.CharField(max_length=200, blank=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    on_hand = models.PositiveIntegerField(_("on hand"), default=0)
    reserved = models.PositiveIntegerField(_("reserved"), default=0, editable=False)

    objects: ClassVar[Any] = VariantQuerySet.as_manager()

    # Annotated by `with_free` and `with_option_names`.
    free: int
    option_names: list[str]

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
            models.CheckConstraint(
                name="variant_sale_below_price",
                condition=Q(sale_price=None) | Q(sale_price__gte=0, sale_price__lt=F("price")),
                violation_error_message=_("The sale price has to be lower than the price."),
            ),
            models.CheckConstraint(
                name="variant_sale_ends_after_it_begins",
                condition=Q(sale_from=None) | Q(sale_until=None) | Q(sale_until__gt=F("sale_from")),
                violation_error_message=_("The sale has to end after it begins."),
            ),
            models.UniqueConstraint(name="variant_name_once_a_product", fields=["product", "name"]),
            models.UniqueConstraint(
                name="variant_values_once_a_product",
                fields=["product", "option_values"],
                condition=~Q(option_values=[]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product.name}, {self.name}" if self.name else self.product.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.option_values:
            self.name = ", ".join(self.option_values)
        super().save(*args, **kwargs)

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        self.__dict__.pop("price_now", None)
        super().refresh_from_db(*args, **kwargs)

    def is_reduced(self, now: datetime) -> bool:
        """The same as `reduced`."""
        begun = self.sale_from is None or self.sale_from <= now
        return self.sale_price is not None and begun and (self.sale_until is None or now < self.sale_until)

    def price_at(self, now: datetime) -> Decimal:
        return self.sale_price if self.sale_price is not None and self.is_reduced(now) else self.price

    @cached_property
    def price_now(self) -> Decimal:
        """What it costs. Decided once an instance, so that a total and its lines, or a digest and an order, agree."""
        return self.price_at(timezone.now())

    @property
    def available(self) -> int:
        """What nobody has set aside. Lapsed holds count until they are swept: `with_free` knows better."""
        return self.on_hand - self.reserved

    @property
    def picture_url(self) -> str:
        return picture_url(self.picture or self.product.picture)


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
