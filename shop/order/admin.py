from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.stepup import risk
from shop.order import services
from shop.order.models import Order, OrderEvent, OrderLine


class ReadOnly:
    """Rows that tell what happened: nobody adds, edits or deletes them by hand."""

    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LineInline(ReadOnly, admin.TabularInline):
    model = OrderLine
    fields = ("sku", "name", "unit_price", "quantity", "total")


class EventInline(ReadOnly, admin.TabularInline):
    model = OrderEvent
    fields = ("at", "text", "actor")


@admin.register(Order)
class OrderAdmin(ReadOnly, admin.ModelAdmin):
    """Orders are read; what is done to them goes through their own moves."""

    list_display = ("code", "placed_at", "name", "total", "state", "approved_by")
    list_filter = ("state", "placed_at", "delivery_method")
    search_fields = ("code", "name", "email", "phone")
    date_hierarchy = "placed_at"
    ordering = ("-placed_at",)
    show_full_result_count = False
    list_select_related = False
    inlines = (LineInline, EventInline)
    actions = ("dispatch_orders", "cancel_orders")
    readonly_fields = ("approval",)
    exclude = ("browser", "attempt_token", "cart_id", "context_digest")

    @admin.display(description=_("how it was approved"))
    def approval(self, order: Order) -> str:
        """With what, and why it was asked for so, or not at all."""
        why = "; ".join(risk.words(order.grant.challenge.reasons))
        return f"{order.approved_with} ({why})" if why else order.approved_with

    @admin.action(description=_("Mark as dispatched"))
    def dispatch_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        self._each(request, queryset, services.dispatch)

    @admin.action(description=_("Cancel and pay back"))
    def cancel_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        self._each(request, queryset, services.cancel)

    def _each(self, request: HttpRequest, queryset: QuerySet[Order], move: Callable[..., None]) -> None:
        done, left = 0, []
        for order in queryset.order_by("pk"):
            try:
                move(order=order, actor=request.user)
                done += 1
            except services.NotPossible:
                left.append(order.code)
        if done:
            messages.success(request, ngettext("%(n)d order done.", "%(n)d orders done.", done) % {"n": done})
        if left:
            messages.warning(
                request, _("Only paid orders can be moved; left alone: %(codes)s") % {"codes": ", ".join(left)}
            )
