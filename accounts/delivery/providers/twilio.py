"""Texts through Twilio's Programmable Messaging API, and calls through its Voice API, by the official client.

Source: Twilio docs, "Message resource" (StatusCallback, ValidityPeriod), "Call resource" (Url, StatusCallbackEvent,
Timeout, TimeLimit) and "Error and warning dictionary".
"""

import logging
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import requests
from django.conf import settings
from django.urls import reverse
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from accounts.delivery.composing import Content
from accounts.delivery.models import Channel, Message, Reason
from accounts.delivery.providers.base import NotAdmitted, NotNow, NotTaken, Refused, Unanswered
from accounts.delivery.providers.http import never_connected, retry_after

# Twilio's own logger prints requests at INFO; this one has no ears, since a request holds a number and a code.
_silent = logging.getLogger("countersign.twilio.silent")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False

# Refusals, and why; any other 4xx is the shop's own mistake or Twilio's, so Reason.PROVIDER.
REASONS = {
    21211: Reason.BAD_NUMBER,
    21614: Reason.BAD_NUMBER,
    21610: Reason.OPTED_OUT,
    21408: Reason.COUNTRY,
    21612: Reason.COUNTRY,
    21635: Reason.LANDLINE,
    30003: Reason.CARRIER,
    30005: Reason.BAD_NUMBER,
    30006: Reason.LANDLINE,
    # Of calls.
    21217: Reason.BAD_NUMBER,
    13224: Reason.BAD_NUMBER,
    21214: Reason.NO_CALLS,
    21215: Reason.NO_CALLS,
    21216: Reason.NO_CALLS,
    13227: Reason.NO_CALLS,
    32205: Reason.NO_CALLS,
}

AUTHENTICATE = 20003  # a wrong SID or token, or a suspended account

RINGING = 30  # seconds; then nobody is there. Most mailboxes answer earlier, and hear the greeting only.
LONGEST_CALL = 120  # seconds; greeting and code take less than one minute


class _HttpClient(TwilioHttpClient):
    """The official client's transport with a time-out and a silent logger, led to TWILIO_API_URL."""

    def __init__(self) -> None:
        super().__init__(timeout=settings.CARRIER_TIMEOUT, logger=_silent)

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        url = url.replace("https://api.twilio.com", settings.TWILIO_API_URL.rstrip("/"), 1)
        response = super().request(method, url, *args, **kwargs)
        # Turned away at the door; the client's own errors lose the header.
        if response.status_code == 429:
            raise NotNow(retry_after(response.headers))
        if response.status_code == 503:
            raise NotTaken(retry_after(response.headers))
        return response


class TwilioProvider:
    name = "twilio"

    @cached_property
    def _client(self) -> Client:
        return Client(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, http_client=_HttpClient())

    def hand_over(self, message: Message, content: Content) -> str:
        try:
            sent = self._call(message) if message.channel == Channel.CALL else self._text(message, content)
        except TwilioRestException as error:
            raise _typed(error) from None
        except requests.exceptions.ConnectTimeout:
            raise NotTaken from None
        except requests.exceptions.ConnectionError as error:
            raise (NotTaken() if never_connected(error) else Unanswered()) from None
        except (
            requests.exceptions.RequestException,
            TwilioException,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
        ):
            raise Unanswered from None  # silence, or an answer that is not Twilio's
        if not sent.sid:
            raise Unanswered
        message.told_price = _price(sent)
        return sent.sid

    def _text(self, message: Message, content: Content) -> Any:
        sender = (
            {"messaging_service_sid": settings.TWILIO_MESSAGING_SERVICE_SID}
            if settings.TWILIO_MESSAGING_SERVICE_SID
            else {"from_": settings.TWILIO_FROM}
        )
        life = {"validity_period": max(content.valid_for, 1)} if content.valid_for is not None else {}
        return self._client.messages.create(
            to=message.destination,
            body=content.text,
            status_callback=status_callback_url(message),
            **sender,
            **life,
        )

    def _call(self, message: Message) -> Any:
        """Twilio gets no word of what is said: it asks our webhook when somebody has answered."""
        return self._client.calls.create(
            to=message.destination,
            from_=settings.TWILIO_FROM,
            url=voice_url(message),
            method="POST",
            status_callback=status_callback_url(message),
            status_callback_method="POST",
            status_callback_event=["answered", "completed"],
            timeout=RINGING,
            time_limit=LONGEST_CALL,
        )


def voice_url(message: Message) -> str:
    """Where Twilio asks what to say. The id is opaque and no secret: only signed requests are answered."""
    return f"{settings.SITE_URL}{reverse('delivery:twilio_voice', args=[message.pk])}"


def status_callback_url(message: Message) -> str:
    """Where Twilio reports; it names our message, so that a report finds it even where Twilio's answer was lost."""
    return f"{settings.SITE_URL}{reverse('delivery:twilio_status')}?{urlencode({'message': message.pk})}"


def _price(sent: Any) -> Decimal | None:
    """Mostly Twilio tells it later, and not to us. It is negative, as money that leaves the account."""
    try:
        return abs(Decimal(sent.price)) if sent.price and sent.price_unit == settings.CURRENCY else None
    except (ArithmeticError, TypeError):
        return None


def _typed(error: TwilioRestException) -> Exception:
    if error.status >= 500 or error.status < 400:
        return Unanswered()
    refusal = NotAdmitted if error.code == AUTHENTICATE else Refused
    return refusal(REASONS.get(error.code or 0, Reason.PROVIDER), str(error.code or error.status))
