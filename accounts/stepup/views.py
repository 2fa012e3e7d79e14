"""The one page on which a proof is given, whatever it is for."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.delivery.budgets import Why
from accounts.factors.backup_code import few_left
from accounts.factors.registry import factor as factor_of
from accounts.net import client_ip
from accounts.stepup import attempts, levels, live, passkeys, policy, rules, trust_wish
from accounts.stepup.browser import browser_of
from accounts.stepup.challenges import (
    Asker,
    ChallengeOver,
    MalformedCode,
    NoMoreSends,
    NotYours,
    TooSoon,
    Unverified,
    WrongCode,
    answer,
    begin,
    choose,
    is_over,
    send,
)
from accounts.stepup.credentials import has_kept_credentials
from accounts.stepup.forms import CodeForm, PasskeyForm
from accounts.stepup.models import Challenge, Grant, Purpose


def _own_challenge(request: HttpRequest, challenge_id: UUID) -> Challenge | None:
    """The challenge, if it was begun in this browser; to all others it doesn't exist."""
    return Challenge.objects.select_related("user").filter(pk=challenge_id, browser=browser_of(request)).first()


def _asker(request: HttpRequest, challenge: Challenge) -> Asker:
    # The person is the challenge's: before sign-in nobody is signed in, and the browser check has been made.
    return Asker(browser=browser_of(request), user=challenge.user, contact=challenge.contact, ip=client_ip(request))


def _not_here(request: HttpRequest) -> HttpResponse:
    return render(request, "stepup/not_here.html", status=404)


@login_not_required
@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
def challenge(request: HttpRequest, challenge_id: UUID) -> HttpResponse:
    """Ask for the code, and take it."""
    found = _own_challenge(request, challenge_id)
    if found is None or (request.user.is_authenticated and found.user_id not in (None, request.user.pk)):
        return _not_here(request)
    if found.state == Challenge.State.PASSED:
        return redirect(found.next_path)
    if request.method == "GET":
        return _page(request, found, CodeForm())
    trust_wish.note(request, found)
    form = CodeForm(request.POST) if factor_of(found.factor).typed else PasskeyForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form, status=422)
    try:
        grant = answer(
            found.pk,
            asker=_asker(request, found),
            purpose=found.purpose,
            digest=bytes(found.context_digest),
            code=form.cleaned_data["code"],
        )
    except NotYours:
        return _not_here(request)
    except ChallengeOver:
        found.refresh_from_db()
        if found.state == Challenge.State.PASSED:  # the same code twice, by a double tap or a second tab
            return redirect(found.next_path)
        return _page(request, found, CodeForm(), status=410, over=True)
    except MalformedCode:
        form.add_error("code", str(factor_of(found.factor).malformed))
    except attempts.FactorResting as resting:
        minutes = max(1, round((resting.until - timezone.now()).total_seconds() / 60))
        form.add_error(
            "code",
            ngettext(
                "Too many wrong codes. This way rests for %(minutes)d minute; any other way still works.",
                "Too many wrong codes. This way rests for %(minutes)d minutes; any other way still works.",
                minutes,
            )
            % {"minutes": minutes},
        )
    except WrongCode as wrong:
        found.refresh_from_db()
        if not wrong.attempts_left:
            return _page(request, found, CodeForm(), status=410, over=True)
        form.add_error("code", _what_was_wrong(found, wrong))
    else:
        # A new e-mail or phone is not the person's yet, so to have it proves nothing about the session.
        own = request.user.is_authenticated and request.user.pk == grant.user_id
        if own and grant.purpose != Purpose.NEW_CONTACT:
            levels.raise_level(
                request,
                strength=grant.strength,
                factor=grant.factor,
                at=grant.granted_at,
                device_id=grant.challenge.device_id,
            )
        else:
            request.session.cycle_key()
        _warn_if_few_are_left(request, grant)
        return redirect(found.next_path)
    return _page(request, found, form, status=422)


@login_not_required
@never_cache
@require_POST
def resend(request: HttpRequest, challenge_id: UUID) -> HttpResponse:
    """Send the same code again, or by another channel, or go on with the app or a backup code."""
    found = _own_challenge(request, challenge_id)
    if found is None:
        return _not_here(request)
    factor, device_id = request.POST.get("factor") or found.factor, request.POST.get("device", "")
    form, status = CodeForm(), 422
    try:
        if factor == found.factor and device_id in ("", found.device_id) and factor_of(factor).channel:
            send(found, asker=_asker(request, found), factor=factor)
        else:
            choose(found, asker=_asker(request, found), factor=factor, device_id=device_id)
        return redirect("stepup:challenge", found.pk)
    except TooSoon as soon:
        seconds = max(1, round((soon.at - timezone.now()).total_seconds()))
        notice = ngettext(
            "A code is on its way. You can ask again in %(seconds)d second.",
            "A code is on its way. You can ask again in %(seconds)d seconds.",
            seconds,
        ) % {"seconds": seconds}
        status = 429
    except NoMoreSends as refused:
        notice, status = _why_no_more(refused), 429
    except policy.NoFactor as why:
        notice = str(why)
    except ChallengeOver:
        return _page(request, found, form, status=410, over=True)
    except (NotYours, LookupError):
        return _not_here(request)
    return _page(request, found, form, status=status, notice=notice)


@login_not_required
@never_cache
@require_POST
def again(request: HttpRequest, challenge_id: UUID) -> HttpResponse:
    """When a challenge is over: the same question once more, with a new code."""
    found = _own_challenge(request, challenge_id)
    if found is None:
        return _not_here(request)
    if found.state == Challenge.State.PASSED:
        return redirect(found.next_path)
    if found.user and not (found.user.is_active and has_kept_credentials(found, found.user)):
        return _not_here(request)  # a password typed before it was changed opens nothing
    try:
        fresh = begin(
            asker=_asker(request, found),
            purpose=found.purpose,
            digest=bytes(found.context_digest),
            next_path=found.next_path,
            summary=found.summary,
            decoy=found.decoy,
            factor=found.factor,
            device_id=found.device_id,
            without=found.first_contact,
            **rules.decided_anew(found, timezone.now()),
        )
    except policy.NoFactor as why:
        return _page(request, found, CodeForm(), status=422, over=True, notice=str(why))
    except ChallengeOver:
        return _page(request, found, CodeForm(), status=410, over=True)
    return redirect("stepup:challenge", fresh.pk)


@login_not_required
@never_cache
@require_GET
def delivery_state(request: HttpRequest, challenge_id: UUID) -> HttpResponse:
    """The line that tells where the message is; polled by htmx, and part of the page without it."""
    found = _own_challenge(request, challenge_id)
    if found is None:
        answer = _not_here(request)
        answer["HX-Refresh"] = "true"  # the session is over: the page says so, and stops asking
        return answer
    if "HX-Request" not in request.headers:
        return redirect("stepup:challenge", found.pk)
    context = live.sending(found)
    offered = bool(request.GET.get("offered"))
    if context["nothing_came"] and not offered:
        context["alternatives"] = live.alternatives(found)
    context["offers_change"] = context["nothing_came"] != offered
    # A state is read out once, when it is new, and so is the other way; the seconds that pass are only seen.
    context["news"] = context["message"] is not None and (
        request.GET.get("seen") != context["message"].state or (context["nothing_came"] and not offered)
    )
    return render(request, "stepup/_delivery_state.html", context)


def _warn_if_few_are_left(request: HttpRequest, grant: Grant) -> None:
    """On the next page, which may be some redirects away."""
    left = factor_of(grant.factor).left(grant.user)
    if left is not None and (warning := few_left(left)):
        link = reverse("security:backup_codes")
        messages.warning(request, format_html('{} <a href="{}">{}</a>', warning, link, _("Make backup codes")))


def _page(
    request: HttpRequest, found: Challenge, form: CodeForm, *, status: int = 200, over: bool = False, notice: str = ""
) -> HttpResponse:
    now = timezone.now()
    over = over or is_over(found, now)
    context: dict[str, Any] = {
        "challenge": found,
        "purpose": Purpose(found.purpose),
        "form": form,
        "over": over,
        "notice": notice,
        "factor": factor_of(found.factor),
        "alternatives": [] if over else live.alternatives(found),
        "may_trust": trust_wish.may_wish(found),
        "trust_wished": trust_wish.wished(request, found),
    }
    context = live.sending(found, now) | context
    if not over and not context["factor"].typed:
        context["passkey_options"] = passkeys.options_for(found)
    form.describe_for(context["factor"])
    return render(request, "stepup/challenge.html", context, status=410 if over and status == 200 else status)


def _why_no_more(refused: NoMoreSends) -> str:
    """Told by the number and by what was asked for, never by whether it has an account."""
    if refused.why == Why.COUNTRY:
        return _("We don’t text or call numbers of this country. Use another way, or an e-mail address.")
    if refused.why == Why.STOPPED:
        return _(
            "We can’t send codes this way at the moment. It is nothing about you. Use another way, or try again in "
            "an hour."
        )
    return _("We have sent as many codes as we may for now. Use another way, or try again in an hour.")


def _what_was_wrong(found: Challenge, wrong: WrongCode) -> str:
    left = wrong.attempts_left
    if isinstance(wrong, Unverified):
        return _(
            "Your passkey’s device did not check that it is you. For this it has to, by its PIN, your finger or your "
            "face. Set that up on the device, or use another way."
        )
    if not factor_of(found.factor).typed:
        words = ngettext(
            "That passkey does not count here. You can try %(left)d more time.",
            "That passkey does not count here. You can try %(left)d more times.",
            left,
        )
    else:
        words = ngettext(
            "That is not the code. You can try %(left)d more time.",
            "That is not the code. You can try %(left)d more times.",
            left,
        )
    return words % {"left": left}
