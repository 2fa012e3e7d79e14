"""The page on which people see and change how they prove who they are."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.safestring import mark_safe
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.factors.authenticator import Authenticator, AuthenticatorFactor
from accounts.factors.backup_code import BackupCodeSet
from accounts.factors.registry import has_strong_factor
from accounts.models import SecurityEvent
from accounts.net import client_ip
from accounts.security import contact_views, passkeys, services, ways
from accounts.security.browser_views import browsers_context
from accounts.security.events import describe
from accounts.security.forms import AuthenticatorForm, AuthenticatorNameForm
from accounts.security.recovery_views import recovery_context
from accounts.stepup import attempts, levels
from accounts.stepup.decorators import step_up
from accounts.stepup.models import Purpose
from accounts.stepup.requests import signed_in

EVENTS_A_PAGE = 20


@never_cache
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """What proves who this person is, and what happened to the account lately."""
    user, now = signed_in(request), timezone.now()
    events = Paginator(SecurityEvent.objects.filter(user=user).order_by("-at", "-pk"), EVENTS_A_PAGE)
    page = events.get_page(request.GET.get("page"))
    context = {
        "resting_factor": user.reset_factor if user.rests_after_reset(user.reset_factor, now) else "",
        "page_obj": page,
        "events": [{"pk": event.pk, "at": event.at, "ip": event.ip, "what": describe(event)} for event in page],
    }
    context |= browsers_context(request) | contact_views.context_of(user) | passkeys.for_overview(user)
    context |= recovery_context(user) | ways.for_overview(user, now)
    return render(request, "security/overview.html", context)


@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
def authenticator(request: HttpRequest) -> HttpResponse:
    """Show the QR code of a new authenticator app, and take the code that proves the app has it."""
    form = AuthenticatorForm(request.POST if request.method == "POST" else None)
    form.is_valid()
    if services.is_set_up(user=signed_in(request), device_id=form.shown()):
        # The same form once more: with an app, its owner would first be asked for a stronger proof.
        messages.info(request, _("This authenticator app is set up."))
        return redirect("security:overview")
    return _enrol(request, form)


@step_up(Purpose.MANAGE_FACTORS)
def _enrol(request: HttpRequest, form: AuthenticatorForm) -> HttpResponse:
    if not form.is_bound:
        return _enrolment(request, form)
    try:
        if not form.is_valid():
            if "device" in form.errors:
                raise services.NothingPending
            return _enrolment(request, form)
        codes = services.confirm_authenticator(
            user=signed_in(request),
            device_id=form.cleaned_data["device"],
            code=form.cleaned_data["code"],
            name=form.cleaned_data["name"],
            ip=client_ip(request),
        )
    except services.NotACode:
        form.add_error("code", str(AuthenticatorFactor.malformed))
    except services.WrongCode:
        form.add_error(
            "code",
            _("That is not the code the app shows now. Wait for the next one; check that the phone’s clock is right."),
        )
    except attempts.FactorResting as resting:
        until = time_format(localtime(resting.until), "H:i")
        form.add_error("code", _("Too many wrong codes. Please try again at %(time)s.") % {"time": until})
    except services.NothingPending:
        messages.info(request, _("That QR code is too old. Here is a new one: please scan it again."))
        return redirect(request.get_full_path())
    except services.AlreadySetUp:
        messages.info(request, _("This authenticator app is set up."))
        return redirect("security:overview")
    else:
        # Shown in this very answer and kept nowhere: the session and the next page never hold a backup code.
        return set_up(request, codes, "security/backup_codes.html")
    return _enrolment(request, form)


@never_cache
@require_http_methods(["GET", "POST"])
@step_up(Purpose.MANAGE_FACTORS)
def remove_authenticator(request: HttpRequest, device_id: int) -> HttpResponse:
    """Ask whether it is meant, and remove the app."""
    if request.method == "POST":
        services.remove_authenticator(user=signed_in(request), device_id=device_id, ip=client_ip(request))
        messages.success(request, _("The authenticator app is removed. You can delete its entry on your phone."))
        return redirect("security:overview")
    mine = Authenticator.objects.filter(user=signed_in(request), confirmed=True)
    device = get_object_or_404(mine, pk=device_id)
    return render(
        request,
        "security/remove_authenticator.html",
        {"device": device, "last": not has_strong_factor(request.user, beside=device)},
    )


@never_cache
@require_http_methods(["GET", "POST"])
@step_up(Purpose.MANAGE_FACTORS)
def rename_authenticator(request: HttpRequest, device_id: int) -> HttpResponse:
    """Take a new name. It asks for a proof: by the name the owner decides which one to remove."""
    device = get_object_or_404(Authenticator, user=signed_in(request), confirmed=True, pk=device_id)
    form = AuthenticatorNameForm(request.POST if request.method == "POST" else None, initial={"name": device.name})
    if form.is_valid():
        services.rename_authenticator(user=signed_in(request), device_id=device_id, name=form.cleaned_data["name"])
        messages.success(request, _("The authenticator app has a new name. Its codes work as before."))
        return redirect("security:overview")
    context = {"device": device, "form": form}
    return render(request, "security/rename_authenticator.html", context, status=422 if form.errors else 200)


@require_POST
def prefer(request: HttpRequest) -> HttpResponse:
    """Ask for this way first. No proof is needed: what is enough for what is not changed by it."""
    if ways.prefer(user=signed_in(request), key=request.POST.get("way", "")):
        messages.success(request, _("We ask for this first from now on, wherever it is enough."))
    else:
        messages.info(request, _("That way is not one of yours any more."))
    return redirect("security:overview")


@never_cache
@require_http_methods(["GET", "POST"])
@step_up(Purpose.MANAGE_FACTORS)
def backup_codes(request: HttpRequest) -> HttpResponse:
    """Ask whether it is meant, and make new backup codes."""
    if request.method == "GET":
        found = BackupCodeSet.objects.filter(user=signed_in(request)).first()
        return render(request, "security/make_backup_codes.html", {"left": found.left() if found else 0})
    codes = services.replace_backup_codes(user=signed_in(request), ip=client_ip(request))
    return render(request, "security/backup_codes.html", {"codes": codes, "made_at": timezone.now()})


def _enrolment(request: HttpRequest, form: AuthenticatorForm) -> HttpResponse:
    try:
        device = services.pending_authenticator(user=signed_in(request), shown=form.shown())
    except services.TooMany:
        messages.info(request, _("You have five authenticator apps already. Remove one before you add another."))
        return redirect("security:overview")
    context = {
        "form": form,
        "device": device,
        "qr": mark_safe(device.qr_svg()),  # noqa: S308 - made by us of digits and paths
    }
    return render(request, "security/authenticator.html", context, status=422 if form.errors else 200)


def set_up(request: HttpRequest, codes: list[str], template: str) -> HttpResponse:
    """A strong factor is there now: its backup codes, and the way on."""
    wanted = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        wanted = ""
    staff = request.user.is_staff and not levels.has_staff_level(request)
    context = {
        "codes": codes,
        "made_at": timezone.now(),
        "added": True,
        "staff": staff,
        "go_on": f"{reverse('sign_in:staff')}?{urlencode({'next': wanted})}" if staff else wanted,
    }
    return render(request, template, context)
