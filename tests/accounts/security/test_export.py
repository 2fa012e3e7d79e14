import json

import pytest
from django.test import Client
from django.urls import reverse

from accounts.delivery.models import Message
from accounts.factors.backup_code import make_backup_codes
from accounts.models import Address, SecurityEvent
from accounts.stepup.models import Grant, Purpose
from tests.accounts.security.test_addresses import HOME
from tests.accounts.sign_in.steps import app_code, challenge_of, sign_in, type_code

URL = "/account/security/data/"
Kind = SecurityEvent.Kind


@pytest.fixture
def ada_client(client, ada):
    sign_in(client, ada, app_code(ada))
    ada.authenticators.update(last_step=-1)  # as if half a minute had passed
    return client


def prove(client, user):
    client.get(URL)
    return type_code(client, app_code(user))


def test_it_holds_all_we_keep_and_no_secret(ada_client, ada, ben):
    Address.objects.create(user=ada, **HOME)
    Address.objects.create(user=ben, **HOME | {"line1": "Ben's Lane"})
    codes = make_backup_codes(ada)
    assert prove(ada_client, ada).url == URL
    assert ada_client.get(URL).status_code == 200
    assert not SecurityEvent.objects.filter(kind=Kind.DATA_EXPORTED).exists()
    answer = ada_client.post(URL)
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"].startswith("attachment;")
    assert "no-store" in answer["Cache-Control"]
    text = answer.content.decode()
    data = json.loads(text)
    assert data["person"]["email"] == "ada@example.org" and data["person"]["phone"] == "+4915112345678"
    assert [address["line1"] for address in data["addresses"]] == ["Long Lane 1"]
    assert {way["factor"] for way in data["ways_to_prove_it"]} == {"authenticator", "text", "email", "backup_code"}
    assert len(data["sessions"]) == 1 and data["trusted_browsers"] == []
    assert data["orders"] == [] and data["cart"]["lines"] == []
    assert any("Signed in with your password" in event["what"] for event in data["security_events"])
    for secret in (
        ada.password,
        ada.authenticators.get().typed_key,
        ada.authenticators.get().typed_key.replace(" ", ""),
    ):
        assert secret not in text
    assert ada_client.session.session_key not in text
    assert not any(code in text or code.replace("-", "") in text for code in codes)
    assert "Ben's Lane" not in text
    assert SecurityEvent.objects.filter(kind=Kind.DATA_EXPORTED, user=ada).count() == 1
    told = Message.objects.filter(kind="notice").values_list("destination", flat=True)
    assert set(told) == {"ada@example.org", "+4915112345678"}


def test_each_download_needs_a_proof_of_its_own(ada_client, ada):
    assert ada_client.post(URL).url == reverse("stepup:challenge", args=[challenge_of(ada_client).pk])
    prove(ada_client, ada)
    assert ada_client.post(URL).status_code == 200
    assert ada_client.post(URL).url.startswith("/account/challenge/")
    assert SecurityEvent.objects.filter(kind=Kind.DATA_EXPORTED).count() == 1


def test_a_proof_for_another_purpose_or_of_another_browser_is_not_enough(ada_client, ada):
    prove(ada_client, ada)
    other = Client()
    other.force_login(ada)
    assert other.post(URL).url.startswith("/account/challenge/")
    Grant.objects.filter(purpose=Purpose.EXPORT_DATA).update(purpose=Purpose.CLOSE_ACCOUNT)
    assert ada_client.post(URL).url.startswith("/account/challenge/")
    assert not SecurityEvent.objects.filter(kind=Kind.DATA_EXPORTED).exists()


def test_an_explanation_to_somebody_elses_address_goes_by_the_name_of_a_code(ada_client, ada, ben):
    """Neither the file nor the page of messages tells whether a typed address has an account."""
    ada_client.post(reverse("security:change_email"), {"new": "ben@example.org"})
    ada_client.get(type_code(ada_client, app_code(ada)).url)
    assert Message.objects.get(kind="explanation").user == ada
    page = ada_client.get(reverse("messages:list")).content.decode()
    assert "A code to confirm a new e-mail or phone" in page
    assert "no code" not in page.partition("b•••@example.org")[2][:300]
    ada.authenticators.update(last_step=-1)
    prove(ada_client, ada)
    data = json.loads(ada_client.post(URL).content)
    assert [sent["kind"] for sent in data["messages"] if sent["to"] == "ben@example.org"] == ["one-time code"]
