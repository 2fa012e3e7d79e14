"""Mail through the API of an e-mail service, and what it reports; to servers that speak Postmark's and Mailgun's."""

import socket
from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.delivery.models import Alarm, Breaker, Message, State
from accounts.delivery.providers import providers_for
from accounts.delivery.services import hand_over
from shop import checks
from tests.codes import code_of
from tests.servers.esp import (
    KEY,
    SECRET,
    SIGNING_KEY,
    Accept,
    CutAfter,
    EspServer,
    Garbage,
    Hang,
    Inactive,
    Invalid,
    Status,
)  # fmt: skip

from .conftest import challenge_of, fresh

NAMES = ["postmark", "mailgun"]


@pytest.fixture(params=NAMES)
def esp(request, settings, smtp):
    """A service of our own that carries the mail of this test; the mail server beside it gets none."""
    with EspServer(request.param) as server:
        settings.EMAIL_ESP, settings.EMAIL_ESP_KEY, settings.EMAIL_ESP_API_URL = request.param, KEY, server.url
        settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET, "MAILGUN_WEBHOOK_SIGNING_KEY": SIGNING_KEY}
        providers_for.cache_clear()
        yield server
        assert not smtp.messages


@pytest.fixture
def message(ben, queued, deliver, esp):
    message = queued(ben, "email")
    deliver()
    return fresh(message)


@pytest.fixture
def report(esp, message, client):
    """`report("delivered")`: the service says so; the HTTP status it gets."""

    def report(event, *, mail=None, to=None, **options):
        webhook = esp.report(mail or esp.mails[0], event, **options)
        return post(Client(), to or esp.name, webhook)

    return report


def post(client, name, webhook, **more):
    return client.post(
        f"/hooks/email/{name}/", webhook.body, content_type="application/json", headers=webhook.headers, **more
    ).status_code


def test_a_mail_leaves_with_its_code_and_our_id_and_nobody_watches_it_being_read(message, esp):
    [mail] = esp.mails
    assert (mail.to, message.provider, message.provider_id) == ("ben@example.org", esp.name, mail.id)
    assert code_of(challenge_of(message)) in mail.text and code_of(challenge_of(message)) not in mail.subject
    assert mail.html and mail.metadata == {"message": str(message.pk)}
    off = {"postmark": {"TrackOpens": False, "TrackLinks": "None"},
           "mailgun": {"o:tracking-opens": "no", "o:tracking-clicks": "no"}}[esp.name]  # fmt: skip
    assert off.items() <= mail.fields.items()
    assert message.state == State.HANDED_OVER
    assert challenge_of(message).expires_at == message.handed_over_at + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("behaviour", "state", "reason", "code", "again"),
    [
        (Accept(), "handed_over", "", "", None),
        (Inactive(), "failed", "bad_mailbox", "406", None),
        (Invalid(), "failed", "bad_mailbox", "300", None),
        (Status(401, 10), "failed", "provider", "10", None),
        (Status(403), "failed", "provider", "403", None),
        (Status(413), "failed", "provider", "413", None),
        (Status(429), "queued", "", "", 2),
        (Status(429, retry_after=7), "queued", "", "", 7),
        (Status(503, retry_after=9), "queued", "", "", 9),
        (Status(500), "unknown", "", "", None),
        (Status(502), "unknown", "", "", None),
        (Hang(5), "unknown", "", "", None),
        (CutAfter(), "unknown", "", "", None),
        (Garbage(), "unknown", "", "", None),
        (Garbage("[]"), "unknown", "", "", None),
        (Garbage('{"ErrorCode": 0}'), "unknown", "", "", None),
    ],
)
def test_what_the_service_answers_decides_what_happens(
    ben, queued, deliver, esp, settings, time_machine, behaviour, state, reason, code, again
):
    settings.PROVIDER_TIMEOUT = 0.3
    if esp.name == "mailgun":  # refuses later, by a report, and has no numbers of its own
        state, reason, code = {
            Inactive(): ("handed_over", "", ""),
            Invalid(): ("failed", "provider", "400"),
            Status(401, 10): ("failed", "provider", "401"),
        }.get(behaviour, (state, reason, code))
    esp.answer_next(behaviour)
    message = queued(ben, "email")
    time_machine.move_to(message.not_before, tick=False)
    deliver()
    found = fresh(message)
    assert (found.state, found.reason, found.provider_code) == (state, reason, code)
    assert (found.not_before - timezone.now()).total_seconds() == (again or 0)
    rings = behaviour in (Status(401, 10), Status(403))
    assert Alarm.objects.filter(kind="credentials", about=esp.name).exists() == rings
    requests = len(esp.requests)
    time_machine.move_to(timezone.now() + timedelta(minutes=1), tick=False)
    hand_over(message.pk)
    assert len(esp.requests) == requests + (state == "queued")
    assert fresh(message).state == ("handed_over" if state == "queued" else state)


def test_a_wrong_key_rings_and_leaves_the_service_alone(ben, queued, deliver, esp, settings):
    settings.EMAIL_ESP_KEY = "wrong"
    message = queued(ben, "email")
    deliver()
    assert (fresh(message).state, fresh(message).reason) == (State.FAILED, "provider")
    assert Breaker.objects.get(provider=esp.name).open_until and Alarm.objects.get().kind == "credentials"


def test_a_service_that_is_not_there_is_tried_again(ben, queued, deliver, esp, settings):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings.EMAIL_ESP_API_URL = f"http://127.0.0.1:{probe.getsockname()[1]}/"
        message = queued(ben, "email")
        deliver()
    assert fresh(message).state == State.QUEUED


def test_no_log_holds_the_code_or_the_address(ben, queued, deliver, esp, settings, caplog):
    settings.PROVIDER_TIMEOUT = 0.3
    with caplog.at_level("DEBUG"):
        for behaviour in (Accept(), Inactive(), Invalid(), Status(401, 10), Status(500), Garbage(), CutAfter()):
            Breaker.objects.all().delete()
            esp.answer_next(behaviour)
            message = queued(ben, "email")
            deliver()
            code = code_of(challenge_of(message))
            challenge_of(message).delete()
            assert code not in caplog.text and "ben@example.org" not in caplog.text
            caplog.clear()


class TestReports:
    @pytest.mark.parametrize(
        ("event", "state", "reason", "code"),
        [
            ("delivered", "delivered", "", ""),
            ("deferred", "sent", "", ""),
            ("bounced", "failed", "bad_mailbox", "550"),
            ("complained", "delivered", "", ""),  # only who got it can call it spam
            ("opened", "handed_over", "", ""),
            ("clicked", "handed_over", "", ""),
            ("unsubscribed", "handed_over", "", ""),
        ],
    )
    def test_what_is_reported(self, message, report, event, state, reason, code):
        assert report(event) == 200
        found = fresh(message)
        assert (found.state, found.reason, found.provider_code) == (state, reason, code)

    def test_a_refusal_tells_the_mailbox_from_the_service(self, message, report, esp):
        report("rejected")
        found = fresh(message)
        # Postmark says that the mailbox blocks us; Mailgun, that it does not send from here.
        wanted = {"postmark": ("bad_mailbox", "550"), "mailgun": ("provider", "other")}[esp.name]
        assert (found.state, found.reason, found.provider_code) == (State.FAILED, *wanted)

    def test_the_page_and_support_read_it(self, message, report):
        report("bounced")
        assert fresh(message).reason_in_words == "this mailbox doesn't exist or refuses our mail"

    @pytest.mark.parametrize(
        ("order", "state"),
        [
            (["delivered", "deferred"], "delivered"),
            (["delivered", "bounced"], "delivered"),
            (["bounced", "delivered"], "failed"),
            (["deferred", "deferred", "delivered", "delivered"], "delivered"),
        ],
    )
    def test_repeats_and_disorder_are_harmless(self, message, report, order, state):
        for event in order:
            assert report(event) == 200
        assert fresh(message).state == state

    def test_a_lost_answer_is_made_up_for(self, ben, queued, deliver, esp):
        esp.answer_next(CutAfter())
        message = queued(ben, "email")
        deliver()
        assert (fresh(message).state, fresh(message).provider_id) == (State.UNKNOWN, "")
        assert post(Client(), esp.name, esp.report(esp.mails[0], "delivered")) == 200
        assert (fresh(message).state, fresh(message).provider_id) == (State.DELIVERED, esp.mails[0].id)


class TestWhoseReport:
    @pytest.mark.parametrize("secret", [None, "", "hooks:", "hooks:wrong", ":", "test-webhook-secret"])
    def test_without_the_secret_nothing_is_believed(self, message, report, secret):
        assert report("delivered", secret=secret) == 403
        assert fresh(message).state == State.HANDED_OVER

    @pytest.mark.parametrize("missing", ["", None])
    def test_a_missing_secret_refuses_everything(self, message, report, settings, missing):
        """Anymail itself would then believe everybody."""
        settings.ANYMAIL = settings.ANYMAIL | {"WEBHOOK_SECRET": missing}
        for secret in (SECRET, "", None, ":"):
            assert report("delivered", secret=secret) == 403
        assert fresh(message).state == State.HANDED_OVER

    def test_where_the_service_signs_its_signature_is_asked_for_too(self, message, report, esp, settings):
        wanted = 403 if esp.name == "mailgun" else 200
        assert report("deferred", signing_key="another key") == wanted
        settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET, "MAILGUN_WEBHOOK_SIGNING_KEY": ""}
        assert report("deferred", signing_key="") == wanted

    def test_only_the_service_in_use_is_heard(self, message, report, esp):
        other = NAMES[1 - NAMES.index(esp.name)]
        assert report("delivered", to=other) == 403
        assert report("delivered", to="sendgrid") == 403
        assert fresh(message).state == State.HANDED_OVER

    @pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', "{}", '{"RecordType": 7}', '{"event-data": 7}'])
    def test_garbage_is_no_error(self, message, esp, body):
        webhook = esp.report(esp.mails[0], "delivered")
        answer = Client().post(
            f"/hooks/email/{esp.name}/", body, content_type="application/json", headers=webhook.headers
        )
        assert answer.status_code in (200, 400, 403)
        assert fresh(message).state == State.HANDED_OVER

    def test_other_ids_and_other_mailboxes_are_nobodys(self, message, report, esp, ada, queued, deliver):
        other = queued(ada, "email")
        deliver()
        mine, hers = esp.mails
        for forged in (
            replace(mine, metadata={}),
            replace(mine, metadata={"message": "x"}),
            replace(mine, metadata={"message": "00000000-0000-0000-0000-000000000000"}),
            replace(mine, metadata=hers.metadata),
            replace(mine, to="somebody@example.org"),
            replace(mine, id="<another@example.org>"),
        ):
            assert report("delivered", mail=forged) == 200
        assert fresh(message).state == fresh(other).state == State.HANDED_OVER
        Message.objects.filter(pk=message.pk).update(provider="email")
        report("delivered")
        assert fresh(message).state == State.HANDED_OVER

    def test_it_is_posted_and_needs_no_csrf_token(self, message, esp):
        assert Client().get(f"/hooks/email/{esp.name}/").status_code == 405
        webhook = esp.report(esp.mails[0], "delivered")
        assert post(Client(enforce_csrf_checks=True), esp.name, webhook) == 200


class TestTheCheck:
    @pytest.fixture(autouse=True)
    def _real(self, settings):
        settings.DEMO, settings.EMAIL_URL = False, ""
        settings.TWILIO_ACCOUNT_SID = settings.TWILIO_AUTH_TOKEN = "x"
        settings.EMAIL_ESP, settings.EMAIL_ESP_KEY = "mailgun", KEY
        settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET, "MAILGUN_WEBHOOK_SIGNING_KEY": SIGNING_KEY}

    def named(self):
        return [error.msg.split()[0] for error in checks.providers(None)]

    def test_a_service_needs_no_mail_server(self):
        assert self.named() == []

    @pytest.mark.parametrize(
        ("name", "value", "named"),
        [
            ("EMAIL_ESP", "", ["EMAIL_URL"]),
            ("EMAIL_ESP", "pigeons", ["EMAIL_ESP"]),
            ("EMAIL_ESP_KEY", "", ["EMAIL_ESP_KEY"]),
            ("ANYMAIL", {"WEBHOOK_SECRET": "", "MAILGUN_WEBHOOK_SIGNING_KEY": "x"}, ["ANYMAIL_WEBHOOK_SECRET"]),
            ("ANYMAIL", {"WEBHOOK_SECRET": "no-colon", "MAILGUN_WEBHOOK_SIGNING_KEY": "x"}, ["ANYMAIL_WEBHOOK_SECRET"]),
            ("ANYMAIL", {"WEBHOOK_SECRET": SECRET, "MAILGUN_WEBHOOK_SIGNING_KEY": ""}, ["MAILGUN_WEBHOOK_SIGNING_KEY"]),
        ],
    )
    def test_what_is_missing_is_named(self, settings, name, value, named):
        setattr(settings, name, value)
        assert self.named() == named

    def test_the_demo_and_a_service_do_not_go_together(self, settings):
        settings.DEMO, settings.DEBUG = True, True
        settings.TWILIO_AUTH_TOKEN = ""
        assert [error.id for error in checks.demo(None)] == ["shop.E001"]


def test_the_long_name_of_a_shop_is_no_trouble_for_a_mail_server(ben, queued, deliver, smtp, settings):
    settings.SITE_HOST = "a-shop-with-a-long-name.some-region.example.org"
    message = queued(ben, "email")
    deliver()
    assert fresh(message).state == State.HANDED_OVER
    assert smtp.messages[0].message["Message-ID"].strip() == f"<{message.pk}@{settings.SITE_HOST}>"
