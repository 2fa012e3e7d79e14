from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from accounts.delivery.models import Alarm, Message


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """Which messages went where, masked; what they said is kept nowhere."""

    list_display = ("queued_at", "kind", "channel", "masked_destination", "state", "reason", "provider")
    list_filter = ("state", "kind", "channel", "provider", "reason")
    ordering = ("-queued_at",)
    fields = (
        "kind", "channel", "masked_destination", "user", "state", "reason", "provider", "provider_id", "provider_code",
        "refused_by", "instead_of", "replaced_at", "tries", "queued_at", "handing_over_at", "handed_over_at", "sent_at",
        "delivered_at", "ended_at",
    )  # fmt: skip


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    """What went wrong with a provider, and since when; an open one has no end yet."""

    list_display = ("raised_at", "about", "kind", "ended_at")
    list_filter = ("kind", "about", ("ended_at", admin.EmptyFieldListFilter))
    ordering = ("-raised_at",)
