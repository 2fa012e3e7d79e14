from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from shop.product.models import Category, Product, Variant


class VariantForm(forms.ModelForm):
    """The stock is changed by the difference to what the page showed, so what is sold meanwhile stays sold."""

    class Meta:
        model = Variant
        fields = ("sku", "name", "price", "is_active", "on_hand")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on_hand"].show_hidden_initial = True

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

    def _shown_on_hand(self) -> int:
        bound = self["on_hand"]
        shown = bound.field.widget.value_from_datadict(self.data, self.files, bound.html_initial_name)
        try:
            return int(bound.field.clean(shown))
        except ValidationError:
            return int(self.instance.on_hand)


class VariantInline(admin.TabularInline):
    model = Variant
    form = VariantForm
    extra = 1
    fields = ("sku", "name", "price", "is_active", "on_hand", "reserved")
    readonly_fields = ("reserved",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Variant]:
        variants = super().get_queryset(request).order_by("pk")
        # Saving writes whole rows: a checkout waits until it is done, in the order in which checkouts wait.
        return variants.select_for_update() if request.method == "POST" else variants


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ("name", "slug", "position", "product_count")
    ordering = ("position", "name")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(product_count=Count("products"))

    @admin.display(description=_("products"))
    def product_count(self, category: Any) -> int:
        return int(category.product_count)


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ("name", "category", "status", "left")
    list_filter = ("status", "category")
    list_select_related = ("category",)
    ordering = ("name",)
    search_fields = ("name", "slug", "variants__sku")
    show_full_result_count = False
    autocomplete_fields = ("category",)
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("created_at",)
    inlines = (VariantInline,)
    view_on_site = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        variants = Variant.objects.filter(product=OuterRef("pk")).order_by().values("product")
        left = variants.annotate(left=Sum(F("on_hand") - F("reserved"))).values("left")
        return super().get_queryset(request).annotate(left=Subquery(left))

    @admin.display(description=_("free stock"), ordering="left")
    def left(self, product: Any) -> int:
        return product.left or 0


@admin.register(Variant)
class VariantAdmin(admin.ModelAdmin):
    form = VariantForm
    list_display = ("__str__", "sku", "price", "is_active", "on_hand", "reserved")
    list_filter = ("is_active", "product__category")
    list_select_related = ("product",)
    ordering = ("sku",)
    search_fields = ("sku", "name", "product__name")
    show_full_result_count = False
    fields = ("product", "sku", "name", "price", "is_active", "on_hand", "reserved")
    autocomplete_fields = ("product",)
    readonly_fields = ("reserved",)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Variant | None:
        variant = super().get_object(request, object_id, from_field)
        if variant is not None and request.method == "POST":  # see VariantInline.get_queryset
            return Variant.objects.select_for_update().get(pk=variant.pk)
        return variant
