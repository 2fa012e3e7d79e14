from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.delivery.models import DemoMessage, Message
from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import BackupCode, make_backup_codes
from accounts.factors.text import Phone
from accounts.models import SecurityEvent
from accounts.security.events import describe
from tests.accounts.sign_in.steps import app_code, choose, sign_in, type_code, type_password

Kind = SecurityEvent.Kind
URL = "/account/security/"


def test_it_lists_the_factors_masked(client, ada):
    make_backup_codes(ada)
    Phone.objects.update(approves_payments_from=timezone.now() + timedelta(days=2))
    sign_in(client, ada, app_code(ada))
    page = client.get(URL).content.decode()
    for shown in ("a•••@example.org", "+49 ••• ••78", "Authenticator app: phone", "10 left", "approves payments from"):
        assert shown in page
    for hidden in ("+4915112345678", Authenticator.objects.get().typed_key):
        assert hidden not in page


def test_it_tells_what_is_missing(client, ben):
    sign_in(client, ben)
    page = client.get(URL).content.decode()
    assert "Not set up." in page
    assert "None. They help" in page


def test_it_tells_how_long_e_mail_rests(client, ben):
    sign_in(client, ben)
    ben.reset_factor, ben.reset_factor_rests_until = "email", timezone.now() + timedelta(days=2)
    ben.save()
    assert "Your password was reset by e-mail." in client.get(URL).content.decode()


def test_events_come_newest_first_twenty_a_page_and_only_ones_own(client, ben, mallory):
    sign_in(client, ben)
    audit.record(Kind.SUPPORT_LOOKED_UP, user=mallory)
    for _ in range(25):
        audit.record(Kind.PASSWORD_REFUSED, user=ben)
    page = client.get(URL)
    assert len(page.context["events"]) == 20
    assert page.context["events"][0]["what"] == "A wrong password was typed."
    assert len(client.get(URL + "?page=2").context["events"]) == 8
    assert "Our support looked" not in client.get(URL + "?page=2").content.decode()
    for odd in ("0", "99", "x", "-1", "9" * 40):
        assert client.get(f"{URL}?page={odd}").status_code == 200


def test_it_takes_few_queries_however_much_happened(client, ada, django_assert_max_num_queries):
    sign_in(client, ada, app_code(ada))
    for _ in range(30):
        audit.record(Kind.CODE_SENT, user=ada, purpose="pay", factor="text", to="+49 ••• ••78")
    for _ in range(5):
        Client().force_login(ada)
    # Sessions, trusted browsers, passkeys, the recovery and the last uses are a query each beside the nine of before.
    with django_assert_max_num_queries(14):
        client.get(URL)


@pytest.mark.parametrize("kind", Kind)
def test_every_event_is_a_sentence_whatever_its_detail(db, kind):
    details = [
        {},
        {"factor": "gone", "purpose": "gone"},
        {"factor": "text", "purpose": "sign_in", "to": "+49 •••", "name": "x"},
    ]
    for detail in details:
        said = describe(SecurityEvent(kind=kind, detail=detail))
        assert said.endswith(".")
        assert "%" not in said


@pytest.mark.parametrize("kind", Kind)
def test_no_kind_of_event_is_told_by_its_bare_name(db, kind):
    """Fails for a new kind until somebody writes its sentence."""
    detail = {"factor": "text", "purpose": "sign_in", "to": "+49 ••• ••78", "name": "x", "order": "ABCD2345"}
    assert describe(SecurityEvent(kind=kind, detail=detail)) != f"{kind.label}."


def test_events_are_told_in_plain_words(db):
    sent = SecurityEvent(kind=Kind.CODE_SENT, detail={"purpose": "pay", "factor": "text", "to": "+49 ••• ••78"})
    assert describe(sent) == "A code to approve a payment was sent to +49 ••• ••78."
    added = SecurityEvent(kind=Kind.FACTOR_ADDED, detail={"factor": "authenticator", "name": "my phone"})
    assert describe(added) == "A way to prove it is you was added: Authenticator app “my phone”."


# --- backup codes ----------------------------------------------------------------------------------------------------


def test_new_backup_codes_replace_the_old_ones_and_the_owner_is_told(client, ben, deliver):
    code = make_backup_codes(ben)[0]
    type_password(client, "ben@example.org")
    choose(client, "backup_code")
    client.get(type_code(client, code).url)
    before = set(BackupCode.objects.values_list("digest", flat=True))
    url = reverse("security:backup_codes")
    assert "The 9 you have left" in client.get(url).content.decode()
    page = client.post(url)
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert len(page.context["codes"]) == 10
    assert not before & set(BackupCode.objects.values_list("digest", flat=True))
    assert SecurityEvent.objects.filter(kind=Kind.BACKUP_CODES_MADE, user=ben).count() == 1
    deliver()
    told = DemoMessage.objects.get(message__kind=Message.Kind.NOTICE)
    assert "New backup codes were made" in told.text
    assert not any(code in told.text + told.html for code in page.context["codes"])


def test_new_backup_codes_ask_for_a_proof(client, ada):
    client.force_login(ada)
    assert client.post(reverse("security:backup_codes")).status_code == 302
    assert not BackupCode.objects.exists()
