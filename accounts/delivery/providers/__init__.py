"""Who carries a message. A provider is configured by the environment; the demo provider serves a laptop."""

from functools import cache

from django.conf import settings

from accounts.delivery.models import Channel
from accounts.delivery.providers.base import Provider


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
