"""The support console: find, see, send again; and what it must never show."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.delivery import textable
from accounts.delivery.models import Message, Reply
from accounts.models import SecurityEvent
from accounts.stepup.challenges import begin
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Purpose
from tests.codes import code_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def console(sam, as_staff):
    sam.user_permissions.add(Permission.objects.get(codename="support_people"))
    return as_staff(sam)


@pytest.fixture
def bens_challenge(ben, asker):
    return begin(
        asker=asker(ben),
        purpose=Purpose.PAY,
        digest=context_digest(Purpose.PAY, {"total": "34.90"}),
        next_path="/checkout/pay/",
        summary={"amount": "€ 34.90"},
    )


@pytest.mark.parametrize("q", ["ben@example.org", "Ben", "ben@ex"])
def test_it_finds_a_shopper(console, ben, q):
    response = console.post("/support/", {"q": q})
    assert [each["pk"] for each in response.context["people"]] == [ben.pk]
    assert "ben@example.org" not in response.content.decode().replace(f'value="{q}"', "")


def test_it_finds_a_guest_by_the_contact_of_a_challenge(console, asker):
    guest = begin(
        asker=asker(contact="+4915123456789"), purpose=Purpose.PAY, digest=b"x" * 32, next_path="/checkout/pay/"
    )
    response = console.post("/support/", {"q": "01512 3456789"})
    assert response.context["guest"] == guest
    page = console.get(f"/support/guests/{guest.pk}/").content.decode()
    assert "••• ••89" in page
    assert "3456789" not in page


def test_it_shows_where_the_message_is_and_never_the_code(console, ben, bens_challenge):
    page = console.get(f"/support/people/{ben.pk}/").content.decode()
    assert "b•••@example.org" in page
    assert "ben@example.org" not in page
    assert "€ 34.90" in page
    assert "waiting" in page
    assert code_of(bens_challenge) not in page
    looked = SecurityEvent.objects.get(kind="support_looked_up")
    assert (looked.user, looked.actor.name) == (ben, "Sam")


def test_it_sends_the_same_code_again_for_a_reason(console, ben, bens_challenge, sam, deliver):
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        response = console.post(
            f"/support/challenges/{bens_challenge.pk}/resend/", {"reason": "not_arrived"}, follow=True
        )
        assert "Sent again to b•••@example.org" in response.content.decode()
        sent = deliver()
    assert [message.send_number for message in sent] == [1, 2]
    assert all(code_of(bens_challenge) in message.demomessage.text for message in sent)
    assert code_of(bens_challenge) not in response.content.decode()
    event = SecurityEvent.objects.get(kind="code_resent_by_support")
    assert (event.actor, event.user, event.detail["reason"]) == (sam, ben, "not_arrived")


def test_the_cooldown_holds_for_support_too(console, bens_challenge):
    response = console.post(f"/support/challenges/{bens_challenge.pk}/resend/", {"reason": "not_arrived"}, follow=True)
    assert "A code left a moment ago" in response.content.decode()
    assert Message.objects.count() == 1


def test_it_asks_for_a_reason(console, bens_challenge):
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        response = console.post(f"/support/challenges/{bens_challenge.pk}/resend/", {"reason": ""}, follow=True)
    assert "Choose a reason" in response.content.decode()
    assert Message.objects.count() == 1


def test_a_challenge_that_is_over_is_not_sent_again(console, bens_challenge):
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        response = console.post(f"/support/challenges/{bens_challenge.pk}/resend/", {"reason": "over"}, follow=True)
    assert "This code is over" in response.content.decode()
    assert Message.objects.count() == 1


def test_staff_without_the_right_find_nothing(sam, as_staff, ben):
    assert as_staff(sam).get("/support/").status_code == 404
    assert as_staff(sam).get(f"/support/people/{ben.pk}/").status_code == 404


def test_shoppers_find_nothing(client, ben):
    client.force_login(ben)
    assert client.get("/support/").status_code == 404


def test_strangers_are_led_to_the_sign_in(client, db):
    assert client.get("/support/").url.startswith("/account/sign-in/")


def test_staff_who_proved_it_too_weakly_or_too_long_ago_prove_it_again(rita, as_staff):
    for weak in (as_staff(rita, strength=1), as_staff(rita, at=timezone.now() - timedelta(hours=13))):
        assert weak.get("/support/").url == "/account/staff/?next=%2Fsupport%2F"


def test_it_sees_that_a_number_gets_no_texts_and_why(console, cleo, asker):
    guest = begin(asker=asker(contact="+4915187654321"), purpose=Purpose.PAY, digest=b"x" * 32, next_path="/checkout/")
    pages = [f"/support/people/{cleo.pk}/", f"/support/guests/{guest.pk}/"]
    assert not any("Not texted:" in console.get(page).content.decode() for page in pages)
    textable.replied("SM1", "+4915187654321", Reply.Word.STOP)
    words = "Not texted: +49 ••• ••21, this number answered STOP to us; text START to +15017122661"
    assert all(words in console.get(page).content.decode() for page in pages)
