from django.contrib import admin
from django.http import HttpRequest

from shop.payment.models import Payment


@admin.register(Payment)
class PaymentAdmin(admin.ModelAdmin):
    list_display = ("order", "attempt", "amount", "currency", "state", "provider", "card_ending", "started_at")
    list_filter = ("state", "provider")
    search_fields = ("order__code", "provider_id")
    list_select_related = ("order",)
    ordering = ("-started_at",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Payment | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Payment | None = None) -> bool:
        return False
