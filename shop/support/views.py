"""The console for support: why a code did not arrive, and once more, please. Never the code itself."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import audit
from accounts.delivery import textable
from accounts.delivery.models import State, in_words
from accounts.factors.registry import all_factors
from accounts.models import User
from accounts.phones import mask, parse_phone
from accounts.stepup import policy, risk
from accounts.stepup.challenges import ChallengeOver, NoMoreSends, NotYours, TooSoon, is_over, resend_for
from accounts.stepup.decorators import staff_only
from accounts.stepup.models import Challenge
from accounts.stepup.requests import signed_in
from shop.order.models import Order
from shop.support.forms import ResendForm, SearchForm

PERMISSION = "delivery.support_people"
SHOWN = 20


def support_only(view: Any) -> Any:
    """For staff with the right to support people; a member of staff without it is told 404 like a stranger."""

    @staff_only
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.has_perm(PERMISSION):
            raise Http404
        return view(request, *args, **kwargs)

    return never_cache(guarded)


@support_only
@require_http_methods(["GET", "POST"])
def home(request: HttpRequest) -> HttpResponse:
    """Find a shopper, a guest or an order. Posted, so that no address or number gets into a log of URLs."""
    form = SearchForm(request.POST or None)
    q = form.cleaned_data["q"].strip() if form.is_valid() else ""
    context: dict[str, Any] = {"form": form, "q": q}
    if q:
        context |= _search(q)
    return render(request, "support/home.html", context)


@support_only
@require_GET
def person(request: HttpRequest, user_id: int) -> HttpResponse:
    found = get_object_or_404(User, pk=user_id)
    audit.record(audit.Kind.SUPPORT_LOOKED_UP, user=found, actor=signed_in(request), request=request)
    return render(
        request,
        "support/person.html",
        _case(request, Q(user=found), Q(user=found))
        | {
            "title": found.name or _masked_name(found),
            "names": [mask(str(value)) for value in (found.email, found.phone) if value],
            "untexted": _untexted([phone.destination for phone in found.phones.all()]),
            "active": found.is_active,
            "locked": found.locked_at is not None,
            "factors": [factor.verbose_name for factor in all_factors() if factor.get_devices(found).exists()],
            "events": found.security_events.select_related("actor").order_by("-at")[:SHOWN],
        },
    )


@support_only
@require_GET
def guest(request: HttpRequest, challenge_id: UUID) -> HttpResponse:
    """Somebody who buys without an account, known by the contact of a challenge."""
    contact = get_object_or_404(Challenge, pk=challenge_id, user=None).contact
    audit.record(audit.Kind.SUPPORT_LOOKED_UP, contact=contact, actor=signed_in(request), request=request)
    of_contact = Q(user=None) & (Q(phone=contact) | Q(email=contact))
    return render(
        request,
        "support/person.html",
        _case(request, Q(user=None, contact=contact), of_contact)
        | {"title": _("Guest"), "names": [mask(contact)], "untexted": _untexted([contact]), "active": True},
    )


@support_only
@require_POST
def resend(request: HttpRequest, challenge_id: UUID) -> HttpResponse:
    """Send a live challenge's code once more, to where it was going."""
    challenge = get_object_or_404(Challenge.objects.select_related("user"), pk=challenge_id)
    form = ResendForm(request.POST)
    if not form.is_valid():
        messages.error(request, str(form.errors["reason"][0]))
        return redirect(_case_url(challenge))
    try:
        message = resend_for(challenge, actor=signed_in(request), reason=form.cleaned_data["reason"])
    except TooSoon as soon:
        seconds = max(1, round((soon.at - timezone.now()).total_seconds()))
        messages.warning(request, _("A code left a moment ago. Try again in %(seconds)d s.") % {"seconds": seconds})
    except NoMoreSends:
        messages.error(request, _("No more codes may be sent for this now. The person can use another way."))
    except (ChallengeOver, NotYours, policy.NoFactor):
        messages.error(request, _("This code is over. The person asks for a new one on the page in their browser."))
    else:
        messages.success(request, _("Sent again to %(to)s.") % {"to": message.masked_destination})
    return redirect(_case_url(challenge))


def _search(q: str) -> dict[str, Any]:
    phone = parse_phone(q)
    people = User.objects.filter(
        Q(email__istartswith=q) | Q(name__icontains=q) | (Q(phone=phone) if phone else Q(pk__in=[]))
    )
    orders = Q(email__iexact=q) | (Q(phone=phone) if phone else Q(pk__in=[])) | Q(code=q.upper())
    guest = Challenge.objects.filter(user=None, contact__in=[q.lower(), phone or q]).order_by("-requested_at").first()
    return {
        "people": [
            {"pk": each.pk, "name": each.name, "masked": _masked_name(each), "is_active": each.is_active}
            for each in people.order_by("pk")[:SHOWN]
        ],
        "guest": guest,
        "guest_masked": mask(guest.contact) if guest else "",
        "orders": Order.objects.filter(orders).select_related("user").order_by("-placed_at")[:SHOWN],
    }


def _case(request: HttpRequest, whose_challenges: Q, whose_orders: Q) -> dict[str, Any]:
    """What is shown of one shopper: challenges with their messages, and orders."""
    now = timezone.now()
    challenges = Challenge.objects.filter(whose_challenges).order_by("-requested_at")
    page = Paginator(challenges.prefetch_related("messages"), SHOWN).get_page(request.GET.get("page"))
    cases = []
    for challenge in page:
        sent = sorted(challenge.messages.all(), key=lambda message: message.send_number)
        over = is_over(challenge, now)
        reasons = "; ".join(risk.words(challenge.reasons))
        can_resend = not over and bool(sent)
        cases.append({"challenge": challenge, "sent": sent, "over": over, "can_resend": can_resend, "reasons": reasons})
    return {
        "page_obj": page,
        "cases": cases,
        "form": ResendForm(),
        "orders": Order.objects.filter(whose_orders).order_by("-placed_at")[:SHOWN],
        "problems": {State.FAILED, State.UNKNOWN, State.EXPIRED},
    }


def _untexted(numbers: list[str]) -> list[tuple[str, str]]:
    """Masked, with the reason in words."""
    return [(mask(number), in_words(reason)) for number, reason in textable.reasons(numbers).items()]


def _case_url(challenge: Challenge) -> str:
    if challenge.user_id:
        return reverse("support:person", args=[challenge.user_id])
    return reverse("support:guest", args=[challenge.pk])


def _masked_name(user: User) -> str:
    return mask(str(user.email or user.phone))
