import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.models import Message
from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import BackupCodeSet, make_backup_codes
from accounts.factors.passkey import Passkey
from accounts.models import SecurityEvent
from accounts.stepup.models import Purpose
from tests.accounts.sign_in.steps import challenge_of, sign_in
from tests.passkeys import options_on, passkey_of, row_of
from tests.software_authenticator import SoftwareAuthenticator

Kind = SecurityEvent.Kind
URL = "/account/security/passkeys/"


@pytest.fixture
def of_ben(client, ben):
    """Ben's browser, in which he signed in a moment ago."""
    sign_in(client, ben)
    return client


def strong(client):
    """Its person proved it a moment ago as strongly as one can."""
    session = client.session
    session["level"] |= {"strength": 4, "at": timezone.now().isoformat()}
    session.save()


def add(client, key=None, name="my laptop"):
    key = key or SoftwareAuthenticator()
    return client.post(URL, {"name": name, "credential": key.make(options_on(client.get(URL)))})


def test_the_first_strong_factor_brings_ten_backup_codes_shown_once(of_ben, ben):
    answer = add(of_ben)
    codes = re.findall(r"<code>([0-9A-Z]{5}-[0-9A-Z]{5})</code>", answer.content.decode())
    assert len(set(codes)) == 10
    assert "Your passkey is set up." in answer.content.decode()
    assert "authenticator app is set up" not in answer.content.decode()
    row = Passkey.objects.get(user=ben)
    assert (row.name, row.confirmed) == ("my laptop", True)
    event = SecurityEvent.objects.get(user=ben, kind=Kind.FACTOR_ADDED)
    assert (event.detail["factor"], event.detail["name"]) == ("passkey", "my laptop")
    assert SecurityEvent.objects.filter(user=ben, kind=Kind.BACKUP_CODES_MADE).exists()
    assert Message.objects.get(kind="notice").destination == "ben@example.org"
    overview = of_ben.get(reverse("security:overview")).content.decode()
    assert "my laptop" in overview and not any(code in overview for code in codes)


def test_a_second_one_leaves_the_backup_codes_as_they_are(of_ben, ben):
    add(of_ben)
    strong(of_ben)
    before = BackupCodeSet.objects.get(user=ben).pk
    answer = add(of_ben, name="my phone")
    assert "<code>" not in answer.content.decode()
    assert BackupCodeSet.objects.get(user=ben).pk == before
    assert Passkey.objects.filter(user=ben).count() == 2


def test_beside_an_app_the_backup_codes_stay_too(of_ben, ben):
    Authenticator.objects.create(user=ben, name="phone")
    make_backup_codes(ben)
    strong(of_ben)
    assert "<code>" not in add(of_ben).content.decode()


def test_the_page_needs_a_proof(client, ben):
    client.force_login(ben)
    assert client.get(URL).url.startswith("/account/challenge/")
    assert challenge_of(client).purpose == Purpose.MANAGE_FACTORS


def test_the_page_says_what_it_needs_without_javascript(of_ben):
    page = of_ben.get(URL)
    assert "Passkeys need JavaScript and a browser that knows them" in page.content.decode()
    assert "no-store" in page["Cache-Control"]


def test_the_same_form_once_more_does_no_harm(of_ben, ben):
    key = SoftwareAuthenticator()
    made = key.make(options_on(of_ben.get(URL)))
    of_ben.post(URL, {"name": "", "credential": made})
    again = of_ben.post(URL, {"name": "", "credential": made})
    assert again.url == reverse("security:overview")
    assert Passkey.objects.count() == 1


def test_one_that_is_there_is_not_added_again(of_ben, ben):
    key = SoftwareAuthenticator()
    add(of_ben, key)
    strong(of_ben)
    assert add(of_ben, key).url == reverse("security:overview")
    assert Passkey.objects.count() == 1


def test_a_reload_and_a_second_tab_ask_the_same(of_ben):
    first = options_on(of_ben.get(URL))["challenge"]
    assert options_on(of_ben.get(URL))["challenge"] == first
    add(of_ben)
    strong(of_ben)
    assert options_on(of_ben.get(URL))["challenge"] != first


def test_what_was_made_too_late_is_refused_and_nothing_is_kept(of_ben):
    made = SoftwareAuthenticator().make(options_on(of_ben.get(URL)))
    session = of_ben.session
    session["passkey_to_add"] |= {"at": (timezone.now() - timedelta(minutes=16)).timestamp()}
    session.save()
    answer = of_ben.post(URL, {"name": "", "credential": made})
    assert answer.status_code == 422 and "took too long" in answer.content.decode()
    assert not Passkey.objects.exists()


def test_one_made_for_another_site_is_refused(of_ben):
    answer = add(of_ben, SoftwareAuthenticator(origin="https://evil.example"))
    assert answer.status_code == 422
    assert not Passkey.objects.exists()


@pytest.mark.parametrize("said", ["", "nonsense", "x" * 20_000])
def test_nonsense_is_refused(of_ben, said):
    of_ben.get(URL)
    assert of_ben.post(URL, {"name": "", "credential": said}).status_code == 422


def test_ten_are_as_many_as_one_may_have(of_ben, ben):
    options = options_on(of_ben.get(URL))
    for _ in range(10):
        passkey_of(ben)
    strong(of_ben)
    assert of_ben.get(URL).url == reverse("security:overview")
    answer = of_ben.post(URL, {"name": "", "credential": SoftwareAuthenticator().make(options)})
    assert answer.url == reverse("security:overview")
    assert Passkey.objects.filter(user=ben).count() == 10
    assert "You have 10 passkeys already" in of_ben.get(reverse("security:overview")).content.decode()


class TestRemoving:
    @pytest.fixture
    def key(self, of_ben, ben):
        add(of_ben)
        strong(of_ben)
        return Passkey.objects.get(user=ben)

    def url(self, key):
        return reverse("security:remove_passkey", args=[key.pk])

    def test_it_asks_first_and_says_what_goes_with_it(self, of_ben, key):
        page = of_ben.get(self.url(key)).content.decode()
        assert "Remove “my laptop”?" in page
        assert "your backup codes go with it" in page
        assert Passkey.objects.exists()

    def test_the_backup_codes_go_with_the_last_strong_factor(self, of_ben, ben, key):
        of_ben.post(self.url(key))
        assert not Passkey.objects.exists() and not BackupCodeSet.objects.filter(user=ben).exists()
        event = SecurityEvent.objects.get(user=ben, kind=Kind.FACTOR_REMOVED)
        assert event.detail == {"factor": "passkey", "name": "my laptop"}

    def test_they_stay_beside_another_strong_factor(self, of_ben, ben, key):
        Authenticator.objects.create(user=ben, name="phone")
        strong(of_ben)
        assert "backup codes" not in of_ben.get(self.url(key)).content.decode()
        of_ben.post(self.url(key))
        assert BackupCodeSet.objects.filter(user=ben).exists()
        app = Authenticator.objects.get()
        assert (
            "your backup codes go with it"
            in of_ben.get(reverse("security:remove_authenticator", args=[app.pk])).content.decode()
        )

    def test_an_app_that_goes_leaves_them_beside_a_passkey(self, of_ben, ben, key):
        app = Authenticator.objects.create(user=ben, name="phone")
        strong(of_ben)
        of_ben.post(reverse("security:remove_authenticator", args=[app.pk]))
        assert not Authenticator.objects.exists() and BackupCodeSet.objects.filter(user=ben).exists()

    def test_twice_is_no_harm(self, of_ben, key):
        for _ in range(2):
            assert of_ben.post(self.url(key)).url == reverse("security:overview")
            strong(of_ben)
        assert SecurityEvent.objects.filter(kind=Kind.FACTOR_REMOVED).count() == 1

    def test_somebody_elses_is_not_there(self, of_ben, mallory):
        other = row_of(passkey_of(mallory))
        assert of_ben.get(self.url(other)).status_code == 404
        of_ben.post(self.url(other))
        assert Passkey.objects.filter(pk=other.pk).exists()

    def test_it_needs_a_proof(self, client, ben):
        key = row_of(passkey_of(ben))
        client.force_login(ben)
        assert client.post(self.url(key)).url.startswith("/account/challenge/")
        assert Passkey.objects.exists()
