from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.net import client_ip
from accounts.sign_in import password_change
from accounts.sign_in.forms import PasswordForm
from accounts.stepup.browser import browser_of
from accounts.stepup.decorators import step_up
from accounts.stepup.grants import NoGrant
from accounts.stepup.models import Purpose
from accounts.stepup.requests import signed_in


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@step_up(Purpose.CHANGE_PASSWORD)
def change_password(request: HttpRequest) -> HttpResponse:
    """The proof is given: take a new password. This session stays, under a new key; all others end."""
    user = signed_in(request)
    form = PasswordForm(request.POST if request.method == "POST" else None, user=user)
    if not form.is_valid():
        context = {"form": form, "name": user.email or user.phone.as_e164}
        return render(request, "sign_in/change_password.html", context, status=422 if form.errors else 200)
    try:
        user = password_change.change_password(
            user=user, password=form.cleaned_data["password"], browser=browser_of(request), ip=client_ip(request)
        )
    except NoGrant:
        return redirect("sign_in:change_password")  # used by another tab at the same moment
    update_session_auth_hash(request, user)
    messages.success(request, _("Your password is changed. Everybody else is signed out."))
    return redirect("security:overview")
