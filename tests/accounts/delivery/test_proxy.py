"""Webhooks behind a proxy that ends TLS: what is signed is the public address, whatever the proxy made of it."""

from dataclasses import replace

import pytest
from twilio.request_validator import RequestValidator

from accounts.delivery import textable
from accounts.delivery.models import Message, Number, State
from tests.servers.twilio import AUTH_TOKEN

from .conftest import fresh

SITE = "https://shop.example.org"
INSIDE = {"SERVER_NAME": "10.0.0.7", "SERVER_PORT": "8000", "HTTP_X_FORWARDED_PROTO": "https"}


@pytest.fixture
def behind_a_proxy(settings):
    """As settings.py sets it with BEHIND_PROXY=1, TRUSTED_PROXIES=1 and an https SITE_URL."""
    settings.SITE_URL, settings.SITE_HOST, settings.ALLOWED_HOSTS = SITE, "shop.example.org", ["10.0.0.7"]
    settings.SECURE_SSL_REDIRECT, settings.TRUSTED_PROXIES = True, 1
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


@pytest.fixture
def webhook(behind_a_proxy, ada, queued, deliver, twilio):
    """`webhook("voice")`: signed by Twilio over the address that the shop gave to it."""

    def webhook(name, **options):
        if name == "incoming":
            return twilio.incoming_webhook(f"{SITE}/hooks/twilio/incoming/", "+4915112345678", "STOP", **options)
        message = queued(ada, "call" if name == "voice" else "text")
        deliver()
        if name == "voice":
            return twilio.twiml_webhook(twilio.calls[0], **options)
        return twilio.status_webhook(fresh(message).provider_id, "delivered", **options)

    return webhook


def post(client, webhook, **around):
    return client.post("/" + webhook.url.split("/", 3)[3], webhook.form, headers=webhook.headers, **(INSIDE | around))


@pytest.mark.parametrize(("name", "status"), [("status", 204), ("voice", 200), ("incoming", 200)])
def test_what_twilio_signed_is_believed(client, webhook, name, status):
    signed = webhook(name)
    assert signed.url.startswith(f"{SITE}/hooks/twilio/{name}/")
    assert post(client, signed, HTTP_X_FORWARDED_FOR="54.172.60.1").status_code == status


@pytest.mark.parametrize("name", ["status", "voice", "incoming"])
@pytest.mark.parametrize(
    "host", ["http://10.0.0.7:8000", "http://shop.example.org", "https://10.0.0.7", "https://evil.example.org"]
)
def test_what_is_signed_for_another_address_is_not(client, webhook, name, host):
    """Nor for the one inside, which a request may be made to claim."""
    signed = webhook(name)
    url = f"{host}/" + signed.url.split("/", 3)[3]
    signature = RequestValidator(AUTH_TOKEN).compute_signature(url, signed.form)
    forged = replace(signed, url=url, headers=signed.headers | {"X-Twilio-Signature": signature})
    assert post(client, forged).status_code == 403
    assert not textable.reasons(["+4915112345678"])


@pytest.mark.parametrize("name", ["status", "voice", "incoming"])
def test_a_request_that_came_without_tls_is_sent_away(client, webhook, name):
    assert post(client, webhook(name), HTTP_X_FORWARDED_PROTO="http").status_code == 301
    assert not Message.objects.filter(state=State.DELIVERED).exists() and not Number.objects.exists()
