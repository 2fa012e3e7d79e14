from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from shop.product import pictures
from shop.product.models import (
    Attribute,
    AttributeValue,
    Brand,
    Category,
    Option,
    Product,
    ProductPicture,
    Related,
    Variant,
)


class VariantForm(forms.ModelForm):
    """The stock is changed by the difference to what the page showed, so what is sold meanwhile stays sold."""

    class Meta:
        model = Variant
        fields = (
            "sku", "name", "price", "sale_price", "sale_from", "sale_until", "weight", "is_active", "on_hand"
        )  # fmt: skip
        help_texts = {"name": _("Where the product has options: one value of each, with commas between them.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on_hand"].show_hidden_initial = True

    def clean_name(self) -> str:
        return ", ".join(part.strip() for part in self.cleaned_data["name"].split(","))

    def clean_on_hand(self) -> int:
        on_hand: int = self.cleaned_data["on_hand"]
        if self.instance.pk is None:
            return on_hand
        on_hand += self.instance.on_hand - self._shown_on_hand()
        self.fields["on_hand"].run_validators(on_hand)
        if on_hand < self.instance.reserved:
            raise ValidationError(
                ngettext(
                    "%(n)d of these is set aside for a checkout under way; the stock can't be lower than that.",
                    "%(n)d of these are set aside for checkouts under way; the stock can't be lower than that.",
                    self.instance.reserved,
                )
                % {"n": self.instance.reserved}
            )
        return on_hand

    def fit(self, options: Iterable[tuple[str, list[str]]]) -> None:
        """Take the values of the options out of the name, or say what is wrong. The database has the last word."""
        options = list(options)
        name = self.cleaned_data.get("name", "")
        values = name.split(", ") if options else []
        fits = len(values) == len(options) and all(
            value in known for value, (_name, known) in zip(values, options, strict=True)
        )
        if fits:
            self.instance.option_values = values
        elif self.cleaned_data.get("is_active"):
            wanted = "; ".join(f"{option}: {', '.join(known)}" for option, known in options)
            self.add_error("name", _("Please give one value of each option, in this order. %(w)s.") % {"w": wanted})

    def _shown_on_hand(self) -> int:
        bound = self["on_hand"]
        shown = bound.field.widget.value_from_datadict(self.data, self.files, bound.html_initial_name)
        try:
            return int(bound.field.clean(shown))
        except ValidationError:
            return int(self.instance.on_hand)


class SingleVariantForm(VariantForm):
    """A variant on a page of its own, whose product has the options that it has."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        product = cleaned.get("product")
        if product is not None:
            self.fit(product.options.values_list("name", "values"))
        return cleaned


class OptionForm(forms.ModelForm):
    values = SimpleArrayField(
        forms.CharField(max_length=60),
        label=_("values"),
        help_text=_("In the order in which they are shown, with commas between them."),
    )

    class Meta:
        model = Option
        fields = ("name", "values", "position")

    def clean_values(self) -> list[str]:
        values: list[str] = self.cleaned_data["values"]
        if not all(values) or len({*values}) < len(values):
            raise ValidationError(_("Please give each value once, and none that is empty."))
        return values


class OptionInline(admin.TabularInline):
    model = Option
    form = OptionForm
    extra = 0


class VariantFormSet(forms.BaseInlineFormSet):
    forms: Any  # of VariantForm

    def clean(self) -> None:
        super().clean()
        options = self._options()
        for form in self.forms:
            kept = form.has_changed() or form.instance.pk
            if kept and form.is_valid() and not self._should_delete_form(form):  # type: ignore[attr-defined]
                form.fit(options)

    def _options(self) -> list[tuple[str, list[str]]]:
        """As the same page posts them, for they are saved with it."""
        posted = forms.inlineformset_factory(Product, Option, form=OptionForm)(
            self.data, instance=self.instance, prefix="options"
        )
        if not posted.is_valid():
            return []
        kept = [
            form.cleaned_data
            for form in posted.forms
            if form.cleaned_data.get("name") and not form.cleaned_data["DELETE"]
        ]
        return [(each["name"], each["values"]) for each in sorted(kept, key=lambda each: each["position"])]


class VariantInline(admin.StackedInline):
    model = Variant
    form = VariantForm
    formset = VariantFormSet
    extra = 1
    fields = (
        ("sku", "name", "is_active"),
        ("price", "sale_price", "weight", "on_hand", "reserved"),
        ("sale_from", "sale_until"),
    )
    readonly_fields = ("reserved",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Variant]:
        variants = super().get_queryset(request).order_by("pk")
        # Saving writes whole rows: a checkout waits until it is done, in the order in which checkouts wait.
        return variants.select_for_update() if request.method == "POST" else variants


class PictureForm(forms.ModelForm):
    image = forms.FileField(
        label=_("picture"),
        widget=forms.FileInput,
        help_text=_("JPEG, PNG, WebP or AVIF. It is drawn anew, so what a camera noted is gone."),
    )

    class Meta:
        model = ProductPicture
        fields = ("image", "alt", "shows", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["image"].required = not self.instance.path
        self.read: Any = None

    def clean_image(self) -> Any:
        upload: Any = self.cleaned_data.get("image")
        if isinstance(upload, UploadedFile):  # and not what is there already
            self.read = pictures.read(upload)
        return self.instance.image  # what is read is stored when all else is right

    def save(self, commit: bool = True) -> Any:
        if self.read is not None:
            pictures.throw_away(self.instance.path)
            self.instance.image = pictures.store(self.read)
            self.instance.static_path = ""
        return super().save(commit)


class PictureInline(admin.TabularInline):
    model = ProductPicture
    form = PictureForm
    extra = 0
    fields = ("preview", "image", "alt", "shows", "position")
    readonly_fields = ("preview",)

    @admin.display(description=_("now"))
    def preview(self, picture: ProductPicture) -> str:
        return format_html('<img src="{}" alt="" width="80" height="80">', picture.url) if picture.path else "-"


class RelatedInline(admin.TabularInline):
    model = Related
    fk_name = "product"
    extra = 0
    autocomplete_fields = ("other",)


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ("in_tree", "slug", "position", "product_count")
    ordering = ("path",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    autocomplete_fields = ("parent",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(product_count=Count("products"))

    @admin.display(description=_("name"), ordering="path")
    def in_tree(self, category: Category) -> str:
        return f"{'— ' * (category.level - 1)}{category.name}"

    @admin.display(description=_("products"))
    def product_count(self, category: Any) -> int:
        return int(category.product_count)


@admin.register(Brand)
class BrandAdmin(admin.ModelAdmin):
    list_display = ("name", "slug")
    ordering = ("name",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}


class AttributeValueInline(admin.TabularInline):
    model = AttributeValue
    extra = 1
    prepopulated_fields = {"slug": ("name",)}


@admin.register(Attribute)
class AttributeAdmin(admin.ModelAdmin):
    list_display = ("name", "slug", "position")
    search_fields = ("name",)
    prepopulated_fields = {"slug": ("name",)}
    inlines = (AttributeValueInline,)


@admin.register(AttributeValue)
class AttributeValueAdmin(admin.ModelAdmin):
    """For the choice on a product's page; values are made with their attribute."""

    list_display = ("name", "attribute", "slug", "position")
    list_select_related = ("attribute",)
    search_fields = ("name", "attribute__name")
    autocomplete_fields = ("attribute",)
    prepopulated_fields = {"slug": ("name",)}


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ("name", "category", "brand", "status", "publish_at", "left")
    list_filter = ("status", "category", "brand")
    list_select_related = ("category", "brand")
    ordering = ("name",)
    search_fields = ("name", "slug", "variants__sku")
    show_full_result_count = False
    autocomplete_fields = ("category", "brand", "attribute_values")
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("created_at",)
    fields = (
        "category", "brand", "name", "slug", "summary", "description", "attribute_values", "tax_class",
        "status", "publish_at", "created_at",
    )  # fmt: skip
    inlines = (OptionInline, VariantInline, PictureInline, RelatedInline)
    actions = ("publish", "withdraw")
    view_on_site = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        variants = Variant.objects.filter(product=OuterRef("pk")).order_by().values("product")
        left = variants.annotate(left=Sum(F("on_hand") - F("reserved"))).values("left")
        return super().get_queryset(request).annotate(left=Subquery(left))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        pictures.choose_first(form.instance)
        for words in pictures.of_nothing(form.instance):
            told = _("“%(words)s” is no value of an option, so its picture shows no variant.") % {"words": words}
            self.message_user(request, told, messages.WARNING)

    @admin.action(description=_("Publish, from now or from the time it is shown"), permissions=["change"])
    def publish(self, request: HttpRequest, products: QuerySet[Product]) -> None:
        self._set(request, products, Product.Status.PUBLISHED)

    @admin.action(description=_("Back to draft"), permissions=["change"])
    def withdraw(self, request: HttpRequest, products: QuerySet[Product]) -> None:
        self._set(request, products, Product.Status.DRAFT)

    def _set(self, request: HttpRequest, products: QuerySet[Product], status: str) -> None:
        count = 0
        for product in products.exclude(status=status):
            product.status = status
            product.save(update_fields=["status"])
            self.log_change(request, product, [{"changed": {"fields": ["status"]}}])
            count += 1
        words = ngettext("%(n)d product changed.", "%(n)d products changed.", count) % {"n": count}
        self.message_user(request, words, messages.SUCCESS)

    @admin.display(description=_("free stock"), ordering="left")
    def left(self, product: Any) -> int:
        return product.left or 0


@admin.register(Variant)
class VariantAdmin(admin.ModelAdmin):
    form = SingleVariantForm
    list_display = ("__str__", "sku", "price", "sale_price", "is_active", "on_hand", "reserved")
    list_filter = ("is_active", "product__category")
    list_select_related = ("product",)
    ordering = ("sku",)
    search_fields = ("sku", "name", "product__name")
    show_full_result_count = False
    fields = ("product", *VariantForm.Meta.fields, "reserved")
    autocomplete_fields = ("product",)
    readonly_fields = ("reserved",)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Variant | None:
        variant = super().get_object(request, object_id, from_field)
        if variant is not None and request.method == "POST":  # see VariantInline.get_queryset
            return Variant.objects.select_for_update().get(pk=variant.pk)
        return variant
