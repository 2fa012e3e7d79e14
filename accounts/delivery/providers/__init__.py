"""Who carries a message. A provider is configured by the environment; the demo provider serves a laptop."""

import re
from functools import cache

from django.conf import settings

from accounts.delivery.models import Channel
from accounts.delivery.providers.base import Provider


def can_call() -> bool:
    """A call needs a number that it comes from; a messaging service, a name or a short code only sends texts."""
    return settings.DEMO or bool(re.fullmatch(r"\+[1-9][0-9]{6,14}", settings.TWILIO_FROM))


@cache
def provider_for(channel: str) -> Provider:
    if settings.DEMO:
        from accounts.delivery.providers.demo import DemoProvider

        return DemoProvider()
    if channel == Channel.EMAIL:
        from accounts.delivery.providers.email import EmailProvider

        return EmailProvider()
    from accounts.delivery.providers.twilio import TwilioProvider

    return TwilioProvider()
