"""Where one is signed in, and how to sign out there."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import SecurityEvent
from accounts.security.models import Session
from accounts.security.session_engine import SessionStore
from tests.accounts.sign_in.steps import is_signed_in, sign_in

Kind = SecurityEvent.Kind
URL = "/account/security/"
PHONE = "Mozilla/5.0 (Linux; Android 10; K) Chrome/131.0.0.0 Mobile Safari/537.36"
LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"


@pytest.fixture
def phone(ben):
    client = Client(headers={"User-Agent": PHONE}, REMOTE_ADDR="198.51.100.7")
    sign_in(client, ben)
    return client


@pytest.fixture
def laptop(ben):
    client = Client(headers={"User-Agent": LAPTOP}, REMOTE_ADDR="198.51.100.8")
    sign_in(client, ben)
    return client


def row_of(client):
    return Session.objects.get(session_key=client.session.session_key)


def end(client, row):
    return client.post(reverse("security:end_session", args=[row.handle]), follow=True)


def test_the_page_tells_where_one_is_signed_in(phone, laptop):
    page = phone.get(URL)
    first, second = sorted(page.context["sessions"], key=lambda place: not place["this_one"])
    assert (first["device"], first["ip"], first["this_one"]) == ("Chrome on Android", "198.51.100.7", True)
    assert (second["device"], second["ip"], second["this_one"]) == ("Firefox on Linux", "198.51.100.8", False)
    assert "this one" in page.text and "Sign out everywhere else" in page.text


def test_the_keys_of_sessions_are_on_no_page_and_in_no_words(phone, laptop):
    page = phone.get(URL).text
    for client in (phone, laptop):
        assert client.session.session_key not in page
        assert client.session.session_key not in str(row_of(client))
    assert str(row_of(laptop).handle) in page


def test_whoever_is_signed_out_is_a_stranger_at_the_next_request(phone, laptop, ben):
    row = row_of(laptop)
    assert "That browser is signed out." in end(phone, row).text
    assert laptop.get(URL).status_code == 302
    assert not is_signed_in(laptop)
    assert is_signed_in(phone, ben)
    assert "signed out already" in end(phone, row).text
    event = SecurityEvent.objects.get(kind=Kind.SESSIONS_ENDED, user=ben)
    assert event.detail == {"device": "Firefox on Linux"} and event.ip == "198.51.100.7"


def test_a_request_under_way_does_not_bring_an_ended_session_back(phone, laptop):
    key = laptop.session.session_key
    under_way = SessionStore(key)
    under_way["said"] = "before it ended"
    end(phone, row_of(laptop))
    with pytest.raises(UpdateError):
        under_way.save()
    assert not Session.objects.filter(session_key=key).exists()


def test_all_others_are_signed_out_at_once(phone, laptop, ben):
    third = Client()
    sign_in(third, ben)
    phone.post(reverse("security:end_other_sessions"))
    assert [is_signed_in(client) for client in (phone, laptop, third)] == [True, False, False]
    phone.post(reverse("security:end_other_sessions"))
    assert SecurityEvent.objects.filter(kind=Kind.SESSIONS_ENDED).count() == 1


def test_only_ones_own_sessions_are_shown_and_ended(client, phone, mallory):
    sign_in(client, mallory)
    page = client.get(URL)
    assert [place["this_one"] for place in page.context["sessions"]] == [True]
    assert str(row_of(phone).handle) not in page.text
    end(client, row_of(phone))
    client.post(reverse("security:end_other_sessions"))
    assert is_signed_in(phone)


def test_this_one_is_not_ended_from_the_list(phone):
    end(phone, row_of(phone))
    assert is_signed_in(phone)


def test_odd_handles_are_nobodys(phone):
    assert phone.post(reverse("security:end_session", args=[uuid4()])).status_code == 302
    assert phone.post("/account/security/sessions/x/end/").status_code == 404
    for name in ("security:end_other_sessions", "security:end_all_trust"):
        assert phone.get(reverse(name)).status_code == 405


def test_strangers_and_other_sites_end_nothing(client, phone):
    url = reverse("security:end_session", args=[row_of(phone).handle])
    assert client.post(url).url.startswith(reverse("sign_in:sign_in"))
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = phone.cookies
    assert strict.post(url).status_code == 403
    assert is_signed_in(phone)


def test_a_session_that_a_new_password_ended_is_not_shown(phone, laptop, ben):
    ben.set_password("another good password")
    ben.save()
    fresh = Client()
    fresh.force_login(ben)
    assert len(fresh.get(URL).context["sessions"]) == 1


def test_the_key_changes_with_each_gain_and_the_handle_with_it(client, ben):
    client.force_login(ben)
    before = row_of(client)
    session = client.session
    session.cycle_key()
    assert not Session.objects.filter(pk=before.pk).exists()
    after = Session.objects.get(user=ben)
    assert after.handle != before.handle


def test_the_handle_stays_while_the_key_does(client, ben):
    client.force_login(ben)
    before = row_of(client)
    session = client.session
    session["more"] = 1
    session.save()
    session["more"] = 2
    session.save()
    assert row_of(client).handle == before.handle


def test_a_guests_session_is_nobodys(client, db):
    session = client.session
    session["cart"] = 1
    session.save()
    assert Session.objects.get().user is None


def test_the_last_use_is_kept_every_five_minutes_and_costs_no_query_between(client, ben, time_machine):
    client.force_login(ben)
    client.get("/")
    with CaptureQueriesContext(connection) as first:
        client.get("/")
    time_machine.move_to(timezone.now() + timedelta(minutes=4))
    with CaptureQueriesContext(connection) as soon:
        client.get("/")
    time_machine.move_to(timezone.now() + timedelta(minutes=2))
    with CaptureQueriesContext(connection) as later:
        client.get("/", REMOTE_ADDR="198.51.100.9", headers={"User-Agent": LAPTOP})
    assert len(soon) == len(first) == len(later) - 1
    row = row_of(client)
    assert (row.ip, row.user_agent) == ("198.51.100.9", LAPTOP)
    assert timezone.now() - row.last_used_at < timedelta(minutes=1)


def test_a_failing_page_is_no_use(client, ben, monkeypatch, time_machine):
    client.force_login(ben)
    before = row_of(client).last_used_at
    time_machine.move_to(timezone.now() + timedelta(minutes=6))
    monkeypatch.setattr("accounts.security.browser_views.sessions.sessions_of", lambda *_: 1 / 0)
    client.raise_request_exception = False
    assert client.get(URL).status_code == 500
    assert row_of(client).last_used_at == before


def test_clearsessions_removes_what_is_over(client, ben):
    client.force_login(ben)
    Session.objects.create(session_key="old", session_data="", expire_date=timezone.now() - timedelta(seconds=1))
    call_command("clearsessions")
    assert Session.objects.get().user == ben


def test_signing_out_leaves_no_row(client, ben):
    client.force_login(ben)
    client.post(reverse("sign_in:sign_out"))
    assert SESSION_KEY not in client.session
    assert not Session.objects.filter(user=ben).exists()


def test_a_made_up_key_is_a_new_visitor(client, db):
    client.cookies["session"] = "x" * 32
    assert client.get("/").status_code == 200
    assert client.get(URL).status_code == 302
