from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from shop.payment.models import Payment, Refund


class Told:
    """What the provider did: nobody adds, edits or deletes it by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RefundInline(Told, admin.TabularInline):
    model = Refund
    extra = 0
    fields = ("amount", "state", "reason", "asked_at", "ended_at", "provider_id")


@admin.register(Payment)
class PaymentAdmin(Told, admin.ModelAdmin):
    list_display = (
        "order", "attempt", "amount", "captured_amount", "refunded_amount", "currency", "state", "provider",
        "card_ending", "started_at",
    )  # fmt: skip
    list_filter = ("state", "provider")
    search_fields = ("order__code", "provider_id")
    list_select_related = ("order",)
    ordering = ("-started_at",)
    show_full_result_count = False
    inlines = (RefundInline,)
