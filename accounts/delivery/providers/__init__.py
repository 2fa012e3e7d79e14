"""Who carries a message. A provider is configured by the environment; the demo provider serves a laptop."""

import re
from functools import cache

from django.conf import settings

from accounts.delivery.models import Channel
from accounts.delivery.providers.base import Provider

# What each provider of texts needs. Twilio sends by a messaging service or by a number, see check --deploy.
TEXT_PROVIDERS = {
    "twilio": ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"),
    "vonage": ("VONAGE_API_KEY", "VONAGE_API_SECRET", "VONAGE_SIGNATURE_SECRET", "VONAGE_FROM"),
}


def can_call() -> bool:
    """A call needs a number that it comes from; a messaging service, a name or a short code only sends texts."""
    return settings.DEMO or bool(re.fullmatch(r"\+[1-9][0-9]{6,14}", settings.TWILIO_FROM))


def missing(provider: str) -> list[str]:
    """The settings of a provider of texts that are not set."""
    return [name for name in TEXT_PROVIDERS[provider] if not getattr(settings, name)]


def text_providers() -> list[str]:
    """Their names, in the order in which they are asked. Without any, texts fail at Twilio, which says why."""
    return [name for name in settings.TEXT_PROVIDERS if name in TEXT_PROVIDERS and not missing(name)] or ["twilio"]


def texts_from() -> str:
    """What a text shows as its sender; "" where that can't be said.

    A messaging service sends from whichever of its numbers suits the carrier.
    """
    twilio = "" if settings.TWILIO_MESSAGING_SERVICE_SID else settings.TWILIO_FROM
    senders = [{"twilio": twilio, "vonage": settings.VONAGE_FROM}[name] for name in text_providers()]
    return ", ".join(senders) if all(senders) else ""


@cache
def providers_for(channel: str) -> tuple[Provider, ...]:
    """Who carries this channel, in the order in which they are asked."""
    if settings.DEMO:
        from accounts.delivery.providers.demo import DemoProvider

        return (DemoProvider(),)
    if channel == Channel.EMAIL:
        if settings.EMAIL_ESP:
            from accounts.delivery.providers.esp import EspProvider

            return (EspProvider(settings.EMAIL_ESP),)
        from accounts.delivery.providers.email import EmailProvider

        return (EmailProvider(),)
    if channel == Channel.TEXT:
        return tuple(map(_provider, text_providers()))
    return (_provider("twilio"),)


def _provider(name: str) -> Provider:
    if name == "vonage":
        from accounts.delivery.providers.vonage import VonageProvider

        return VonageProvider()
    from accounts.delivery.providers.twilio import TwilioProvider

    return TwilioProvider()
