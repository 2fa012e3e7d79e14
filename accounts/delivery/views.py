"""What providers report."""

import logging
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from twilio.request_validator import RequestValidator

from accounts.delivery import services
from accounts.delivery.models import Message, Reason, State
from accounts.delivery.providers.twilio import REASONS

logger = logging.getLogger(__name__)

STATES = {
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "read": State.DELIVERED,
    "undelivered": State.FAILED,
    "failed": State.FAILED,
}


@login_not_required
@csrf_exempt
@require_POST
def twilio_status(request: HttpRequest) -> HttpResponse:
    """Twilio's status callback. Repeats, disorder and other people's ids change nothing; only a signed one is read.

    Source: Twilio docs, "Track the message status of outbound messages" and "Webhooks security".
    """
    if not _is_signed(request):
        return HttpResponseForbidden()
    state = STATES.get(request.POST.get("MessageStatus", ""))
    message = _message(request)
    if message and state:
        code = request.POST.get("ErrorCode", "")[:16]
        reason = REASONS.get(int(code), Reason.CARRIER) if code.isascii() and code.isdigit() else Reason.CARRIER
        services.report(
            message,
            state,
            reason=reason,
            provider_code=code,
            provider_id=request.POST.get("MessageSid", "")[:64],
        )
    return HttpResponse(status=204)


def _is_signed(request: HttpRequest) -> bool:
    """The signature is over the public URL, whatever a proxy made of it. No token or no header: nothing is believed."""
    given = request.headers.get("X-Twilio-Signature", "")
    if not given or not settings.TWILIO_AUTH_TOKEN:
        return False
    url = settings.SITE_URL + request.get_full_path()
    # In constant time; with the port in the URL and without, since Twilio signs now the one, now the other.
    return bool(RequestValidator(settings.TWILIO_AUTH_TOKEN).validate(url, request.POST, given))


def _message(request: HttpRequest) -> Message | None:
    """By our id in the URL, which is signed with it; an answer that got lost had no provider id."""
    try:
        message_id = UUID(request.GET.get("message", ""))
    except ValueError:
        return None
    message = Message.objects.filter(pk=message_id, provider="twilio").first()
    sid = request.POST.get("MessageSid", "")
    if message and message.provider_id and message.provider_id != sid:
        return None
    return message
