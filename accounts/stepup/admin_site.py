from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django_otp.admin import OTPAdminSite

from accounts.stepup import levels


class StaffAdminSite(OTPAdminSite):
    """The Django admin behind an authenticator. Its own sign-in form is never shown; ours leads there."""

    site_header = _("Countersign")
    site_title = _("Countersign")
    index_title = _("Run the shop")

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and levels.has_staff_level(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        guarded = super().admin_view(view, cacheable)
        guarded.staff_only = True  # a model's own pages, which are not wrapped once more (shop/access.py)
        return guarded

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        target = request.GET.get("next") or reverse("admin:index")
        return redirect(f"{reverse('sign_in:staff')}?{urlencode({'next': target})}")

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Django's own form would change it on the old password alone; ours asks for a code and tells the owner."""
        return redirect("sign_in:reset")
