"""Lost accounts: who wants which one back, and whether two of us believe it. Staff see no code and set no password."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import audit
from accounts.factors.registry import all_factors
from accounts.net import client_ip
from accounts.phones import mask
from accounts.security import recovery as recoveries
from accounts.security.models import Recovery
from accounts.stepup import policy
from accounts.stepup.browser import browser_of
from accounts.stepup.challenges import ChallengeOver, begin
from accounts.stepup.grants import NoGrant
from accounts.stepup.models import Purpose
from accounts.stepup.requests import asker_of, signed_in
from shop.order.models import Order
from shop.support.forms import IdentifiedForm
from shop.support.views import SHOWN, support_only

_REASON = "recovery_reason"  # where the session keeps what was written until the proof is given


@support_only
@require_GET
def waiting(request: HttpRequest) -> HttpResponse:
    """Open recoveries, the oldest first."""
    found = Recovery.objects.filter(state=Recovery.State.OPEN, expires_at__gt=timezone.now(), user__isnull=False)
    rows = [
        {"recovery": each, "who": each.user.name or mask(each.user.email or each.user.phone.as_e164)}
        for each in found.select_related("user").order_by("opened_at")
        if each.user
    ]
    return render(request, "support/recoveries.html", {"rows": rows, "needed": recoveries.CONFIRMATIONS})


@support_only
@require_http_methods(["GET", "POST"])
def detail(request: HttpRequest, recovery_id: UUID) -> HttpResponse:
    """What is known of the account, to ask the person about; and the form in which staff say that they believe it."""
    found, staff = _get(recovery_id), signed_in(request)
    form = IdentifiedForm(request.POST if request.method == "POST" else None)
    if request.method == "GET":
        audit.record(audit.Kind.SUPPORT_LOOKED_UP, user=found.user, actor=staff, request=request)
    elif form.is_valid():
        return _ask_for_proof(request, found, form.cleaned_data["reason"])
    return _page(request, found, form, status=422 if form.errors else 200)


@support_only
@require_GET
def confirm(request: HttpRequest, recovery_id: UUID) -> HttpResponse:
    """The proof is given: use it up and write the confirmation down."""
    found = _get(recovery_id)
    reason = request.session.get(_REASON, {}).get(str(found.pk), "")
    try:
        recoveries.confirm(
            found, staff=signed_in(request), reason=reason, browser=browser_of(request), ip=client_ip(request)
        )
    except NoGrant:
        messages.info(request, _("Please write down how you know the person, and confirm it with your app."))
    except recoveries.AlreadyConfirmed:
        messages.info(request, _("You have confirmed it. Somebody else has to do so too."))
    except recoveries.OwnAccount:
        messages.error(request, _own())
    except recoveries.RecoveryOver:
        messages.error(request, _over())
    else:
        del request.session[_REASON]
        messages.success(request, _("Confirmed."))
    return redirect("support:recovery", found.pk)


@support_only
@require_POST
def refuse(request: HttpRequest, recovery_id: UUID) -> HttpResponse:
    """One who doesn't believe it is enough."""
    found = _get(recovery_id)
    form = IdentifiedForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form, status=422)
    reason = form.cleaned_data["reason"]
    if recoveries.refuse(found, actor=signed_in(request), reason=reason, ip=client_ip(request)):
        messages.success(request, _("Refused. The owner and the new contact are told."))
    else:
        messages.info(request, _over())
    return redirect("support:recoveries")


def _ask_for_proof(request: HttpRequest, found: Recovery, reason: str) -> HttpResponse:
    """An authenticator, every time, for this recovery and these words."""
    staff = signed_in(request)
    try:
        recoveries.check_may_confirm(found, staff)
        challenge = begin(
            asker=asker_of(request),
            purpose=Purpose.CONFIRM_RECOVERY,
            digest=recoveries.confirmation_digest(found, reason),
            next_path=reverse("support:confirm_recovery", args=[found.pk]),
        )
    except recoveries.AlreadyConfirmed:
        messages.info(request, _("You have confirmed it. Somebody else has to do so too."))
    except recoveries.OwnAccount:
        messages.error(request, _own())
    except recoveries.RecoveryOver:
        messages.error(request, _over())
    except policy.NoFactor as why:
        messages.error(request, str(why))
    except ChallengeOver:
        messages.info(request, _("Please try again."))
    else:
        request.session[_REASON] = {str(found.pk): reason}
        return redirect("stepup:challenge", challenge.pk)
    return redirect("support:recovery", found.pk)


def _get(recovery_id: UUID) -> Recovery:
    return get_object_or_404(Recovery.objects.select_related("user"), pk=recovery_id, user__isnull=False)


def _page(request: HttpRequest, found: Recovery, form: IdentifiedForm, *, status: int) -> HttpResponse:
    user, staff = found.user, signed_in(request)
    if user is None:
        raise ValueError("a recovery that staff see has an owner")
    try:
        recoveries.check_may_confirm(found, staff)
        may_confirm, why_not = True, ""
    except recoveries.AlreadyConfirmed:
        may_confirm, why_not = False, _("You have confirmed it. Somebody else has to do so too.")
    except recoveries.OwnAccount:
        may_confirm, why_not = False, _own()
    except recoveries.RecoveryOver:
        may_confirm, why_not = False, _over()
    context = {
        "recovery": found,
        "owner": user,
        "names": [mask(name) for name in (user.email, user.phone.as_e164 if user.phone else "") if name],
        "factors": [factor.verbose_name for factor in all_factors() if factor.get_devices(user).exists()],
        "orders": Order.objects.filter(user=user).select_related("user").order_by("-placed_at")[:SHOWN],
        "earlier": Recovery.objects.filter(user=user).exclude(pk=found.pk).order_by("-opened_at")[:SHOWN],
        "confirmed_by": found.confirmed_by.select_related("staff").order_by("at"),
        "needed": recoveries.CONFIRMATIONS,
        "open": found.state == Recovery.State.OPEN and found.expires_at > timezone.now(),
        "may_confirm": may_confirm,
        "why_not": why_not,
        "form": form,
    }
    return render(request, "support/recovery.html", context, status=status)


def _own() -> str:
    return _("Nobody confirms the recovery of their own account, or one that would become theirs.")


def _over() -> str:
    return _("This recovery is over.")
