"""E-mail through the API of an e-mail service, by django-anymail, which also reads what the service reports.

Source: Anymail docs, "Anymail exceptions", "Tracking sent mail status" and the pages of Postmark and Mailgun.
"""

from collections.abc import Callable
from typing import Any

import requests
from anymail.exceptions import (
    AnymailConfigurationError,
    AnymailError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailRequestsAPIError,
)
from anymail.signals import EventType, RejectReason
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from accounts.delivery.composing import Content
from accounts.delivery.models import Message, Reason, State
from accounts.delivery.providers.base import NotAdmitted, NotNow, NotTaken, Refused, Unanswered
from accounts.delivery.providers.http import never_connected, retry_after

# The services we have tried, by the name in EMAIL_ESP: what Anymail calls the key, and what reads their reports.
KEYS = {"postmark": "server_token", "mailgun": "api_key"}
REPORTS: dict[str, Callable[[], Any]] = {
    "postmark": PostmarkTrackingWebhookView,
    "mailgun": MailgunTrackingWebhookView,
}

# What is reported of a message, as our states; the rest (opened, clicked, subscribed...) is no news of delivery.
STATES = {
    EventType.SENT: State.SENT,
    EventType.DEFERRED: State.SENT,  # the mailbox's server lets it wait; more will be told
    EventType.DELIVERED: State.DELIVERED,
    EventType.COMPLAINED: State.DELIVERED,  # only who got it can call it spam
    EventType.BOUNCED: State.FAILED,
    EventType.REJECTED: State.FAILED,
    EventType.FAILED: State.FAILED,
}
# The service's own trouble; all other failures are the mailbox's.
_NOT_THE_MAILBOX = {RejectReason.OTHER, None}


class EspProvider:
    def __init__(self, name: str) -> None:
        self.name = name

    def hand_over(self, message: Message, content: Content) -> str:
        mail = EmailMultiAlternatives(
            content.subject,
            content.text,
            to=[message.destination],
            headers={"Message-ID": f"<{message.pk}@{settings.SITE_HOST}>"},
        )
        if content.html:
            mail.attach_alternative(content.html, "text/html")
        # The reports bring our id back, so they find the message even where the service's answer was lost.
        mail.metadata = {"message": str(message.pk)}  # type: ignore[attr-defined]
        # A code's mail has no picture that reports when it is read, and its links are our own.
        mail.track_opens = mail.track_clicks = False  # type: ignore[attr-defined]
        try:
            self._connection().send_messages([mail])
        except (AnymailRecipientsRefused, AnymailInvalidAddress) as error:
            raise Refused(Reason.BAD_MAILBOX, _code(error)) from None
        except AnymailRequestsAPIError as error:
            raise _typed(error) from None
        except AnymailConfigurationError:
            raise NotAdmitted(Reason.PROVIDER) from None
        except AnymailError:
            raise Refused(Reason.PROVIDER) from None
        except (ValueError, LookupError, TypeError, AttributeError):
            raise Unanswered from None  # an answer that is not the service's
        if not mail.anymail_status.message_id:  # type: ignore[attr-defined]
            raise Unanswered  # an empty list from Postmark, which Anymail takes for "unknown"
        return str(mail.anymail_status.message_id)[:64]  # type: ignore[attr-defined]

    def _connection(self) -> Any:
        where = {"api_url": settings.EMAIL_ESP_API_URL} if settings.EMAIL_ESP_API_URL else {}
        return get_connection(
            f"anymail.backends.{self.name}.EmailBackend",
            requests_timeout=settings.PROVIDER_TIMEOUT,
            **{KEYS[self.name]: settings.EMAIL_ESP_KEY},
            **where,
        )


def reason_of(event: Any) -> Reason:
    if event.event_type == EventType.FAILED:
        return Reason.PROVIDER
    if event.event_type == EventType.REJECTED and event.reject_reason in _NOT_THE_MAILBOX:
        return Reason.PROVIDER
    return Reason.BAD_MAILBOX


def _typed(error: AnymailRequestsAPIError) -> Exception:
    """What the service answered, or that it did not; nothing of the text, which may name the mailbox."""
    status = error.status_code
    if status is None:
        cause = error.__cause__
        timed_out = isinstance(cause, requests.exceptions.ConnectTimeout)
        never_left = timed_out or (isinstance(cause, requests.exceptions.ConnectionError) and never_connected(cause))
        return NotTaken() if never_left else Unanswered()
    headers = error.response.headers if error.response is not None else None
    if status == 429:
        return NotNow(retry_after(headers))
    if status == 503:
        return NotTaken(retry_after(headers))
    if status >= 500 or status < 400:
        return Unanswered()
    return (NotAdmitted if status in (401, 403) else Refused)(Reason.PROVIDER, _code(error))


def _code(error: AnymailError) -> str:
    """The service's own number for what is wrong, else HTTP's."""
    if error.response is None:
        return ""
    try:
        own = error.response.json()["ErrorCode"]
    except (ValueError, LookupError, TypeError):
        own = None
    return str(own or error.response.status_code)[:16]
