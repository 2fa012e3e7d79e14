"""Vonage's delivery receipts.

They come as a form or as JSON, by the account's settings, and are signed where Vonage was asked to sign them. The
signature covers the fields and no address, so what a receipt is about stands in its fields: `client-ref` is our id.

Source: developer.vonage.com, "Delivery receipts" and "Signing messages".
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts.delivery import services
from accounts.delivery.models import Message, Reason, State
from accounts.delivery.providers.vonage import RECEIPT_REASONS

# `buffered` and `accepted` come from the carrier, before `delivered`; `unknown` says nothing.
STATES = {
    "accepted": State.SENT,
    "buffered": State.SENT,
    "delivered": State.DELIVERED,
    "expired": State.FAILED,
    "failed": State.FAILED,
    "rejected": State.FAILED,
}

# Vonage repeats for a day what was not answered with 200 or 204. A repeat is harmless (services.report), a stale one
# is no use to anybody.
OLDEST = timedelta(hours=24)
AHEAD = timedelta(minutes=5)  # how far its clock may run before ours

Fields = dict[str, str]


@login_not_required
@csrf_exempt
@sensitive_post_parameters()
@require_POST
def vonage_status(request: HttpRequest) -> HttpResponse:
    """Repeats, disorder and other people's ids change nothing; only a signed one of today is read."""
    receipt = _fields(request)
    if not _is_signed(receipt) or not _is_recent(receipt, timezone.now()):
        return HttpResponseForbidden()
    provider_id, code = _text(receipt, "messageId", 64), _text(receipt, "err-code", 16)
    message = _message(receipt.get("client-ref", ""), provider_id)
    if message and (state := STATES.get(receipt.get("status", ""))):
        reason = RECEIPT_REASONS.get(code, Reason.CARRIER)
        services.report(message, state, reason=reason, provider_code=code, provider_id=provider_id)
    return HttpResponse(status=204)


def _text(receipt: Fields, name: str, length: int) -> str:
    """As the database takes it."""
    return receipt.get(name, "").replace("\x00", "")[:length]


def signature(receipt: Fields, secret: str) -> str:
    """HMAC-SHA256 over `&key=value` of all fields but `sig` in the order of their names."""
    signed = "".join(
        f"&{key}={value.replace('&', '_').replace('=', '_')}" for key, value in sorted(receipt.items()) if key != "sig"
    )
    return hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()


def _fields(request: HttpRequest) -> Fields:
    if request.content_type != "application/json":
        return request.POST.dict()
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or not all(type(value) in (str, int) for value in found.values()):
        return {}
    return {key: str(value) for key, value in found.items()}


def _is_signed(receipt: Fields) -> bool:
    """No secret or no signature: nothing is believed."""
    given = receipt.get("sig", "")
    if not given or not settings.VONAGE_SIGNATURE_SECRET:
        return False
    try:
        expected = signature(receipt, settings.VONAGE_SIGNATURE_SECRET).encode()
        return hmac.compare_digest(given.lower().encode(), expected)
    except UnicodeEncodeError:  # half a character, which JSON can spell
        return False


def _is_recent(receipt: Fields, now: datetime) -> bool:
    """`timestamp` is when it was signed, in seconds."""
    stamp = receipt.get("timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        return False
    return -AHEAD <= now - datetime.fromtimestamp(int(stamp), UTC) <= OLDEST


def _message(our_id: str, provider_id: str) -> Message | None:
    """By our id, since an answer that got lost had no provider id."""
    try:
        message_id = UUID(our_id)
    except ValueError:
        return None
    message = Message.objects.select_related("challenge").filter(pk=message_id, provider="vonage").first()
    if message and message.provider_id and message.provider_id != provider_id:
        return None
    return message
