from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.admin import ReadOnlyAdmin
from accounts.delivery import pumping
from accounts.delivery.models import Alarm, Message, MessagePrice, PrefixStop, Spending
from accounts.models import User


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """Which messages went where, masked; what they said is kept nowhere."""

    list_display = ("queued_at", "kind", "channel", "masked_destination", "state", "reason", "provider")
    list_filter = ("state", "kind", "channel", "provider", "reason")
    ordering = ("-queued_at",)
    fields = (
        "kind", "channel", "masked_destination", "user", "state", "reason", "provider", "provider_id", "provider_code",
        "country", "carrier", "cost", "refused_by", "instead_of", "replaced_at", "tries", "queued_at",
        "handing_over_at", "handed_over_at", "sent_at", "delivered_at", "ended_at",
    )  # fmt: skip


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    """What went wrong with a provider, and since when; an open one has no end yet."""

    list_display = ("raised_at", "about", "kind", "ended_at")
    list_filter = ("kind", "about", ("ended_at", admin.EmptyFieldListFilter))
    ordering = ("-raised_at",)


@admin.register(MessagePrice)
class MessagePriceAdmin(admin.ModelAdmin):
    """The price list: what is not on it counts with a guess on the high side (spending.ROUGH)."""

    list_display = ("channel", "country", "provider", "price")
    list_filter = ("channel", "provider")
    ordering = ("channel", "country", "provider")


@admin.register(Spending)
class SpendingAdmin(ReadOnlyAdmin):
    """What the texts and calls of each day cost, and the cap as it is now."""

    list_display = ("day", "spent", "share_of_the_cap")
    ordering = ("-day",)

    @admin.display(description=_("of the cap as it is now"))
    def share_of_the_cap(self, day: Spending) -> str:
        cap = settings.MESSAGE_BUDGET_A_DAY
        return f"{day.spent / cap:.0%}" if cap else "–"


class LiftForm(forms.ModelForm):
    """Say why, and the prefix is sent to again."""

    lift_reason = forms.CharField(label=_("Why it is lifted"), max_length=200)

    class Meta:
        model = PrefixStop
        fields = ("lift_reason",)


@admin.register(PrefixStop)
class PrefixStopAdmin(ReadOnlyAdmin):
    """Prefixes that were pumped. To lift one that is open, with a reason, is all that can be done here."""

    list_display = ("stopped_at", "prefix", "until", "ended_at", "lifted_by")
    list_filter = (("ended_at", admin.EmptyFieldListFilter),)
    list_select_related = ("lifted_by",)
    search_fields = ("prefix",)
    ordering = ("-stopped_at",)
    form = LiftForm
    fields = ("prefix", "stopped_at", "until", "ended_at", "lifted_by", "lift_reason")
    readonly_fields = ("prefix", "stopped_at", "until", "ended_at", "lifted_by")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_open = obj is None or obj.ended_at is None
        return is_open and admin.ModelAdmin.has_change_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: PrefixStop, form: Any, change: bool) -> None:
        reason = form.cleaned_data["lift_reason"]
        actor = cast(User, request.user)  # staff, as the admin site has seen to
        if pumping.lift(obj, by=actor.pk, reason=reason, now=timezone.now()):
            audit.record(audit.Kind.POLICY_CHANGED, actor=actor, request=request, prefix=obj.prefix, reason=reason)
