"""What providers report, and what they ask."""

import logging
import re
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse

from accounts.delivery import calls, services, textable
from accounts.delivery.models import Channel, Message, Reason, Reply, State
from accounts.delivery.providers.twilio import REASONS

logger = logging.getLogger(__name__)

STATES = {
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "read": State.DELIVERED,
    "undelivered": State.FAILED,
    "failed": State.FAILED,
}

# A call is "sent" when it was answered, by a person or a machine, and "delivered" when a key was pressed and the code
# said (calls.tell). So a call that ends without that has failed, however well it went for Twilio; where the code was
# said, the message has arrived and the end of the call changes nothing.
CALL_STATES = {
    "in-progress": (State.SENT, ""),
    "completed": (State.FAILED, Reason.NO_KEY),
    "busy": (State.FAILED, Reason.NO_ANSWER),
    "no-answer": (State.FAILED, Reason.NO_ANSWER),
    "canceled": (State.FAILED, Reason.CARRIER),
    "failed": (State.FAILED, Reason.CARRIER),
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
    message = _message(request.GET.get("message", ""), _sid(request))
    code = request.POST.get("ErrorCode", "")[:16]
    if message and message.channel == Channel.CALL:
        status = request.POST.get("CallStatus", "")
        state, reason = CALL_STATES.get(status, (None, ""))
        code = code or status  # tells support a busy line from one that nobody answered
    else:
        state, reason = STATES.get(request.POST.get("MessageStatus", "")), Reason.CARRIER
    if message and state:
        if code.isascii() and code.isdigit():
            reason = REASONS.get(int(code), reason)
        services.report(message, state, reason=reason, provider_code=code, provider_id=_sid(request))
    return HttpResponse(status=204)


@login_not_required
@csrf_exempt
@never_cache
@sensitive_post_parameters()
@require_POST
def twilio_voice(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """What a call says: Twilio asks when it was answered, and once more, with `Digits`, when a key was pressed.

    Only signed requests are read; a message that is no call, or another call's, is told that it is over.
    """
    if not _is_signed(request):
        return HttpResponseForbidden()
    message = _message(str(message_id), _sid(request))
    if message and message.channel != Channel.CALL:
        message = None
    if request.POST.get("Digits"):
        return HttpResponse(calls.tell(message), content_type="text/xml")
    return HttpResponse(calls.greet(message), content_type="text/xml")


# Twilio knows them in any case, alone in the text. With Advanced Opt-Out it says itself what a text means.
# Source: Twilio support, "Twilio support for opt-out keywords (SMS STOP filtering)".
WORDS = dict.fromkeys(
    ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), Reply.Word.STOP
) | dict.fromkeys(("START", "YES", "UNSTOP"), Reply.Word.START)


@login_not_required
@csrf_exempt
@sensitive_post_parameters()
@require_POST
def twilio_incoming(request: HttpRequest) -> HttpResponse:
    """What people text to our number. STOP and START are remembered; Twilio answers them, and HELP, by itself."""
    if not _is_signed(request):
        return HttpResponseForbidden()
    said = request.POST.get("OptOutType") or request.POST.get("Body", "")
    word, number, sid = WORDS.get(said.strip().upper()), request.POST.get("From", ""), _sid(request)
    if word and sid and re.fullmatch(r"\+[1-9][0-9]{6,14}", number, re.ASCII):
        textable.replied(sid, number, word)
    return HttpResponse(str(MessagingResponse()), content_type="text/xml")


def _is_signed(request: HttpRequest) -> bool:
    """The signature is over the public URL, whatever a proxy made of it. No token or no header: nothing is believed."""
    given = request.headers.get("X-Twilio-Signature", "")
    if not given or not settings.TWILIO_AUTH_TOKEN:
        return False
    url = settings.SITE_URL + request.get_full_path()
    # In constant time; with the port in the URL and without, since Twilio signs now the one, now the other.
    return bool(RequestValidator(settings.TWILIO_AUTH_TOKEN).validate(url, request.POST, given))


def _sid(request: HttpRequest) -> str:
    return (request.POST.get("MessageSid") or request.POST.get("CallSid", ""))[:64]


def _message(our_id: str, sid: str) -> Message | None:
    """By our id in the URL, which is signed with it; an answer that got lost had no provider id."""
    try:
        message_id = UUID(our_id)
    except ValueError:
        return None
    message = Message.objects.select_related("challenge").filter(pk=message_id, provider="twilio").first()
    if message and message.provider_id and message.provider_id != sid:
        return None
    return message
