"""The account as a whole: its data to take away, and its end."""

import json

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.net import client_ip
from accounts.security import closing, export
from accounts.stepup.browser import browser_of
from accounts.stepup.decorators import step_up
from accounts.stepup.grants import NoGrant
from accounts.stepup.models import Purpose
from accounts.stepup.requests import signed_in


@never_cache
@require_http_methods(["GET", "POST"])
@step_up(Purpose.EXPORT_DATA)
def export_data(request: HttpRequest) -> HttpResponse:
    """Say what is in it, and give it: each download has a proof of its own."""
    if request.method == "GET":
        return render(request, "security/export_data.html")
    try:
        data = export.export_data(user=signed_in(request), browser=browser_of(request), ip=client_ip(request))
    except NoGrant:
        return redirect("security:export_data")  # used by another tab at the same moment
    return HttpResponse(
        json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{settings.SITE_HOST}-my-data.json"'},
    )


@never_cache
@require_http_methods(["GET", "POST"])
def close_account(request: HttpRequest) -> HttpResponse:
    """Staff are told first: they need no proof to hear that they can't."""
    if request.user.is_staff:
        messages.info(request, _("Accounts of the shop’s staff are closed by whoever runs the shop."))
        return redirect("security:overview")
    return _close(request)


@step_up(Purpose.CLOSE_ACCOUNT)
def _close(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return render(request, "security/close_account.html")
    try:
        closing.close_account(user=signed_in(request), browser=browser_of(request), ip=client_ip(request))
    except NoGrant:
        return redirect("security:close_account")  # used by another tab at the same moment
    except closing.StaffAccount:
        return redirect("security:overview")
    logout(request)
    messages.success(request, _("Your account is closed. Thank you for having been here."))
    return redirect("product:home")
