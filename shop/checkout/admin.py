"""The rules by which payments are approved, and what other rules would have done."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.net import client_ip
from accounts.stepup import levels, rules
from accounts.stepup.decorators import step_up
from accounts.stepup.models import ApprovalRules, Purpose
from accounts.stepup.requests import signed_in
from shop.checkout.what_if import replay

RULES_PAGE = "admin:stepup_approvalrules_changelist"


class RulesForm(forms.ModelForm):
    class Meta:
        model = ApprovalRules
        fields = rules.FIELDS


class WhatIfForm(RulesForm):
    days = forms.IntegerField(
        label=_("Try them on the orders of the last … days"), min_value=1, max_value=365, initial=30
    )


@admin.register(ApprovalRules)
class ApprovalRulesAdmin(admin.ModelAdmin):
    """One row, so its list is its form. Each change needs a proof of the last minutes, and is recorded."""

    form = RulesForm
    fieldsets = (
        (
            _("Spare the question"),
            {
                "fields": ("relax_below", "relax_proof_minutes", "known_address_days"),
                "description": _("All of it has to hold. Guests and staff are always asked."),
            },
        ),
        (
            _("Ask for a stronger proof"),
            {
                "fields": ("failures_a_day", "phone_changed_days", "orders_a_day", "spent_a_day"),
                "description": _(
                    "One of it is enough, and so is a new browser together with a new address. "
                    "It comes before anything is spared, and can be tuned but not switched off."
                ),
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        what_if = self.admin_site.admin_view(self.what_if)
        return [path("what-if/", what_if, name="stepup_approvalrules_what_if"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return self.changeform_view(request, "1", extra_context=extra_context)

    @method_decorator(never_cache)
    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        fresh = levels.has_recent_proof(request, Purpose.CHANGE_POLICY)
        if request.method == "POST" and not fresh:
            # The proof got old while the form was filled in; what was typed comes back after a new one.
            return redirect(_rules_page(_typed(request.POST, but=_kept())))
        if request.method == "GET" and fresh and _typed(request.GET):
            messages.info(request, _("These numbers are not saved yet. They hold when you save them."))
        form_page: Any = super().changeform_view
        return step_up(Purpose.CHANGE_POLICY)(form_page)(request, object_id, form_url, extra_context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> ApprovalRules | None:
        """The row, or the defaults where there is none yet; on a GET with the numbers that its address proposes."""
        if object_id != "1":
            return None
        row = ApprovalRules.objects.first() or ApprovalRules()
        if request.method == "GET" and (typed := _typed(request.GET)):
            proposed = RulesForm(forms.model_to_dict(row, rules.FIELDS) | typed, instance=row)
            proposed.full_clean()  # which fills the row in
        return row

    def save_model(self, request: HttpRequest, obj: ApprovalRules, form: Any, change: bool) -> None:
        rules.change(new=rules.rules_of(obj), actor=signed_in(request), ip=client_ip(request))

    def what_if(self, request: HttpRequest) -> HttpResponse:
        """Try changed rules on past orders. Saves nothing."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        form = WhatIfForm(_kept() | {"days": 30} | _typed(request.GET, also=("days",)))
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": _("What if?"),
            "opts": self.opts,
            "form": form,
        }
        if form.is_valid():
            since = timezone.now() - timedelta(days=form.cleaned_data["days"])
            context["replay"] = replay(today=rules.current(), changed=rules.rules_of(form.instance), since=since)
            if self.has_change_permission(request):
                context["use_url"] = _rules_page({name: form.cleaned_data[name] for name in rules.FIELDS})
        return render(request, "admin/checkout/what_if.html", context, status=200 if form.is_valid() else 422)


def _kept() -> dict[str, Any]:
    return forms.model_to_dict(ApprovalRules.objects.first() or ApprovalRules(), rules.FIELDS)


def _typed(data: Any, *, but: dict[str, Any] | None = None, also: tuple[str, ...] = ()) -> dict[str, str]:
    """The rules' fields out of what was sent; without those that are as in `but`."""
    kept = {name: str(value) for name, value in (but or {}).items()}
    return {name: data[name] for name in (*rules.FIELDS, *also) if name in data and data[name] != kept.get(name)}


def _rules_page(fields: dict[str, Any]) -> str:
    return f"{reverse(RULES_PAGE)}?{urlencode(fields)}"
