"""The pages on which people add and remove passkeys."""

import base64
import secrets
from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.factors.passkey import AlreadyThere, Refused, registration_options
from accounts.factors.registry import has_strong_factor
from accounts.net import client_ip
from accounts.security import passkeys
from accounts.security.forms import PasskeyForm
from accounts.security.services import TooMany
from accounts.security.views import set_up
from accounts.stepup.decorators import step_up
from accounts.stepup.models import Purpose
from accounts.stepup.requests import signed_in

# Where the session keeps what the new passkey has to sign, and since when.
_KEY = "passkey_to_add"
_LIFE = timedelta(minutes=15)


@never_cache
@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Ask the browser to make a passkey, and take its public half."""
    form = PasskeyForm(request.POST if request.method == "POST" else None)
    form.is_valid()
    if passkeys.is_set_up(user=signed_in(request), answer=form.made()):
        # The same form once more: with a passkey, its owner would first be asked for a stronger proof.
        messages.info(request, _("This passkey is set up."))
        return redirect("security:overview")
    return _add(request, form)


@step_up(Purpose.MANAGE_FACTORS)
def _add(request: HttpRequest, form: PasskeyForm) -> HttpResponse:
    user = signed_in(request)
    try:
        passkeys.check_room(user)
        if not form.is_valid():
            return _page(request, form)
        codes = passkeys.add_passkey(
            user=user,
            answer=form.cleaned_data["credential"],
            asked=_asked(request),
            name=form.cleaned_data["name"],
            ip=client_ip(request),
        )
    except TooMany:
        words = _("You have %(count)d passkeys already. Remove one before you add another.")
        messages.info(request, words % {"count": passkeys.MOST_PASSKEYS})
        return redirect("security:overview")
    except AlreadyThere:
        messages.info(request, _("This passkey is set up."))
        return redirect("security:overview")
    except Refused:
        request.session.pop(_KEY, None)
        form.add_error(None, _("That passkey could not be read, or it took too long. Please try again."))
        return _page(request, form)
    del request.session[_KEY]
    # Shown in this very answer and kept nowhere, as the codes of an authenticator app are.
    return set_up(request, codes, "security/passkey_added.html")


@never_cache
@require_http_methods(["GET", "POST"])
@step_up(Purpose.MANAGE_FACTORS)
def remove(request: HttpRequest, passkey_id: int) -> HttpResponse:
    """Ask whether it is meant, and remove the passkey."""
    user = signed_in(request)
    if request.method == "POST":
        passkeys.remove_passkey(user=user, passkey_id=passkey_id, ip=client_ip(request))
        messages.success(request, _("The passkey is removed. You can delete it on your device too."))
        return redirect("security:overview")
    passkey = get_object_or_404(passkeys.passkeys_of(user), pk=passkey_id)
    last = not has_strong_factor(user, beside=passkey)
    return render(request, "security/remove_passkey.html", {"passkey": passkey, "last": last})


def _page(request: HttpRequest, form: PasskeyForm) -> HttpResponse:
    options = registration_options(signed_in(request), _asked(request))
    status = 422 if form.errors else 200
    return render(request, "security/add_passkey.html", {"form": form, "passkey_options": options}, status=status)


def _asked(request: HttpRequest) -> bytes:
    """What the new passkey signs: random, the same for a reload and a second tab, until it was used or is too old."""
    kept = request.session.get(_KEY)
    if not kept or kept["at"] < (timezone.now() - _LIFE).timestamp():
        made = base64.b64encode(secrets.token_bytes(32)).decode()
        kept = request.session[_KEY] = {"asked": made, "at": timezone.now().timestamp()}
    return base64.b64decode(kept["asked"])
