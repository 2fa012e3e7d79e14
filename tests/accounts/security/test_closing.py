from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.models import DemoMessage, Message, State
from accounts.factors.backup_code import BackupCodeSet, make_backup_codes
from accounts.factors.registry import all_factors
from accounts.models import Address, SecurityEvent, User
from accounts.security import closing
from accounts.stepup import grants
from accounts.stepup.models import Grant, Purpose
from tests.accounts.security.test_addresses import HOME
from tests.accounts.sign_in.steps import app_code, challenge_of, is_signed_in, sign_in, type_code, type_password

URL = "/account/security/close/"
Kind = SecurityEvent.Kind


@pytest.fixture
def ada_client(client, ada):
    sign_in(client, ada, app_code(ada))
    ada.authenticators.update(last_step=-1)  # as if half a minute had passed
    return client


def prove(client, user):
    client.get(URL)
    return type_code(client, app_code(user))


def test_what_names_the_person_goes_and_the_owner_still_hears_of_it(ada_client, ada, deliver):
    elsewhere = Client()
    elsewhere.force_login(ada)
    Address.objects.create(user=ada, **HOME)
    make_backup_codes(ada)
    assert prove(ada_client, ada).url == URL
    page = ada_client.get(URL).content.decode()
    assert "What goes" in page and "What stays" in page
    assert User.objects.get(pk=ada.pk).is_active
    assert ada_client.post(URL).url == "/"
    ada.refresh_from_db()
    assert not ada.is_active and not ada.has_usable_password()
    assert (ada.name, ada.phone) == ("", None)
    assert ada.email.endswith("@closed.invalid")
    for factor in all_factors():
        assert not factor.model._default_manager.filter(user=ada).exists()
    assert not Address.objects.exists() and not BackupCodeSet.objects.exists()
    assert not is_signed_in(ada_client)
    assert elsewhere.get("/account/security/").url.startswith(reverse("sign_in:sign_in"))
    assert type_password(Client(), "ada@example.org").status_code == 422
    assert SecurityEvent.objects.filter(kind=Kind.ACCOUNT_CLOSED, user=ada).count() == 1
    deliver()
    told = DemoMessage.objects.filter(message__kind="notice")
    assert {said.message.destination for said in told} == {"ada@example.org", "+4915112345678"}
    assert all("account was closed" in said.text for said in told)
    assert not Message.objects.filter(kind="notice", state=State.EXPIRED).exists()


def test_the_e_mail_is_free_for_a_new_account(ada_client, ada):
    prove(ada_client, ada)
    ada_client.post(URL)
    assert User.objects.create_user(email="ada@example.org", phone="+4915112345678")


def test_without_a_proof_for_exactly_this_nothing_is_closed(ada_client, ada):
    assert ada_client.post(URL).url == reverse("stepup:challenge", args=[challenge_of(ada_client).pk])
    prove(ada_client, ada)
    other = Client()
    other.force_login(ada)
    assert other.post(URL).url.startswith("/account/challenge/")
    Grant.objects.filter(purpose=Purpose.CLOSE_ACCOUNT).update(purpose=Purpose.EXPORT_DATA)
    assert ada_client.post(URL).url.startswith("/account/challenge/")
    ada.refresh_from_db()
    assert ada.is_active and ada.email == "ada@example.org"


def test_staff_can_t_close_their_own(client, sam):
    client.force_login(sam)
    for answer in (client.get(URL), client.post(URL)):
        assert answer.url == "/account/security/"
    assert "closed by whoever runs the shop" in client.get("/account/security/").content.decode()
    assert URL not in client.get("/account/security/").content.decode()
    with pytest.raises(closing.StaffAccount):
        closing.close_account(user=sam, browser="b" * 64, ip=None)
    sam.refresh_from_db()
    assert sam.is_active


def test_a_proof_that_ran_out_closes_nothing(ada_client, ada, browser_id):
    prove(ada_client, ada)
    browser = Grant.objects.get(purpose=Purpose.CLOSE_ACCOUNT).browser
    with pytest.raises(grants.NoGrant):
        closing.close_account(user=ada, browser=browser, ip=None, now=timezone.now() + timedelta(minutes=11))
    ada.refresh_from_db()
    assert ada.is_active
