"""A new password for who is signed in: with a proof each time; everything that stood on the old one ends."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.delivery.models import Message
from accounts.models import SecurityEvent
from accounts.stepup.models import Challenge, Grant, Purpose
from tests.accounts.sign_in.steps import app_code, challenge_of, choose, is_signed_in, sign_in, type_code, type_password

URL = "/account/password/"
NEW = "another whale of a password"
OVERVIEW = "/account/security/"


@pytest.fixture
def ada_client(client, ada):
    sign_in(client, ada, app_code(ada))
    ada.authenticators.update(last_step=-1)  # as if half a minute had passed
    return client


def prove(client, user):
    client.get(URL)
    return type_code(client, app_code(user))


def test_a_proof_and_a_new_password_and_only_this_session_stays(ada_client, ada):
    elsewhere = Client()
    elsewhere.force_login(ada)
    assert ada_client.get(URL).url == reverse("stepup:challenge", args=[challenge_of(ada_client).pk])
    assert challenge_of(ada_client).purpose == Purpose.CHANGE_PASSWORD  # though the sign-in was a moment ago
    assert type_code(ada_client, app_code(ada)).url == URL
    assert 'autocomplete="new-password"' in ada_client.get(URL).content.decode()
    key = ada_client.session.session_key
    assert ada_client.post(URL, {"password": NEW}).url == OVERVIEW
    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert is_signed_in(ada_client, ada) and ada_client.session.session_key != key
    assert ada_client.get(OVERVIEW).status_code == 200
    assert elsewhere.get(OVERVIEW).url.startswith(reverse("sign_in:sign_in"))
    assert SecurityEvent.objects.filter(kind=SecurityEvent.Kind.PASSWORD_CHANGED, user=ada).count() == 1
    told = Message.objects.filter(kind="notice").order_by("channel").values_list("destination", flat=True)
    assert list(told) == ["ada@example.org", "+4915112345678"]
    assert type_password(Client(), "ada@example.org").status_code == 422


def test_each_change_needs_a_proof_of_its_own(ada_client, ada):
    prove(ada_client, ada)
    ada_client.post(URL, {"password": NEW})
    answer = ada_client.post(URL, {"password": "a third whale of a password"})
    assert answer.url == reverse("stepup:challenge", args=[challenge_of(ada_client).pk])
    ada.refresh_from_db()
    assert ada.check_password(NEW)


def test_without_a_proof_nothing_changes(ada_client, ada):
    assert ada_client.post(URL, {"password": NEW}).url.startswith("/account/challenge/")
    ada.refresh_from_db()
    assert not ada.check_password(NEW)


def test_a_proof_for_another_purpose_or_of_another_browser_is_not_enough(ada_client, ada):
    prove(ada_client, ada)
    other = Client()
    other.force_login(ada)
    assert other.post(URL, {"password": NEW}).url.startswith("/account/challenge/")
    Grant.objects.filter(purpose=Purpose.CHANGE_PASSWORD).update(purpose=Purpose.CHANGE_EMAIL)
    assert ada_client.post(URL, {"password": NEW}).url.startswith("/account/challenge/")
    ada.refresh_from_db()
    assert not ada.check_password(NEW)


def test_a_poor_password_is_refused_and_the_proof_stays(ada_client, ada):
    prove(ada_client, ada)
    for poor in ("short", "ada@example.org", ""):
        assert ada_client.post(URL, {"password": poor}).status_code == 422
    assert ada_client.post(URL, {"password": NEW}).url == OVERVIEW


def test_what_was_proven_under_the_old_password_is_void(ada_client, ada):
    elsewhere = Client()
    elsewhere.force_login(ada)
    elsewhere.get(reverse("security:export_data"))
    choose(elsewhere, "text")
    type_code(elsewhere)
    prove(ada_client, ada)
    ada_client.post(URL, {"password": NEW})
    ada.refresh_from_db()
    elsewhere.force_login(ada)  # a thief who got in with the new one has no use of the old proof
    assert elsewhere.post(reverse("security:export_data")).url.startswith("/account/challenge/")


def test_a_live_challenge_of_another_browser_is_over(ada_client, ada):
    elsewhere = Client()
    elsewhere.force_login(ada)
    elsewhere.get(reverse("security:authenticator"))
    choose(elsewhere, "text")
    pending = challenge_of(elsewhere)
    prove(ada_client, ada)
    ada_client.post(URL, {"password": NEW})
    assert type_code(elsewhere).status_code in (302, 404, 410)
    pending.refresh_from_db()
    assert pending.state == Challenge.State.LIVE
    assert not Grant.objects.filter(challenge=pending).exists()


def test_the_security_page_leads_here(ada_client):
    assert URL in ada_client.get(OVERVIEW).content.decode()


def test_who_is_not_signed_in_is_led_to_the_sign_in(client, db):
    assert client.get(URL).url.startswith(reverse("sign_in:sign_in"))
