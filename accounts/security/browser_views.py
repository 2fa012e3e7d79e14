"""Where a person is signed in, which browsers are trusted, and "this wasn't me".

Ending any of it takes no proof: whoever finds a stranger there shall not have to look for a phone first.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import SecurityEvent
from accounts.net import client_ip
from accounts.security import sessions, trust
from accounts.security.cookies import trust_cookie
from accounts.security.devices import device_name
from accounts.security.events import describe
from accounts.security.lock import lock_account
from accounts.stepup.requests import signed_in


def browsers_context(request: HttpRequest) -> dict[str, Any]:
    """For the parts of the security page."""
    user, now = signed_in(request), timezone.now()
    return {
        "sessions": [
            {
                "handle": row.handle,
                "device": device_name(row.user_agent),
                "ip": row.ip,
                "last_used_at": row.last_used_at,
                "this_one": row.session_key == request.session.session_key,
            }
            for row in sessions.sessions_of(user, now)
        ],
        "trusted_browsers": trust.trusted_browsers_of(user, trust_cookie(request), now),
    }


@never_cache
@require_POST
def end_session(request: HttpRequest, handle: UUID) -> HttpResponse:
    own_key = request.session.session_key
    if sessions.end_session(user=signed_in(request), handle=handle, own_key=own_key, ip=client_ip(request)):
        messages.success(request, _("That browser is signed out."))
    else:
        messages.info(request, _("That browser is signed out already."))
    return redirect("security:overview")


@never_cache
@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    own_key = request.session.session_key
    sessions.end_other_sessions(user=signed_in(request), own_key=own_key, ip=client_ip(request))
    messages.success(request, _("You are signed out everywhere else."))
    return redirect("security:overview")


@never_cache
@require_POST
def end_trust(request: HttpRequest, browser_id: int) -> HttpResponse:
    trust.end_trust(user=signed_in(request), browser_id=browser_id, ip=client_ip(request))
    messages.success(request, _("That browser is no longer trusted. The next sign-in there takes a code."))
    return redirect("security:overview")


@never_cache
@require_POST
def end_all_trust(request: HttpRequest) -> HttpResponse:
    trust.end_trust(user=signed_in(request), ip=client_ip(request))
    messages.success(request, _("No browser is trusted any more. Each sign-in takes a code."))
    return redirect("security:overview")


@never_cache
@require_http_methods(["GET", "POST"])
def lock(request: HttpRequest, event_id: int) -> HttpResponse:
    """Ask whether it is meant, lock the account, and lead to a new password."""
    user = signed_in(request)
    event = get_object_or_404(SecurityEvent, user=user, pk=event_id)
    if request.method == "GET":
        return render(request, "security/lock.html", {"event": event, "what": describe(event)})
    lock_account(user=user, event=event, ip=client_ip(request))
    logout(request)
    messages.success(
        request,
        _(
            "Your account is locked: everybody is signed out, and nobody can sign in. "
            "Choose a new password now; that opens it again."
        ),
    )
    return redirect("sign_in:reset")
