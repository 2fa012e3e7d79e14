"""Texts through Vonage's SMS API, a form posted to one address.

It answers 200 to everything it understood, with a `status` that "tells you if the message was successfully queued for
sending": any but 0 means that it was not, 5 (an internal error) too. So all of them may go to another provider, and
only an answer that is none leaves it unknown.

Source: developer.vonage.com, "SMS API Reference", "Troubleshooting SMS" (the statuses) and "Delivery receipts".
"""

from typing import Any

import requests
from django.conf import settings
from django.urls import reverse

from accounts.delivery import gsm
from accounts.delivery.composing import Content
from accounts.delivery.models import Message, Reason
from accounts.delivery.providers.base import NoCredit, NotAdmitted, NotNow, NotTaken, Refused, Unanswered
from accounts.delivery.providers.http import never_connected, retry_after

ACCEPTED = "0"
THROTTLED = {"1", "10"}
INTERNAL_ERROR = "5"
# Wrong or disabled credentials, a suspended account, one not allowed to use this API, one that must sign its requests.
NOT_ADMITTED = {"4", "8", "11", "14", "32"}
OUT_OF_CREDIT = "9"
# Any other status is the shop's own mistake, so Reason.PROVIDER.
REASONS = {"7": Reason.BAD_NUMBER, "33": Reason.BAD_NUMBER}

# What a delivery receipt says; any other code is Reason.CARRIER.
RECEIPT_REASONS = {
    "3": Reason.BAD_NUMBER,  # no longer active
    "4": Reason.BAD_NUMBER,  # barred by its owner, for all texts
    "9": Reason.OPTED_OUT,
    "14": Reason.BAD_NUMBER,  # the contract has no texts
}

SHORTEST_LIFE, LONGEST_LIFE = 20_000, 7 * 24 * 3600_000  # of `ttl`, in milliseconds


class VonageProvider:
    name = "vonage"

    def hand_over(self, message: Message, content: Content) -> str:
        try:
            answer = requests.post(
                f"{settings.VONAGE_API_URL.rstrip('/')}/sms/json",
                data=self._form(message, content),
                timeout=settings.CARRIER_TIMEOUT,
                allow_redirects=False,
            )
        except requests.exceptions.ConnectTimeout:
            raise NotTaken from None
        except requests.exceptions.ConnectionError as error:
            raise (NotTaken() if never_connected(error) else Unanswered()) from None
        except requests.exceptions.RequestException:
            raise Unanswered from None
        _check_door(answer)
        return _check(answer)

    def _form(self, message: Message, content: Content) -> dict[str, str]:
        form = {
            "api_key": settings.VONAGE_API_KEY,
            "api_secret": settings.VONAGE_API_SECRET,
            "from": settings.VONAGE_FROM.removeprefix("+"),
            "to": message.destination.removeprefix("+"),
            "text": content.text,
            "type": "text" if gsm.is_plain(content.text) else "unicode",
            "client-ref": str(message.pk),
            "callback": f"{settings.SITE_URL}{reverse('delivery:vonage_status')}",
        }
        if content.valid_for is not None:
            form["ttl"] = str(min(max(content.valid_for * 1000, SHORTEST_LIFE), LONGEST_LIFE))
        return form


def _check_door(answer: requests.Response) -> None:
    """What the servers in front of the API say, which knows no other status than 200."""
    status = answer.status_code
    if status == 429:
        raise NotNow(retry_after(answer.headers))
    if status == 503:
        raise NotTaken(retry_after(answer.headers))
    if status in (401, 403):
        raise NotAdmitted(Reason.PROVIDER, str(status))
    if 400 <= status < 500:
        raise Refused(Reason.PROVIDER, str(status))
    if status != 200:
        raise Unanswered


def _check(answer: requests.Response) -> str:
    """Vonage's id of the message. A text of several parts is answered with several; the first one stands for all."""
    try:
        first: dict[str, Any] = answer.json()["messages"][0]
        status = str(first["status"])
        provider_id = first["message-id"] if status == ACCEPTED else ""
    except (requests.exceptions.RequestException, ValueError, LookupError, TypeError, AttributeError):
        raise Unanswered from None  # an answer that is not Vonage's
    if status == ACCEPTED:
        if not provider_id or not isinstance(provider_id, str):
            raise Unanswered
        return provider_id[:64]
    if not (status.isascii() and status.isdigit() and len(status) < 4):
        raise Unanswered
    if status in THROTTLED:
        raise NotNow
    if status == INTERNAL_ERROR:
        raise NotTaken
    if status in NOT_ADMITTED:
        raise NotAdmitted(Reason.PROVIDER, status)
    if status == OUT_OF_CREDIT:
        raise NoCredit(Reason.PROVIDER, status)
    raise Refused(REASONS.get(status, Reason.PROVIDER), status)
