"""Twilio's status callback."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.delivery.models import Message, State
from tests.servers.twilio import AUTH_TOKEN, Webhook

from .conftest import fresh

URL = "/hooks/twilio/status/"


@pytest.fixture
def message(ada, queued, deliver, twilio):
    message = queued(ada)
    deliver()
    return fresh(message)


@pytest.fixture
def report(twilio, message, client):
    """`report("delivered")`: Twilio says so; the HTTP status it gets."""

    def report(status: str, *, error_code: int | None = None, **options: Any) -> int:
        return post(client, twilio.status_webhook(message.provider_id, status, error_code=error_code, **options))

    return report


def post(client: Client, webhook: Webhook, **more: Any) -> int:
    path = "/" + webhook.url.split("/", 3)[3]
    return client.post(path, webhook.form, headers=webhook.headers, **more).status_code


def test_a_text_is_sent_and_delivered(message, report):
    assert report("sent") == 204
    assert fresh(message).state == State.SENT and fresh(message).sent_at
    assert report("delivered") == 204
    assert fresh(message).state == State.DELIVERED and fresh(message).delivered_at


@pytest.mark.parametrize(
    ("status", "error_code", "reason"),
    [
        ("undelivered", 30003, "carrier"),
        ("undelivered", 30005, "bad_number"),
        ("undelivered", 30006, "landline"),
        ("undelivered", 30007, "carrier"),
        ("failed", 21610, "opted_out"),
        ("failed", None, "carrier"),
    ],
)
def test_a_text_that_was_not_delivered_says_why(message, report, status, error_code, reason):
    assert report(status, error_code=error_code) == 204
    found = fresh(message)
    assert (found.state, found.reason, found.provider_code) == (State.FAILED, reason, str(error_code or ""))
    assert found.ended_at


def test_repeats_are_harmless(message, report):
    report("delivered")
    first = fresh(message).delivered_at
    for _ in range(3):
        assert report("delivered") == 204
    assert fresh(message).delivered_at == first


@pytest.mark.parametrize(
    ("order", "state"),
    [
        (["delivered", "sent"], "delivered"),
        (["delivered", "undelivered"], "delivered"),
        (["undelivered", "delivered"], "failed"),
        (["undelivered", "sent"], "failed"),
        (["read", "delivered", "sent"], "delivered"),
        (["sent", "queued", "sending", "accepted"], "sent"),
        (["never heard of", ""], "handed_over"),
    ],
)
def test_disorder_is_harmless(message, report, order, state):
    for status in order:
        assert report(status) == 204
    assert fresh(message).state == state


def test_a_lost_answer_is_made_up_for(message, report):
    Message.objects.update(state=State.UNKNOWN, provider_id="", handed_over_at=None)
    assert report("delivered") == 204
    assert fresh(message).state == State.DELIVERED and fresh(message).provider_id == message.provider_id


@pytest.mark.parametrize(
    "form", [{}, {"ErrorCode": "x"}, {"ErrorCode": "٣"}, {"ErrorCode": "9" * 5000}, {"To": "\x00"}]
)
def test_odd_fields_are_no_error(message, report, form):
    assert report("undelivered", extra=form) == 204
    assert fresh(message).state == State.FAILED


class TestTheSignature:
    @pytest.mark.parametrize("signature", ["", "wrong", "Zm9v", "ü", "0" * 28])
    def test_without_a_right_one_nothing_is_believed(self, message, report, signature):
        assert report("delivered", signature=signature) == 403
        assert fresh(message).state == State.HANDED_OVER

    def test_another_accounts_is_refused(self, message, report):
        assert report("delivered", auth_token="another token") == 403

    def test_it_covers_every_field(self, twilio, message, client):
        webhook = twilio.status_webhook(message.provider_id, "sent")
        webhook.form["MessageStatus"] = "delivered"
        assert post(client, webhook) == 403

    def test_it_covers_the_address(self, twilio, message, client):
        webhook = twilio.status_webhook(message.provider_id, "sent")
        assert client.post(f"{URL}?message={message.pk}&x=1", webhook.form, headers=webhook.headers).status_code == 403

    @pytest.mark.parametrize("token", ["", None])
    def test_an_empty_token_refuses_everything(self, twilio, message, client, settings, token):
        """Else anybody could sign with nothing."""
        settings.TWILIO_AUTH_TOKEN = token
        webhook = twilio.status_webhook(message.provider_id, "delivered", auth_token="")
        assert post(client, webhook) == 403
        assert fresh(message).state == State.HANDED_OVER

    @pytest.mark.parametrize("site", ["https://shop.example.org", "https://shop.example.org:8443"])
    @pytest.mark.parametrize("port_is_signed", [True, False])
    def test_it_is_over_the_public_address_behind_a_proxy(
        self, twilio, message, client, settings, site, port_is_signed
    ):
        """The proxy ends TLS and asks us over HTTP by another name. Twilio signs ports now with, now without."""
        settings.SITE_URL, settings.ALLOWED_HOSTS = site, ["app.internal"]
        settings.SECURE_SSL_REDIRECT = True
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        signed = site if port_is_signed else "https://shop.example.org"
        webhook = twilio.status_webhook(message.provider_id, "delivered", url=f"{signed}{URL}?message={message.pk}")
        assert post(client, webhook, SERVER_NAME="app.internal", HTTP_X_FORWARDED_PROTO="https") == 204
        assert fresh(message).state == State.DELIVERED

    def test_the_address_that_was_asked_for_does_not_count(self, twilio, message, client, settings):
        settings.ALLOWED_HOSTS = ["*"]
        url = f"http://evil.example.org{URL}?message={message.pk}"
        webhook = twilio.status_webhook(message.provider_id, "delivered", url=url)
        assert post(client, webhook, SERVER_NAME="evil.example.org") == 403


class TestWhose:
    def test_another_messages_sid_is_ignored(self, twilio, message, report, client, queued, cleo, deliver):
        other = queued(cleo)
        deliver()
        url = f"http://localhost:8000{URL}?message={message.pk}"
        webhook = twilio.status_webhook(fresh(other).provider_id, "delivered", url=url)
        assert post(client, webhook) == 204
        assert fresh(message).state == fresh(other).state == State.HANDED_OVER

    @pytest.mark.parametrize("query", ["", "?message=", "?message=x", "?message=00000000-0000-0000-0000-000000000000"])
    def test_an_unknown_message_is_ignored(self, twilio, message, client, query):
        webhook = twilio.status_webhook(message.provider_id, "delivered", url=f"http://localhost:8000{URL}{query}")
        assert post(client, webhook) == 204
        assert fresh(message).state == State.HANDED_OVER

    def test_another_providers_message_is_ignored(self, message, report):
        Message.objects.update(provider="demo")
        assert report("delivered") == 204
        assert fresh(message).state == State.HANDED_OVER


def test_it_is_posted(client, db):
    assert client.get(URL).status_code == 405


def test_twilio_needs_no_csrf_token(twilio, message):
    webhook = twilio.status_webhook(message.provider_id, "delivered")
    assert post(Client(enforce_csrf_checks=True), webhook) == 204
    assert twilio.auth_token == AUTH_TOKEN and fresh(message).delivered_at <= timezone.now()
