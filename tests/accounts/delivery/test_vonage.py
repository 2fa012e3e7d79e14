"""Texts through Vonage's SMS API, and its delivery receipts."""

import json
import logging
import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.delivery.models import Alarm, Breaker, Message, State
from accounts.delivery.providers import providers_for
from accounts.delivery.services import hand_over
from shop import checks
from tests.codes import code_of
from tests.servers.vonage import SIGNATURE_SECRET, Accept, Cut, Hang, Http, Status, sign

from .conftest import challenge_of, fresh
from .test_twilio import closed_port

URL = "/hooks/vonage/status/"
HOW = "/account/messages/how-to-tell/"


def test_a_text_is_posted_with_our_id_and_its_life(ada, queued, deliver, vonage):
    message = queued(ada)
    deliver()
    [got] = vonage.messages
    message = fresh(message)
    assert (got.to, got.form["from"], got.form["type"]) == ("4915112345678", "Countersign", "text")
    assert (got.client_ref, got.callback) == (str(message.pk), "http://localhost:8000/hooks/vonage/status/")
    assert 295_000 <= int(got.form["ttl"]) <= 300_000
    assert (message.state, message.provider, message.provider_id) == (State.HANDED_OVER, "vonage", got.id)
    assert got.text.endswith(f"\n\n@localhost #{code_of(challenge_of(message))}")


def test_it_asks_for_no_shorter_life_than_vonage_knows(ada, queued, vonage):
    message = queued(ada)
    with time_machine.travel(message.queued_at + timedelta(seconds=590), tick=False):
        hand_over(message.pk)
    assert vonage.messages[0].form["ttl"] == "20000"


@pytest.mark.parametrize(
    ("behaviour", "state", "reason", "code", "breaker"),
    [
        (Accept(), "handed_over", "", "", None),
        # Refused for good.
        *[(Status(code), "failed", "provider", str(code), 0) for code in (2, 3, 6, 12, 15, 22, 29, 99)],
        (Status(7), "failed", "bad_number", "7", 0),
        (Status(33), "failed", "bad_number", "33", 0),
        *[(Status(code), "failed", "provider", str(code), 5) for code in (4, 8, 9, 11, 14)],
        (Http(401), "failed", "provider", "401", 5),
        (Http(404), "failed", "provider", "404", 0),
        # Not taken: tried again.
        (Status(1), "queued", "", "", None),
        (Status(10), "queued", "", "", None),
        (Http(429, retry_after=1), "queued", "", "", None),
        (Status(5), "queued", "", "", 1),
        (Http(503), "queued", "", "", 1),
        # Nobody knows: not repeated.
        *[(Http(status), "unknown", "", "", 1) for status in (500, 502, 302, 200)],
        (Http(500, accepted=True), "unknown", "", "", 1),
        *[
            (Http(200, body=json.dumps(body)), "unknown", "", "", 1)
            for body in (
                [], {}, {"messages": []}, {"messages": [7]}, {"messages": [{"status": "0"}]},
                {"messages": [{"status": "0", "message-id": ""}]}, {"messages": [{"status": "٣"}]},
                {"messages": [{"status": None}]},
            )
        ],
        (Hang(5), "unknown", "", "", 1),
        (Hang(5, accepted=True), "unknown", "", "", 1),
        (Cut(), "unknown", "", "", 1),
        (Cut(accepted=True), "unknown", "", "", 1),
    ],
)  # fmt: skip
def test_what_vonage_answers_decides_what_happens(
    ada, queued, deliver, vonage, settings, behaviour, state, reason, code, breaker
):
    settings.CARRIER_TIMEOUT = 0.3
    vonage.answer_next(behaviour)
    message = queued(ada)
    deliver()
    message = fresh(message)
    assert (message.state, message.reason, message.provider_code) == (state, reason, code)
    found = Breaker.objects.filter(provider="vonage").values_list("failures", flat=True).first()
    assert (found or 0) == (breaker or 0)
    # A second look, after any pause: what was not taken is sent, all else is not repeated.
    asked = len(vonage.requests)
    hand_over(message.pk, timezone.now() + timedelta(minutes=1))
    assert len(vonage.requests) == asked + (state == "queued")
    assert fresh(message).state == ("handed_over" if state == "queued" else state)
    assert len({request.form["text"] for request in vonage.requests}) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://vonage.invalid"])
def test_what_never_left_is_tried_again(ada, queued, deliver, vonage, settings, url):
    settings.VONAGE_API_URL = url.format(port=closed_port())
    message = queued(ada)
    deliver()
    assert fresh(message).state == State.QUEUED


@pytest.mark.parametrize(("status", "kind"), [(4, "credentials"), (8, "credentials"), (9, "credit")])
def test_what_nobody_but_the_shop_can_mend_rings_at_once(ada, queued, deliver, vonage, status, kind):
    vonage.answer_next(Status(status))
    queued(ada)
    deliver()
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.about, alarm.ended_at) == (kind, "vonage", None)


def test_no_log_holds_the_code_the_number_or_the_secret(ada, queued, deliver, vonage, caplog, settings):
    """The library that speaks HTTP says something at DEBUG; all of these are in the form, and that it doesn't say."""
    settings.CARRIER_TIMEOUT = 0.3
    with caplog.at_level("DEBUG"):
        logging.getLogger("urllib3").setLevel("DEBUG")
        for behaviour in (Accept(), Status(3), Status(1), Http(500), Hang(5), Cut(), Http(200)):
            vonage.answer_next(behaviour)
            message = queued(ada)
            deliver()
            code = code_of(challenge_of(message))
            Message.objects.all().delete()
            challenge_of(message).delete()
            assert "/sms/json" in caplog.text or isinstance(behaviour, Hang | Cut)
            for secret in (code, "15112345678", vonage.requests[-1].form["api_secret"]):
                assert secret not in caplog.text
            caplog.clear()


class TestWhichProviders:
    @pytest.mark.parametrize(
        ("order", "half_set", "names"),
        [
            (["twilio", "vonage"], "", ["twilio", "vonage"]),
            (["vonage", "twilio"], "", ["vonage", "twilio"]),
            (["vonage"], "", ["vonage"]),
            (["twilio", "vonage"], "VONAGE_SIGNATURE_SECRET", ["twilio"]),
            (["twilio", "vonage"], "TWILIO_AUTH_TOKEN", ["vonage"]),
            (["nobody"], "", ["twilio"]),
        ],
    )
    def test_those_that_are_set_up_in_the_order_of_the_setting(self, twilio, vonage, settings, order, half_set, names):
        settings.TEXT_PROVIDERS = order
        if half_set:
            setattr(settings, half_set, "")
        providers_for.cache_clear()
        assert [provider.name for provider in providers_for("text")] == names
        assert [provider.name for provider in providers_for("call")] == ["twilio"]
        assert [provider.name for provider in providers_for("email")] == ["email"]

    @pytest.mark.parametrize(
        ("change", "senders"),
        [({}, "+15017122661, Countersign"), ({"TWILIO_MESSAGING_SERVICE_SID": "MG1"}, ""),
         ({"TWILIO_AUTH_TOKEN": ""}, "Countersign"), ({"VONAGE_API_KEY": ""}, "+15017122661")],
    )  # fmt: skip
    def test_people_are_told_from_where_texts_come(self, client, twilio, vonage, settings, change, senders):
        for name, value in change.items():
            setattr(settings, name, value)
        assert client.get(HOW).context["texts_from"] == senders

    def test_the_demo_is_alone(self, twilio, vonage, settings):
        settings.DEMO = True
        providers_for.cache_clear()
        assert [provider.name for provider in providers_for("text")] == ["demo"]

    def test_a_deploy_names_what_is_half_set(self, twilio, vonage, settings):
        def named():
            return [found.msg.split()[0] for found in checks.providers(None)]

        settings.EMAIL_URL = "smtp://mail.example.org"
        assert named() == []
        settings.VONAGE_SIGNATURE_SECRET = settings.VONAGE_FROM = ""
        assert named() == ["VONAGE_SIGNATURE_SECRET", "VONAGE_FROM"]
        settings.VONAGE_API_KEY = settings.VONAGE_API_SECRET = ""
        assert named() == []  # nothing of it: Twilio alone
        settings.TEXT_PROVIDERS = ["twilio", "vonnage"]
        assert named() == ["TEXT_PROVIDERS"]

    def test_without_twilio_it_says_that_nobody_is_called(self, vonage, settings):
        settings.EMAIL_URL, settings.TWILIO_FROM = "smtp://mail.example.org", ""
        assert [found.id for found in checks.providers(None)] == ["shop.W002"]


@pytest.fixture
def message(ada, queued, deliver, vonage):
    message = queued(ada)
    deliver()
    return fresh(message)


@pytest.fixture
def report(vonage, message, client):
    """`report("delivered")`: Vonage says so; the HTTP status it gets."""

    def report(status: str, **options: Any) -> int:
        return client.post(URL, vonage.receipt(vonage.messages[0], status, **options)).status_code

    return report


class TestReceipts:
    @pytest.mark.parametrize("kind", ["form", "json"])
    def test_a_text_is_sent_and_delivered(self, vonage, message, client, kind):
        for status, state in (("accepted", "sent"), ("buffered", "sent"), ("delivered", "delivered")):
            receipt = vonage.receipt(vonage.messages[0], status)
            posted = (receipt,) if kind == "form" else (json.dumps(receipt), "application/json")
            assert client.post(URL, *posted).status_code == 204
            assert fresh(message).state == state
        assert fresh(message).sent_at and fresh(message).delivered_at

    @pytest.mark.parametrize(
        ("status", "code", "reason"),
        [
            ("failed", 1, "carrier"), ("failed", 3, "bad_number"), ("rejected", 4, "bad_number"),
            ("failed", 9, "opted_out"), ("expired", 2, "carrier"), ("rejected", 6, "carrier"),
            ("failed", 99, "carrier"),
        ],
    )  # fmt: skip
    def test_a_text_that_was_not_delivered_says_why(self, message, report, status, code, reason):
        assert report(status, code=code) == 204
        found = fresh(message)
        assert (found.state, found.reason, found.provider_code) == (State.FAILED, reason, str(code))

    @pytest.mark.parametrize(
        ("order", "state"),
        [
            (["delivered", "accepted"], "delivered"),
            (["delivered", "failed", "delivered"], "delivered"),
            (["failed", "delivered"], "failed"),
            (["accepted", "buffered", "accepted"], "sent"),
            (["unknown", "never heard of", ""], "handed_over"),
        ],
    )
    def test_repeats_and_disorder_are_harmless(self, message, report, order, state):
        for status in order:
            assert report(status) == 204
        assert fresh(message).state == state

    def test_a_lost_answer_is_made_up_for(self, message, report):
        Message.objects.update(state=State.UNKNOWN, provider_id="", handed_over_at=None)
        assert report("delivered") == 204
        assert fresh(message).state == State.DELIVERED and fresh(message).provider_id == message.provider_id

    def test_another_messages_id_is_ignored(self, vonage, message, client, queued, cleo, deliver):
        other = queued(cleo)
        deliver()
        receipt = vonage.receipt(vonage.messages[1], "delivered", **{"client-ref": str(message.pk)})
        assert client.post(URL, receipt).status_code == 204
        assert fresh(message).state == fresh(other).state == State.HANDED_OVER

    @pytest.mark.parametrize("ours", ["", "x", "00000000-0000-0000-0000-000000000000", "\x00"])
    def test_an_unknown_message_is_ignored(self, message, report, ours):
        assert report("delivered", **{"client-ref": ours}) == 204
        assert fresh(message).state == State.HANDED_OVER

    def test_another_providers_message_is_ignored(self, message, report):
        Message.objects.update(provider="twilio")
        assert report("delivered") == 204
        assert fresh(message).state == State.HANDED_OVER

    def test_odd_fields_are_no_error(self, message, report):
        assert report("failed", **{"err-code": "\x00" + "9" * 5000, "network-code": "a&b=c&d=ü"}) == 204
        assert fresh(message).state == State.FAILED

    def test_it_is_posted_and_needs_no_csrf_token(self, vonage, message):
        client = Client(enforce_csrf_checks=True)
        assert client.get(URL).status_code == 405
        assert client.post(URL, vonage.receipt(vonage.messages[0], "delivered")).status_code == 204
        assert fresh(message).state == State.DELIVERED


class TestTheSignature:
    def test_it_is_what_the_documentation_computes(self, settings):
        """`printf '&a=1&b=x_y_z&c=' | openssl dgst -sha256 -hmac secret`"""
        from accounts.delivery.vonage_views import signature

        expected = "2378e421fe4de256854994f912e87da7b0af8edf09f298389dfd83b7e12b74b8"
        fields = {"c": "", "b": "x&y=z", "a": "1"}
        assert signature(fields | {"sig": "not signed"}, "secret") == sign(fields, "secret") == expected

    @pytest.mark.parametrize("sig", ["", "wrong", "ü", "0" * 64, "\ud800"])
    def test_without_a_right_one_nothing_is_believed(self, vonage, message, client, sig):
        receipt = vonage.receipt(vonage.messages[0], "delivered") | {"sig": sig}
        assert client.post(URL, json.dumps(receipt), "application/json").status_code == 403
        del receipt["sig"]
        assert client.post(URL, receipt).status_code == 403
        assert fresh(message).state == State.HANDED_OVER

    def test_in_capitals_it_is_the_same(self, vonage, message, client):
        receipt = vonage.receipt(vonage.messages[0], "delivered")
        assert client.post(URL, receipt | {"sig": receipt["sig"].upper()}).status_code == 204

    @pytest.mark.parametrize("field", ["status", "messageId", "client-ref", "timestamp", "err-code", "new"])
    def test_it_covers_every_field(self, vonage, message, client, field):
        receipt = vonage.receipt(vonage.messages[0], "accepted")
        receipt[field] = "delivered" if field == "status" else "1"
        assert client.post(URL, receipt).status_code == 403

    def test_another_secret_is_refused(self, report):
        assert report("delivered", secret="another") == 403

    @pytest.mark.parametrize("secret", ["", None])
    def test_an_empty_secret_refuses_everything(self, report, message, settings, secret):
        """Else anybody could sign with nothing."""
        settings.VONAGE_SIGNATURE_SECRET = secret
        assert report("delivered", secret="") == 403
        assert report("delivered", secret=SIGNATURE_SECRET) == 403
        assert fresh(message).state == State.HANDED_OVER

    @pytest.mark.parametrize(
        ("seconds", "status"), [(0, 204), (-240, 204), (-360, 403), (23 * 3600, 204), (25 * 3600, 403)]
    )
    def test_an_old_one_is_refused(self, report, seconds, status):
        assert report("delivered", at=time.time() - seconds) == status

    @pytest.mark.parametrize("timestamp", ["", "x", "٣", "9" * 30, "-1", "1e9"])
    def test_one_without_a_time_is_refused(self, report, timestamp):
        assert report("delivered", timestamp=timestamp) == 403

    @pytest.mark.parametrize(
        "body", ["", "[", "[]", '{"sig": []}', '{"sig": null}', '{"a": {}}', "{" * 9999, "[" * 99999]
    )
    def test_what_is_no_receipt_is_refused(self, vonage, db, client, body):
        assert client.post(URL, body, "application/json").status_code == 403
