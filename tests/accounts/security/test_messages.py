import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.delivery.models import Channel, DemoMessage, Message, Reason, State
from accounts.factors.notices import tell_owner
from accounts.models import SecurityEvent
from accounts.security.messages import example_text, lines_of
from accounts.stepup import challenges
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Challenge, Purpose
from tests.accounts.sign_in.steps import sign_in
from tests.codes import code_of

URL = "/account/messages/"
HOW = "/account/messages/how-to-tell/"
NOON = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)  # noon in Berlin


def message(user=None, kind=Message.Kind.NOTICE, channel="text", to="+4915112345678", **fields):
    return Message.objects.create(user=user, kind=kind, channel=channel, destination=to, **fields)


def line(**fields):
    return lines_of([Message(**({"channel": "text", "kind": "notice", "queued_at": NOON} | fields))])[0]


@pytest.fixture
def reading(client, ben):
    sign_in(client, ben)
    Message.objects.all().delete()
    return client


# --- whose -----------------------------------------------------------------------------------------------------------


def test_it_asks_to_sign_in(client, db):
    assert client.get(URL).status_code == 302


def test_it_shows_ones_own_and_nobody_elses_to_the_same_number(reading, ben, mallory):
    message(ben, kind="code", to="+4915112345699")
    message(mallory, kind="code", to="+4915112345699")
    message(None, kind="order", to="+4915112345699", reference="ABCD2345 paid")
    message(mallory, channel="email", to="ben@example.org")
    page = reading.get(URL)
    assert len(page.context["lines"]) == 1
    assert "ABCD2345" not in page.content.decode()


def test_the_reset_that_somebody_asked_for_is_shown_to_the_owner(reading, ben, asker):
    for contact in ("ben@example.org", "nobody@example.org"):
        challenges.begin(
            asker=asker(contact=contact),
            purpose=Purpose.RESET_PASSWORD,
            digest=context_digest("reset_password", {"contact": contact}),
            next_path="/",
            decoy=contact != "ben@example.org",
        )
    page = reading.get(URL)
    assert [each.about for each in page.context["lines"]] == ["A code to choose a new password"]


def test_a_guest_with_the_owners_number_buys_unseen(reading, ben, asker):
    digest = context_digest("pay", {"order": 1})
    challenges.begin(asker=asker(contact="ben@example.org"), purpose=Purpose.PAY, digest=digest, next_path="/")
    assert Message.objects.get().user is None
    assert not reading.get(URL).context["lines"]


def test_a_number_that_was_somebody_elses_brings_nothing_along(reading, ben, cleo, asker):
    """Cleo's messages stay hers when her number becomes Ben's."""
    number = str(cleo.phone)
    challenges.begin(asker=asker(contact=number), purpose=Purpose.RESET_PASSWORD, digest=b"\1" * 32, next_path="/")
    cleo.email, cleo.phone = "cleo@example.org", None
    cleo.save()
    ben.phone = number
    ben.save()
    assert Message.objects.get().user == cleo
    assert not reading.get(URL).context["lines"]


# --- what it shows ---------------------------------------------------------------------------------------------------


def test_it_shows_time_channel_target_purpose_and_state(reading, ben):
    message(
        ben, kind="code", channel="text", queued_at=NOON, state=State.DELIVERED, sent_at=NOON,
        delivered_at=NOON + timedelta(minutes=1), challenge=Challenge.objects.filter(user=ben).first(),
    )  # fmt: skip
    page = " ".join(re.sub("<[^>]+>", " ", reading.get(URL).content.decode()).split())
    assert "A code to sign in" in page
    assert "Text message to +49 ••• ••78 1 March 2026, 12:00 · Sent 12:00, delivered 12:01" in page
    assert "5112345678" not in page


def test_a_payments_code_names_the_amount():
    challenge = Challenge(purpose=Purpose.PAY, summary={"amount": "€ 42.00"})
    assert line(kind="code", challenge=challenge).about == "A code to approve a payment: € 42.00"


def test_a_notice_tells_what_about(ben):
    tell_owner(ben, audit.record(audit.Kind.FACTOR_REMOVED, user=ben, factor="authenticator", name="old"))
    about = lines_of(Message.objects.all())[0].about
    assert about == "Notice: A way to prove it is you was removed: Authenticator app “old”."


def test_an_orders_message_leads_to_the_order(reading, ben):
    message(ben, kind="order", channel="email", to="ben@example.org", reference="ABCD2345 paid")
    page = reading.get(URL).content.decode()
    assert f'About your order <a href="{reverse("order:detail", args=["ABCD2345"])}">ABCD2345</a>' in page


@pytest.mark.parametrize("kind", Message.Kind)
def test_a_message_about_something_gone_is_still_listed(kind):
    assert line(kind=kind, reference="").about


@pytest.mark.parametrize(
    ("channel", "fields", "words"),
    [
        ("text", {"state": "queued"}, "on its way since 12:00"),
        ("text", {"state": "handing_over"}, "on its way since 12:00"),
        ("text", {"state": "handed_over", "handed_over_at": NOON}, "handed to the carrier 12:00"),
        ("text", {"state": "sent", "sent_at": NOON}, "sent 12:00"),
        ("text", {"state": "delivered", "sent_at": NOON, "delivered_at": NOON}, "sent 12:00, delivered 12:00"),
        ("text", {"state": "delivered", "delivered_at": NOON}, "delivered 12:00"),
        ("text", {"state": "delivered", "handed_over_at": NOON, "delivered_at": NOON + timedelta(days=1)},
         "sent 12:00, delivered 2 Mar, 12:00"),
        ("text", {"state": "failed", "reason": Reason.LANDLINE},
         "could not be delivered: this looks like a landline, which can't receive texts"),
        ("text", {"state": "failed"}, "could not be delivered: we were not told why"),
        ("text", {"state": "expired"}, "not sent: its time was over"),
        ("text", {"state": "unknown"}, "it is not known whether it left"),
        ("call", {"state": "handed_over", "handed_over_at": NOON}, "calling since 12:00"),
        ("call", {"state": "sent", "sent_at": NOON}, "answered 12:00, no key pressed yet"),
        ("call", {"state": "delivered", "delivered_at": NOON}, "called, and said 12:00"),
        ("call", {"state": "failed", "reason": Reason.NO_KEY},
         "nothing was said: the call was taken, but no key was pressed"),
    ],
)  # fmt: skip
def test_states_are_plain_words_with_their_times(channel, fields, words):
    assert line(channel=channel, **fields).state == words


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("channel", Channel)
def test_every_state_of_every_channel_has_words(state, channel):
    said = line(channel=channel, state=state).state
    assert said and "%" not in said


def test_no_code_and_no_word_of_a_message_is_on_the_page(client, ben, deliver):
    sign_in(client, ben)
    tell_owner(ben, audit.record(audit.Kind.PASSWORD_CHANGED, user=ben))
    deliver()
    page = client.get(URL).content.decode()
    assert all(code_of(challenge) not in page for challenge in Challenge.objects.all())
    assert all(message.text not in page for message in DemoMessage.objects.all())
    assert "Never share it" not in page


# --- how it is listed ------------------------------------------------------------------------------------------------


def test_the_newest_come_first_twenty_a_page(reading, ben):
    now = timezone.now()
    for number in range(25):
        message(ben, reference=str(number), queued_at=now - timedelta(minutes=number))
    page = reading.get(URL)
    times = [each.at for each in page.context["lines"]]
    assert len(times) == 20 and times == sorted(times, reverse=True)
    assert 'hx-target="#sent-part"' in page.content.decode()
    assert len(reading.get(URL + "?page=2").context["lines"]) == 5
    for odd in ("0", "99", "x", "-1", "9" * 40):
        assert reading.get(f"{URL}?page={odd}").status_code == 200


@pytest.mark.parametrize("rows", [1, 100])
def test_it_takes_as_many_queries_for_a_hundred_as_for_one(reading, ben, rows, django_assert_num_queries):
    event = audit.record(audit.Kind.PASSWORD_CHANGED, user=ben)
    challenge = Challenge.objects.filter(user=ben).first()
    for number in range(rows):
        message(ben, to=f"{number}@example.org", channel="email", reference=str(event.pk))
        message(ben, kind="code", challenge=challenge, send_number=number + 2)
    with django_assert_num_queries(6):
        reading.get(URL)


def test_it_tells_when_there_is_none(reading):
    assert "No messages yet" in reading.get(URL).content.decode()


def test_it_is_kept_by_no_cache(reading):
    assert "no-store" in reading.get(URL)["Cache-Control"]


@pytest.mark.parametrize("path", ["/account/security/", "/"])
def test_the_menu_and_the_security_page_lead_there(reading, path):
    assert f'href="{URL}"' in reading.get(path).content.decode()


# --- how to tell -----------------------------------------------------------------------------------------------------


def test_everybody_may_read_how_to_tell(client, db):
    page = client.get(HOW)
    assert page.status_code == 200
    assert f'href="{HOW}"' in client.get("/").content.decode()


def test_it_names_our_number_and_mailbox_and_how_to_reach_us(client, db, settings):
    settings.DEFAULT_FROM_EMAIL, settings.SUPPORT_EMAIL = "Shop <mail@example.org>", "help@example.org"
    page = client.get(HOW).content.decode()
    for word in ("+15017122661", "mail@example.org", "mailto:help@example.org", "@localhost #123456"):
        assert word in page


def test_of_a_messaging_service_it_names_no_number_for_texts(client, db, settings):
    settings.TWILIO_MESSAGING_SERVICE_SID = "MG1"
    assert "They may come from different numbers" in client.get(HOW).content.decode()


def test_without_a_number_to_call_from_it_promises_no_calls(client, db, settings):
    settings.TWILIO_FROM = "Countersign"
    page = client.get(HOW).content.decode()
    assert ">Calls<" not in page and "Countersign</strong>" in page


def test_the_example_looks_like_a_real_text(ben, cleo, deliver, settings):
    browser = Client()
    browser.post("/account/sign-in/", {"name": str(cleo.phone), "password": "correct horse battery"})
    deliver()
    code = code_of(Challenge.objects.get(user=cleo))
    real = DemoMessage.objects.get().text
    assert real.replace(code, "123456") == example_text(shop=settings.SHOP_NAME, site_host=settings.SITE_HOST)


def test_the_challenge_page_and_every_mail_lead_there(client, ben, deliver):
    page = client.post(
        "/account/sign-in/", {"name": "ben@example.org", "password": "correct horse battery"}, follow=True
    )
    assert f'href="{HOW}#missing"' in page.content.decode()
    tell_owner(ben, SecurityEvent.objects.create(kind="password_changed", user=ben))
    deliver()
    assert DemoMessage.objects.count() == 2
    for mail in DemoMessage.objects.all():
        assert HOW in mail.html
        assert "/account/messages/" in mail.text
