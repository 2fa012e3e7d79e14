"""Password, challenge, done: three pages. Between them nobody is signed in; the session only knows which challenge."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.formats import time_format
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import audit
from accounts.models import User
from accounts.net import client_ip, user_agent_of
from accounts.security.cookies import set_trust_cookie, trust_cookie
from accounts.security.recovery import open_recovery_of
from accounts.security.trust import keep_trust, use_trust
from accounts.sign_in import by_code, passkeys, services
from accounts.sign_in.forms import ContactForm, PasskeyForm, PasswordForm, SignInForm, SignUpForm
from accounts.sign_in.passwords import TooManyPasswords, WrongPassword, check_password
from accounts.stepup import levels, policy, trust_wish
from accounts.stepup.browser import browser_of
from accounts.stepup.challenges import Asker, ChallengeOver
from accounts.stepup.grants import NoGrant
from accounts.stepup.models import Challenge, Grant, Purpose
from accounts.stepup.requests import asker_of

# Where the session keeps the id of the challenge that was begun.
_SIGN_IN, _SIGN_UP, _RESET = "sign_in_challenge", "sign_up_challenge", "reset_challenge"
_BY_CODE = "code_challenge"
_PASSKEY = "passkey_sign_in"  # what a passkey is to sign, and until when (passkeys.py)
_LONGEST_PATH = 200  # of Challenge.next_path


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Take the name and the password, and go on to the challenge."""
    if request.user.is_authenticated:
        return redirect(_next(request))
    form = SignInForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _form_page(request, "sign_in/sign_in.html", form)
    try:
        user = check_password(
            name=form.cleaned_data["name"], password=form.cleaned_data["password"], ip=client_ip(request)
        )
    except WrongPassword:
        form.add_error(None, _("That e-mail or phone and password don’t go together."))
        return _form_page(request, "sign_in/sign_in.html", form)
    except TooManyPasswords as many:
        words = _("Too many passwords were tried. Please wait until %(time)s, or choose a new password below.")
        form.add_error(None, words % {"time": time_format(localtime(many.until), "H:i")})
        return _form_page(request, "sign_in/sign_in.html", form, status=429)
    if trusted := use_trust(
        user=user, token=trust_cookie(request), ip=client_ip(request), user_agent=user_agent_of(request)
    ):
        login(request, user)
        levels.drop(request)
        response = redirect(_next(request))
        set_trust_cookie(response, trusted)
        return response
    asker = Asker(browser=browser_of(request), user=user, ip=client_ip(request))
    return _ask_for_proof(request, asker)


@login_not_required
@never_cache
@require_POST
def passkey_options(request: HttpRequest) -> HttpResponse:
    """What a passkey is to sign for a sign-in without a password, and for how many seconds that is good."""
    try:
        request.session[_PASSKEY], options = passkeys.begin(request.session.get(_PASSKEY), ip=client_ip(request))
    except passkeys.TooManyPasskeys:
        return JsonResponse({}, status=429)
    return JsonResponse(options)


@login_not_required
@never_cache
@require_POST
def by_passkey(request: HttpRequest) -> HttpResponse:
    """Take what a passkey signed, and sign its person in."""
    if request.user.is_authenticated:
        return redirect(_next(request))
    form, page, status = SignInForm(), PasskeyForm(request.POST), 422
    try:
        if not page.is_valid():
            raise passkeys.PasskeyRefused
        user, grant = passkeys.sign_in(
            begun=request.session.get(_PASSKEY),
            answer=page.cleaned_data["credential"],
            browser=browser_of(request),
            ip=client_ip(request),
        )
    except passkeys.PasskeyRefused:
        words = _("That passkey does not count here, or it took too long. Try again, or use your password.")
    except passkeys.PasskeyUnverified:
        words = _(
            "Your passkey’s device did not check that it is you. Without a password it has to, by its PIN, your finger "
            "or your face. Set that up on the device, or use your password."
        )
    except passkeys.TooManyPasskeys as many:
        words = _("Too many tries from here. Please wait until %(time)s.") % {
            "time": time_format(localtime(many.until), "H:i")
        }
        status = 429
    else:
        del request.session[_PASSKEY]
        _let_in(request, user, grant)
        return redirect(_next(request))
    return _form_page(request, "sign_in/sign_in.html", form, status=status, passkey_refused=words)


@login_not_required
@never_cache
@require_GET
def done(request: HttpRequest) -> HttpResponse:
    """Use the proof up and sign the person in."""
    begun = _begun(request, _SIGN_IN)
    if begun is None:
        return _back_to_sign_in(request)
    try:
        user, grant = services.finish_sign_in(begun=begun, browser=browser_of(request), ip=client_ip(request))
    except NoGrant:
        return _back_to_sign_in(request)
    except services.SignInOver:
        messages.info(request, _("That sign-in is over. Please start again with your password."))
        return redirect("sign_in:sign_in")
    del request.session[_SIGN_IN]
    _let_in(request, user, grant)
    if user.is_staff and not services.has_strong_factor(user):
        messages.info(
            request,
            _("You are signed in. To work in the shop you need an authenticator app or a passkey: set it up now."),
        )
        return redirect(_with_next("security:authenticator", _next(request, "")))
    response = redirect(_next(request))
    if trusted := keep_trust(
        user=user,
        token=trust_cookie(request),
        wished=trust_wish.wished(request, grant.challenge),
        ip=client_ip(request),
        user_agent=user_agent_of(request),
    ):
        set_trust_cookie(response, trusted)
    trust_wish.forget(request)
    return response


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def staff(request: HttpRequest) -> HttpResponse:
    """Where staff without the staff's level come from the admin and the support console."""
    if not request.user.is_authenticated:
        return redirect(_with_next("sign_in:sign_in", _next(request, "")))
    if not request.user.is_staff:
        raise Http404
    if levels.has_staff_level(request) and request.user.is_verified():  # type: ignore[attr-defined]
        return redirect(_next(request))
    enrolled = services.has_strong_factor(request.user)
    if request.method == "POST" and enrolled:
        return _ask_for_proof(request, asker_of(request))
    enrol = _with_next("security:authenticator", _next(request, ""))
    passkey = _with_next("security:add_passkey", _next(request, ""))
    context = {"enrolled": enrolled, "enrol_url": enrol, "passkey_url": passkey}
    return render(request, "sign_in/staff.html", context)


@login_not_required
@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        audit.record(audit.Kind.SIGNED_OUT, user=request.user, request=request)
    logout(request)
    messages.success(request, _("You are signed out."))
    return redirect("product:home")


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """Take the e-mail or phone of somebody new, and go on to prove it."""
    if request.user.is_authenticated:
        return redirect(_next(request))
    form = ContactForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            challenge = services.begin_sign_up(
                asker=asker_of(request, contact=form.cleaned_data["contact"]),
                next_path=_with_next("sign_in:sign_up_done", _next(request, "")),
            )
        except ChallengeOver:
            form.add_error(None, _at_the_same_moment())
        else:
            request.session[_SIGN_UP] = str(challenge.pk)
            return redirect("stepup:challenge", challenge.pk)
    return _form_page(request, "sign_in/sign_up.html", form)


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_up_done(request: HttpRequest) -> HttpResponse:
    """The contact is proven: take a name and a password, and open the account."""
    if request.user.is_authenticated:
        return redirect(_next(request))
    contact = _proven_contact(request, _SIGN_UP, Purpose.SIGN_UP)
    if not contact:
        messages.info(request, _("Please confirm your e-mail or phone first."))
        return redirect("sign_in:sign_up")
    form = SignUpForm(request.POST if request.method == "POST" else None, user=services.new_user(contact))
    if not form.is_valid():
        return _form_page(request, "sign_in/sign_up_done.html", form, contact=contact)
    try:
        user, grant = services.open_account(
            contact=contact,
            name=form.cleaned_data["name"],
            password=form.cleaned_data["password"],
            browser=browser_of(request),
            ip=client_ip(request),
        )
    except NoGrant:
        messages.info(request, _("Please confirm your e-mail or phone first."))
        return redirect("sign_in:sign_up")
    except services.ContactTaken:
        messages.info(request, _("An account with this e-mail or phone was opened a moment ago. Please sign in."))
        return redirect("sign_in:sign_in")
    del request.session[_SIGN_UP]
    _let_in(request, user, grant)
    messages.success(
        request, _("Welcome! Your account is open. An authenticator app makes it safer still: see Account, Security.")
    )
    return redirect(_next(request))


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def reset(request: HttpRequest) -> HttpResponse:
    """Take the e-mail or phone of somebody who forgot the password, and go on to prove it."""
    form = ContactForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            challenge = services.begin_reset(
                asker=asker_of(request, contact=form.cleaned_data["contact"]),
                next_path=reverse("sign_in:reset_password"),
            )
        except ChallengeOver:
            form.add_error(None, _at_the_same_moment())
        else:
            request.session[_RESET] = str(challenge.pk)
            return redirect("stepup:challenge", challenge.pk)
    return _form_page(request, "sign_in/reset.html", form)


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def reset_password(request: HttpRequest) -> HttpResponse:
    """The contact is proven: take a new password. It signs nobody in; the second proof is asked for at sign-in."""
    contact = _proven_contact(request, _RESET, Purpose.RESET_PASSWORD)
    user = services.resetting_user(contact) if contact else None
    if user is None:
        messages.info(request, _("Please confirm your e-mail or phone first."))
        return redirect("sign_in:reset")
    form = PasswordForm(request.POST if request.method == "POST" else None, user=user)
    if not form.is_valid():
        return _form_page(request, "sign_in/reset_password.html", form, contact=contact)
    try:
        services.set_new_password(
            contact=contact,
            password=form.cleaned_data["password"],
            browser=browser_of(request),
            ip=client_ip(request),
        )
    except NoGrant:
        messages.info(request, _("Please confirm your e-mail or phone first."))
        return redirect("sign_in:reset")
    del request.session[_RESET]
    messages.success(request, _("Your password is changed, and you are signed out everywhere. Please sign in with it."))
    return redirect("sign_in:sign_in")


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in_by_code(request: HttpRequest) -> HttpResponse:
    """Take the e-mail or phone of an account, and go on to prove it instead of the password."""
    if not settings.SIGN_IN_BY_CODE:
        raise Http404
    if request.user.is_authenticated:
        return redirect(_next(request))
    form = ContactForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            challenge = by_code.begin_by_code(
                asker=asker_of(request, contact=form.cleaned_data["contact"]),
                next_path=_with_next("sign_in:code_done", _next(request, "")),
            )
        except ChallengeOver:
            form.add_error(None, _at_the_same_moment())
        else:
            request.session[_BY_CODE] = str(challenge.pk)
            return redirect("stepup:challenge", challenge.pk)
    return _form_page(request, "sign_in/by_code.html", form)


@login_not_required
@never_cache
@require_GET
def code_done(request: HttpRequest) -> HttpResponse:
    """The code was right: ask for another proof where there is one, else sign in."""
    if not settings.SIGN_IN_BY_CODE:
        raise Http404
    if request.user.is_authenticated:
        return redirect(_next(request))
    begun, browser = _begun(request, _BY_CODE), browser_of(request)
    user = by_code.person_by_code(begun.contact) if begun else None
    if begun is None or user is None or not by_code.find_code_grant(contact=begun.contact, browser=browser):
        return _back_to_code(request)
    if by_code.has_another_factor(user, begun.contact):
        asker = Asker(browser=browser, user=user, ip=client_ip(request))
        return _ask_for_proof(request, asker, first_contact=begun.contact)
    try:
        user, grant = by_code.finish_by_code(contact=begun.contact, browser=browser, ip=client_ip(request))
    except NoGrant:
        return _back_to_code(request)
    del request.session[_BY_CODE]
    _let_in(request, user, grant)
    return redirect(_next(request))


def _ask_for_proof(request: HttpRequest, asker: Asker, first_contact: str = "") -> HttpResponse:
    """Begin the challenge of a sign-in, and remember that this browser did."""
    try:
        challenge = services.begin_sign_in(
            asker=asker, next_path=_with_next("sign_in:done", _next(request, "")), first_contact=first_contact
        )
    except policy.Locked:
        return render(request, "sign_in/locked.html", status=403)
    except policy.NoFactor as why:
        context = {"why": why, "by_code": bool(first_contact)}
        return render(request, "sign_in/no_factor.html", context, status=403)
    except ChallengeOver:
        messages.info(request, _at_the_same_moment())
        return redirect("sign_in:sign_in")
    request.session[_SIGN_IN] = str(challenge.pk)
    return redirect("stepup:challenge", challenge.pk)


def _let_in(request: HttpRequest, user: User, grant: Grant) -> None:
    """Sign in with the level that the proof is worth. The session key changes."""
    if request.user != user:
        login(request, user)
    levels.raise_level(
        request,
        strength=grant.strength,
        factor=grant.factor,
        at=grant.granted_at,
        device_id=grant.challenge.device_id,
    )
    if open_recovery_of(user):
        messages.warning(
            request,
            _("Somebody says to have lost all ways into your account and wants it. Cancel it under Account, Security."),
        )


def _begun(request: HttpRequest, key: str) -> Challenge | None:
    """The challenge that this browser began."""
    kept = request.session.get(key)
    return Challenge.objects.filter(pk=kept, browser=browser_of(request)).first() if kept else None


def _proven_contact(request: HttpRequest, key: str, purpose: Purpose) -> str:
    begun = _begun(request, key)
    if begun is None:
        return ""
    grant = services.find_contact_grant(purpose=purpose, contact=begun.contact, browser=begun.browser)
    return grant.contact if grant else ""


def _back_to_sign_in(request: HttpRequest) -> HttpResponse:
    """No proof to use up: it was used a moment ago (a double tap, a second tab), or there never was one."""
    if not request.user.is_authenticated:
        messages.info(request, _("Please sign in."))
    return redirect(_with_next("sign_in:sign_in", _next(request, "")))


def _back_to_code(request: HttpRequest) -> HttpResponse:
    messages.info(request, _("That sign-in is over. Please start again."))
    return redirect(_with_next("sign_in:by_code", _next(request, "")))


def _next(request: HttpRequest, default: str | None = None) -> str:
    """Where the person wanted to go, if that is a page of ours."""
    wanted = request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return reverse("product:home") if default is None else default


def _with_next(name: str, wanted: str) -> str:
    """The page's address, with the way on from there where there is room for it."""
    url = f"{reverse(name)}?{urlencode({'next': wanted})}"
    return url if wanted and len(url) <= _LONGEST_PATH else reverse(name)


def _at_the_same_moment() -> str:
    return _("This was asked for twice at the same moment. Please try again.")


def _form_page(
    request: HttpRequest, template: str, form: Form, *, status: int | None = None, **context: Any
) -> HttpResponse:
    wanted = _next(request, "")
    context |= {"form": form, "by_code": settings.SIGN_IN_BY_CODE}
    context |= {"next_query": f"?{urlencode({'next': wanted})}" if wanted else ""}
    return render(request, template, context, status=status or (422 if form.errors else 200))
