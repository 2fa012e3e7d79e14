"""An open recovery as its owner sees it, signed in."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.net import client_ip
from accounts.security import recovery
from accounts.stepup.requests import signed_in


@require_POST
def cancel_recovery(request: HttpRequest) -> HttpResponse:
    """A veto asks for no proof: it only keeps things as they are."""
    found = recovery.open_recovery_of(signed_in(request))
    if found and recovery.cancel(found, ip=client_ip(request)):
        messages.success(request, _("The recovery is cancelled. Nothing has changed."))
    else:
        messages.info(request, _("No recovery is open."))
    return redirect("security:overview")


def recovery_context(user: User) -> dict[str, Any]:
    """For the top of the security page."""
    return {"recovery": recovery.open_recovery_of(user)}
