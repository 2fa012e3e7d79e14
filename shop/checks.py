"""What an operator has to set before strangers may come: named one by one by `manage.py check --deploy`."""

from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from accounts.delivery.providers import TEXT_PROVIDERS, can_call, missing, text_providers
from accounts.delivery.providers.esp import KEYS


@register(Tags.security, deploy=True)
def keys(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.SECRET_KEY == settings.INSECURE_KEY:
        found.append(
            _missing("SECRET_KEY", "50 random characters: python -c 'import secrets; print(secrets.token_urlsafe(50))'")
        )
    if settings.INSECURE_KEY in settings.CODE_KEYS:
        found.append(_missing("CODE_KEYS", "one or more random keys, the newest first, with commas between them"))
    for key in settings.FIELD_KEYS:
        try:
            Fernet(key)
        except ValueError:
            found.append(
                Error("FIELD_KEYS holds something that is no Fernet key.", hint=_FIELD_KEY_HINT, id="shop.E003")
            )
    if settings.INSECURE_FIELD_KEY in settings.FIELD_KEYS:
        found.append(_missing("FIELD_KEYS", _FIELD_KEY_HINT))
    return found


@register(Tags.security, deploy=True)
def providers(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if settings.DEMO:
        return []
    found = _text_providers()
    if text_providers() == ["vonage"] and not settings.TWILIO_ACCOUNT_SID:
        found.append(
            Warning(
                "Only Vonage is set up, so codes come by text only: nobody is offered a call.",
                hint="Set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM (a number of yours that can call).",
                id="shop.W002",
            )
        )
    else:
        found += _twilio()
    return found + _email()


def _text_providers() -> list[CheckMessage]:
    """Vonage is there or not; half of it is a mistake. A receipt without a signature is not believed."""
    found: list[CheckMessage] = []
    absent = missing("vonage")
    if len(absent) < len(TEXT_PROVIDERS["vonage"]):
        found += [_missing(name, "what the Vonage dashboard shows, or unset VONAGE_*") for name in absent]
    if unknown := set(settings.TEXT_PROVIDERS) - set(TEXT_PROVIDERS):
        found.append(
            Error(
                f"TEXT_PROVIDERS names {', '.join(sorted(unknown))}, which nobody here knows.",
                hint=f"Set it to one or more of {','.join(TEXT_PROVIDERS)}, the first to be asked first.",
                id="shop.E005",
            )
        )
    return found


def _twilio() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"):
        if not getattr(settings, name):
            found.append(_missing(name, "the value that the Twilio console shows"))
    if not settings.TWILIO_MESSAGING_SERVICE_SID and not settings.TWILIO_FROM:
        found.append(
            _missing("TWILIO_MESSAGING_SERVICE_SID", "a messaging service (MG...), or TWILIO_FROM with a number")
        )
    elif not can_call():
        found.append(
            Warning(
                "TWILIO_FROM is no phone number, so codes come by text only: nobody is offered a call.",
                hint="Set TWILIO_FROM to a number of yours that can call (+...); texts may go on using the service.",
                id="shop.W002",
            )
        )
    return found


def _email() -> list[CheckMessage]:
    if not settings.EMAIL_ESP:
        given = bool(settings.EMAIL_URL)
        return [] if given else [_missing("EMAIL_URL", "such as smtp+tls://user:password@mail.example.org:587")]
    if settings.EMAIL_ESP not in KEYS:
        known = ", ".join(KEYS)
        hint = f"Set EMAIL_ESP to one of: {known}; or unset it, and name a mail server in EMAIL_URL."
        return [Error(f"EMAIL_ESP is {settings.EMAIL_ESP}, which the shop does not know.", hint=hint, id="shop.E006")]
    found: list[CheckMessage] = []
    if not settings.EMAIL_ESP_KEY:
        found.append(_missing("EMAIL_ESP_KEY", "the key of the service's API"))
    if ":" not in (settings.ANYMAIL["WEBHOOK_SECRET"] or ""):
        address = f"https://NAME:PASSWORD@{settings.SITE_HOST}/hooks/email/{settings.EMAIL_ESP}/"
        found.append(
            _missing(
                "ANYMAIL_WEBHOOK_SECRET",
                f"NAME:PASSWORD, both long and random, and have the service report to {address}; without it no report "
                "is believed",
            )
        )
    if settings.EMAIL_ESP == "mailgun" and not settings.ANYMAIL["MAILGUN_WEBHOOK_SIGNING_KEY"]:
        found.append(_missing("MAILGUN_WEBHOOK_SIGNING_KEY", "the HTTP webhook signing key that Mailgun shows"))
    return found


@register(Tags.security)
def demo(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    """The demo inbox shows codes to everybody, so it never runs beside real people."""
    if not settings.DEMO:
        return []
    found: list[CheckMessage] = []
    if settings.TWILIO_AUTH_TOKEN or settings.VONAGE_API_SECRET or settings.EMAIL_URL or settings.EMAIL_ESP:
        found.append(
            Error(
                "DEMO is set together with a real provider.",
                hint="Unset DEMO, or unset TWILIO_*, VONAGE_*, EMAIL_URL and EMAIL_ESP.",
                id="shop.E001",
            )
        )
    if not settings.DEBUG and settings.SITE_HOST not in ("localhost", "127.0.0.1", "::1"):
        found.append(
            Error(
                f"DEMO is set on {settings.SITE_HOST}, and its inbox shows everybody's codes.",
                hint="Unset DEMO, or set SITE_URL to http://localhost:8000.",
                id="shop.E002",
            )
        )
    return found


@register(Tags.security, deploy=True)
def address(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if settings.SECURE:
        return []
    return [
        Warning(
            f"SITE_URL is {settings.SITE_URL}: without TLS, cookies and codes travel in the open.",
            hint="Set SITE_URL to https://your.shop, and ALLOWED_HOSTS to its host.",
            id="shop.W001",
        )
    ]


_FIELD_KEY_HINT = (
    "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())', the newest first"
)


def _missing(name: str, value: str) -> Error:
    return Error(f"{name} is not set.", hint=f"Set the environment variable {name} to {value}.", id="shop.E004")
