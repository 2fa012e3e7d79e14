"""The public pages of a recovery: ask for it, stop it, finish it. None of them tells whether an account exists."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from accounts.net import client_ip
from accounts.security import recovery
from accounts.sign_in.forms import ContactForm, PasswordForm, RecoveryForm
from accounts.stepup.browser import browser_of
from accounts.stepup.challenges import ChallengeOver
from accounts.stepup.grants import NoGrant
from accounts.stepup.models import Challenge, Purpose
from accounts.stepup.requests import asker_of

# Where the session keeps the id of the challenge that was begun.
_OPENING, _FINISHING = "recovery_challenge", "recovery_end_challenge"


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def begin(request: HttpRequest) -> HttpResponse:
    """Take the name of the account and a new contact, and go on to prove the contact."""
    form = RecoveryForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            challenge = recovery.begin_opening(
                asker=asker_of(request, contact=form.cleaned_data["contact"]),
                name=form.cleaned_data["name"],
                next_path=reverse("sign_in:recovery_opened"),
            )
        except ChallengeOver:
            form.add_error(None, _at_the_same_moment())
        else:
            request.session[_OPENING] = str(challenge.pk)
            return redirect("stepup:challenge", challenge.pk)
    return _page(request, "sign_in/recovery.html", form)


@login_not_required
@never_cache
@require_GET
def opened(request: HttpRequest) -> HttpResponse:
    """The contact is proven: open the recovery, and say what comes now. The same for a name that nobody has."""
    begun = _begun(request, _OPENING)
    if begun is None or begun.state != Challenge.State.PASSED:
        messages.info(request, _("Please confirm your new e-mail or phone first."))
        return redirect("sign_in:recovery")
    try:
        recovery.open_recovery(begun=begun, browser=browser_of(request), ip=client_ip(request))
    except NoGrant:
        pass  # the same page once more: it was opened a moment ago
    except recovery.ContactTaken:
        del request.session[_OPENING]
        messages.warning(request, _contact_taken())
        return redirect("sign_in:recovery")
    context = {"contact": begun.contact, "support_email": settings.SUPPORT_EMAIL}
    return render(request, "sign_in/recovery_opened.html", context)


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """The link of the notice: one button, and no sign-in. Programs that only follow links cancel nothing."""
    found = recovery.recovery_of_token(token)
    if found is not None and request.method == "POST" and recovery.cancel(found, ip=client_ip(request)):
        return redirect(request.path)
    over = found is None or found.state != recovery.State.OPEN
    context = {"recovery": found, "over": over, "support_email": settings.SUPPORT_EMAIL}
    return render(request, "sign_in/recovery_cancel.html", context, status=404 if found is None else 200)


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def finish(request: HttpRequest) -> HttpResponse:
    """Take the new contact once more, and go on to prove it."""
    form = ContactForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            challenge = recovery.begin_finishing(
                asker=asker_of(request, contact=form.cleaned_data["contact"]),
                next_path=reverse("sign_in:recovery_password"),
            )
        except ChallengeOver:
            form.add_error(None, _at_the_same_moment())
        else:
            request.session[_FINISHING] = str(challenge.pk)
            return redirect("stepup:challenge", challenge.pk)
    return _page(request, "sign_in/recovery_finish.html", form)


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """The contact is proven: if its recovery is ready, take a new password."""
    begun = _begun(request, _FINISHING)
    contact = begun.contact if begun else ""
    if not contact or not recovery.find_finishing_grant(contact=contact, browser=browser_of(request)):
        messages.info(request, _("Please confirm your new e-mail or phone first."))
        return redirect("sign_in:recovery_finish")
    found = recovery.ready_recovery(contact)
    if found is None or found.user is None:
        return render(request, "sign_in/recovery_not_ready.html", {"contact": contact})
    form = PasswordForm(request.POST if request.method == "POST" else None, user=found.user)
    if not form.is_valid():
        return _page(request, "sign_in/recovery_password.html", form, contact=contact)
    try:
        recovery.finish(
            contact=contact,
            password=form.cleaned_data["password"],
            browser=browser_of(request),
            ip=client_ip(request),
        )
    except NoGrant:
        messages.info(request, _("Please confirm your new e-mail or phone first."))
        return redirect("sign_in:recovery_finish")
    except recovery.NotReady:
        return render(request, "sign_in/recovery_not_ready.html", {"contact": contact})
    except recovery.ContactTaken:
        messages.warning(request, _contact_taken())
        return redirect("sign_in:recovery_finish")
    del request.session[_FINISHING]
    messages.success(request, _("The account is yours again. Sign in with your new e-mail or phone and password."))
    return redirect("sign_in:sign_in")


def _begun(request: HttpRequest, key: str) -> Challenge | None:
    """The challenge that this browser began."""
    kept = request.session.get(key)
    mine = Challenge.objects.filter(browser=browser_of(request), purpose=Purpose.RECOVER)
    return mine.filter(pk=kept).first() if kept else None


def _page(request: HttpRequest, template: str, form: ContactForm | PasswordForm, **context: str) -> HttpResponse:
    return render(request, template, context | {"form": form}, status=422 if form.errors else 200)


def _at_the_same_moment() -> str:
    return _("This was asked for twice at the same moment. Please try again.")


def _contact_taken() -> str:
    return _(
        "That e-mail or phone belongs to an account already. If it is the one you want back, choose a new password "
        "with it; else use an e-mail or phone that is not used here."
    )
