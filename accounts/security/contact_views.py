"""A new e-mail or phone: typed, the change proven, the new one proven, confirmed. And undone by a link."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import User
from accounts.net import client_ip
from accounts.phones import mask
from accounts.security import contacts
from accounts.security.contact_forms import form_for
from accounts.security.contacts import EMAIL, PHONE, ContactTaken, Field
from accounts.stepup import policy
from accounts.stepup.challenges import ChallengeOver
from accounts.stepup.grants import NoGrant
from accounts.stepup.requests import asker_of, signed_in


def context_of(user: User) -> dict[str, Any]:
    """For the security page's `_contacts.html`."""
    has = {field.name: contacts.own(user, field) for field in (EMAIL, PHONE)}
    return {"contacts": {name: mask(contact) if contact else "" for name, contact in has.items()}}


@never_cache
@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, field: Field) -> HttpResponse:
    """Take the new address, and go on to the proof of the change."""
    user = signed_in(request)
    form = form_for(field)(request.POST if request.method == "POST" else None, user=user)
    if not form.is_valid():
        context = {"form": form, "field": field.name, "current": contacts.own(user, field)}
        return render(request, "security/change_contact.html", context, status=422 if form.errors else 200)
    new = request.session[_key(field)] = form.cleaned_data["new"]
    asker, proven_at = asker_of(request), reverse(f"security:prove_{field.name}")
    if contacts.is_allowed(asker=asker, field=field, new=new):
        return redirect(proven_at)  # the same form once more: the back button, a double tap
    try:
        challenge = contacts.begin_change(asker=asker, field=field, new=new, next_path=proven_at)
    except policy.NoFactor as why:
        messages.error(request, str(why))
        return redirect("security:overview")
    except ChallengeOver:
        return _once_more(request, field)
    return redirect("stepup:challenge", challenge.pk)


@never_cache
@require_GET
def prove(request: HttpRequest, field: Field) -> HttpResponse:
    """The change is proven: send a code to the new address."""
    confirmed_at = reverse(f"security:confirm_{field.name}")
    asker, new = asker_of(request), _new(request, field)
    if contacts.is_proven(asker=asker, field=field, new=new):
        return redirect(confirmed_at)  # the back button
    try:
        challenge = contacts.begin_proof_of_new(asker=asker, field=field, new=new, next_path=confirmed_at)
    except NoGrant:
        return _start_again(request, field)
    except ChallengeOver:
        return _once_more(request, field)
    return redirect("stepup:challenge", challenge.pk)


@never_cache
@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, field: Field) -> HttpResponse:
    """Both are proven: say what changes, and change it."""
    asker, new = asker_of(request), _new(request, field)
    if request.method == "GET":
        if not contacts.is_proven(asker=asker, field=field, new=new):
            return _start_again(request, field)
        context = {"field": field.name, "new": new, "current": contacts.own(signed_in(request), field)}
        return render(request, "security/confirm_contact.html", context)
    try:
        contacts.change(asker=asker, field=field, new=new)
    except NoGrant:
        return _start_again(request, field)
    except ContactTaken:
        del request.session[_key(field)]
        messages.error(
            request, _("Another account has it: it was opened or changed a moment ago. Nothing has changed here.")
        )
        return redirect("security:overview")
    request.session.pop(_key(field), None)
    messages.success(request, _done(field))
    return redirect("security:overview")


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def undo_email(request: HttpRequest, token: str) -> HttpResponse:
    """What the link in the mail to the old address opens. It signs nobody in, and only the button does something."""
    try:
        if request.method == "GET":
            return render(request, "security/undo_email.html", {"old": mask(contacts.open_change(token).old_email)})
        contacts.undo_email_change(token, ip=client_ip(request))
    except contacts.NothingToUndo:
        return render(request, "security/nothing_to_undo.html", status=410)
    except ContactTaken:
        return render(request, "security/nothing_to_undo.html", {"taken": True}, status=409)
    logout(request)
    messages.success(
        request, _("Your old e-mail is back, and everybody is signed out. Choose a new password now: type that e-mail.")
    )
    return redirect("sign_in:reset")


def _key(field: Field) -> str:
    return f"new_{field.name}"


def _new(request: HttpRequest, field: Field) -> str:
    """What was typed last in this browser. The proofs are bound to it, so another tab can't swap it."""
    return str(request.session.get(_key(field), ""))


def _start_again(request: HttpRequest, field: Field) -> HttpResponse:
    """No proof to use up: it was used a moment ago (a double tap, a second tab), or is too old, or never was."""
    if _key(field) not in request.session:
        return redirect("security:overview")
    if contacts.own(signed_in(request), field) == _new(request, field):
        messages.success(request, _done(field))
        return redirect("security:overview")
    messages.info(request, _("Please start again: it took too long, or was not confirmed yet."))
    return redirect(f"security:change_{field.name}")


def _once_more(request: HttpRequest, field: Field) -> HttpResponse:
    messages.info(request, _("This was asked for twice at the same moment. Please try again."))
    return redirect(f"security:change_{field.name}")


def _done(field: Field) -> str:
    if field is EMAIL:
        return _("Your e-mail is changed. Use it to sign in from now on.")
    return _("Your phone number is changed. For 72 hours it approves no payment; every other way does.")
