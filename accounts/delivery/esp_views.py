"""What an e-mail service reports of the mails that we gave to it."""

import re
from typing import Any
from uuid import UUID

from anymail.exceptions import AnymailError, AnymailWebhookValidationFailure
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseForbidden
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.delivery import services
from accounts.delivery.models import Channel, Message, State
from accounts.delivery.providers.esp import REPORTS, STATES, reason_of


@login_not_required
@csrf_exempt
@require_POST
def email_events(request: HttpRequest, esp: str) -> HttpResponse:
    """Only with the secret in it (basic authentication), and only of the service that the shop uses; where that signs
    (Mailgun), its signature too. Repeats, disorder and other people's ids change nothing.

    Source: Anymail docs, "Securing webhooks".
    """
    secrets = ["WEBHOOK_SECRET", *(["MAILGUN_WEBHOOK_SIGNING_KEY"] if esp == "mailgun" else [])]
    if esp != settings.EMAIL_ESP or esp not in REPORTS or not all(settings.ANYMAIL[name] for name in secrets):
        return HttpResponseForbidden()
    reader = REPORTS[esp]()
    try:
        reader.run_validators(request)
        events = reader.parse_events(request)
    except AnymailWebhookValidationFailure:
        return HttpResponseForbidden()
    except (AnymailError, ValueError, LookupError, TypeError, AttributeError, OverflowError):
        return HttpResponseBadRequest()
    for event in events:
        _report(event, esp)
    return HttpResponse(status=200)


def _report(event: Any, esp: str) -> None:
    state, message = STATES.get(event.event_type), _message(event, esp)
    if state is None or message is None:
        return
    reason = reason_of(event) if state == State.FAILED else ""
    services.report(
        message, state, reason=reason, provider_code=_code(event), provider_id=str(event.message_id or "")[:64]
    )


def _message(event: Any, esp: str) -> Message | None:
    """By our id, which came back with the report; one that another mail of the service bears is no message of ours."""
    try:
        message_id = UUID(str((event.metadata or {})["message"]))
    except (ValueError, LookupError, TypeError):
        return None
    message = Message.objects.filter(pk=message_id, channel=Channel.EMAIL, provider=esp).first()
    if message is None or str(event.recipient or "").lower() != message.destination.lower():
        return None
    if message.provider_id and message.provider_id != str(event.message_id or "")[:64]:
        return None
    return message


def _code(event: Any) -> str:
    """What the mailbox's server said, by its number, else why the service did not send it."""
    said = re.search(r"\b[45][0-9]{2}\b", str(event.mta_response or event.description or ""), re.ASCII)
    return said[0] if said else str(event.reject_reason or "")[:16]
