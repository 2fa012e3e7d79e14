"""The demo's inbox: a phone, a mailbox and an authenticator app for everybody. It shows codes, so DEMO=1 only."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_otp.oath import TOTP

from accounts.delivery.models import Channel, DemoMessage
from accounts.factors.authenticator import STEP
from shop.demo import people

MOST_MESSAGES = 40
MOST_RECIPIENTS = 12


def demo_only(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if not settings.DEMO:
            raise Http404
        return view(request, **kwargs)

    return login_not_required(never_cache(require_safe(guarded)))


@demo_only
def inbox(request: HttpRequest) -> HttpResponse:
    return render(request, "demo/inbox.html", _messages(request) | _codes(timezone.now()))


@demo_only
def new_messages(request: HttpRequest) -> HttpResponse:
    """The messages again, if there is one that the page does not show yet."""
    shown = _messages(request)
    if shown["last"] == request.GET.get("last", ""):
        return HttpResponse(status=204)  # htmx leaves the page as it is
    return render(request, "demo/_messages.html", shown)


@demo_only
def codes(request: HttpRequest) -> HttpResponse:
    return render(request, "demo/_codes.html", _codes(timezone.now()))


@demo_only
@csp_replace({"default-src": [NONE], "style-src": [UNSAFE_INLINE], "img-src": [SELF], "sandbox": True})
def html(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """An e-mail as its author laid it out: without scripts, forms and an origin."""
    message = get_object_or_404(DemoMessage.objects.exclude(html=""), pk=kwargs["message_id"])
    return HttpResponse(message.html)


def _messages(request: HttpRequest) -> dict[str, Any]:
    latest = DemoMessage.objects.values("message__destination").annotate(latest=Max("at")).order_by("-latest")
    recipients = [row["message__destination"] for row in latest[:MOST_RECIPIENTS]]
    to = request.GET.get("to", "")
    found = DemoMessage.objects.select_related("message").order_by("-at", "-pk")
    if to in recipients:
        found = found.filter(message__destination=to)
    shown = list(found[:MOST_MESSAGES])
    return {
        "recipients": recipients,
        "to": to if to in recipients else "",
        "texts": [each for each in shown if each.message.channel in (Channel.TEXT, Channel.CALL)],
        "emails": [each for each in shown if each.message.channel == Channel.EMAIL],
        "open": next((each for each in shown if str(each.pk) == request.GET.get("open")), None),
        "last": str(shown[0].pk) if shown else "",
    }


def _codes(now: datetime) -> dict[str, Any]:
    step = int(now.timestamp()) // STEP
    until = datetime.fromtimestamp((step + 1) * STEP, UTC)
    return {
        "people": [
            {
                "person": device.user,
                "name": device.user.email,
                "code": _code(bytes(device.seed), step),
                "is_used": device.last_step >= step,
            }
            for device in people.authenticators()
        ],
        "now": now,
        "until": until,
        "seconds": max(1, round((until - now).total_seconds() + 0.5)),
    }


def _code(seed: bytes, step: int) -> str:
    totp = TOTP(seed, step=STEP)
    totp.time = step * STEP
    return f"{totp.token():06d}"
