from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import limits
from accounts.delivery.models import DemoMessage, Message
from accounts.factors.backup_code import make_backup_codes
from accounts.factors.email import Mailbox
from accounts.models import SecurityEvent, User
from accounts.stepup import policy
from accounts.stepup.models import Grant, Purpose
from tests.accounts.sign_in.steps import challenge_of, choose, is_signed_in, sign_in, type_code, type_password
from tests.accounts.sign_in.test_sign_up import strip_tokens
from tests.codes import code_of
from tests.people import PASSWORD

NEW = "another whale of a password"


def type_contact(client, contact):
    return client.post(reverse("sign_in:reset"), {"contact": contact})


def finish(client, password=NEW):
    return client.post(reverse("sign_in:reset_password"), {"password": password})


def reset(client, contact, password=NEW):
    type_contact(client, contact)
    type_code(client)
    return finish(client, password)


def test_a_text_resets_the_password_and_signs_nobody_in(client, cleo):
    answer = type_contact(client, "01518 7654321")
    assert answer.url == reverse("stepup:challenge", args=[challenge_of(client).pk])
    assert type_code(client).url == reverse("sign_in:reset_password")
    assert "+4915187654321" in client.get(reverse("sign_in:reset_password")).content.decode()
    assert finish(client).url == reverse("sign_in:sign_in")
    assert not is_signed_in(client)
    cleo.refresh_from_db()
    assert cleo.check_password(NEW)
    answer = type_password(client, "+4915187654321", NEW)  # a swapped SIM does not do twice
    assert answer.status_code == 403
    assert "was reset by text" in answer.content.decode()
    User.objects.update(reset_factor_rests_until=timezone.now())
    type_password(client, "+4915187654321", NEW)
    assert challenge_of(client).purpose == Purpose.SIGN_IN
    client.get(type_code(client).url)
    assert is_signed_in(client, cleo)


@pytest.mark.parametrize(("by", "then"), [("call", "text"), ("call", "call"), ("text", "call")])
def test_a_reset_by_call_or_text_rests_both(client, ada, by, then, time_machine):
    type_contact(client, "01511 2345678")
    if by == "call":
        time_machine.move_to(timezone.now() + timedelta(seconds=31))
        assert choose(client, "call").status_code == 302
    type_code(client)
    finish(client)
    ada.refresh_from_db()
    assert ada.check_password(NEW) and ada.reset_factor == "text"
    type_password(client, "ada@example.org", NEW)
    assert choose(client, then).status_code in (410, 422)
    page = client.get(reverse("stepup:challenge", args=[challenge_of(client).pk])).content.decode()
    assert "E-mail a code to" in page
    assert "Text a code" not in page and "and say a code" not in page


def test_the_owner_is_told_everywhere(client, ada, deliver):
    reset(client, "ada@example.org")
    assert SecurityEvent.objects.filter(kind=SecurityEvent.Kind.PASSWORD_CHANGED, user=ada).count() == 1
    told = Message.objects.filter(kind="notice").order_by("channel").values_list("channel", "destination")
    assert list(told) == [("email", "ada@example.org"), ("text", "+4915112345678")]
    deliver()
    for said in DemoMessage.objects.filter(message__kind="notice"):
        assert "password of your account was changed" in said.text
        assert reverse("sign_in:reset") in said.text


def test_all_other_sessions_end(client, ben):
    elsewhere = Client()
    sign_in(elsewhere, ben)
    assert elsewhere.get(reverse("security:overview")).status_code == 200
    reset(client, "ben@example.org")
    assert elsewhere.get(reverse("security:overview")).status_code == 302


def test_after_an_e_mailed_reset_e_mail_alone_rests_and_other_factors_serve(client, ada, ben):
    reset(client, "ada@example.org")
    ada.refresh_from_db()
    rests = ada.reset_factor_rests_until - timezone.now()
    assert timedelta(hours=71, minutes=59) < rests <= policy.REST_AFTER_RESET
    type_password(client, "ada@example.org", NEW)
    assert choose(client, "email").status_code in (410, 422)
    choose(client, "text")
    client.get(type_code(client).url)
    assert is_signed_in(client, ada)
    other = Client()
    reset(other, "ben@example.org")
    assert type_password(other, "ben@example.org", NEW).status_code == 403


def test_a_backup_code_helps_who_has_only_e_mail(client, ben):
    code = make_backup_codes(ben)[0]
    reset(client, "ben@example.org")
    type_password(client, "ben@example.org", NEW)
    client.get(type_code(client, code.lower()).url)
    assert is_signed_in(client, ben)


def test_an_account_without_factors_does_not_slip_past_the_rest(client, db):
    root = User.objects.create_superuser(email="root@example.org", password=PASSWORD)
    reset(client, "root@example.org")
    assert Mailbox.objects.get(user=root).confirmed
    assert type_password(client, "root@example.org", NEW).status_code == 403


def test_an_unknown_contact_gets_the_same_page_and_an_explanation(client, ben, deliver):
    other = Client()
    answers = [type_contact(client, "ben@example.org"), type_contact(other, "bob@example.org")]
    assert [answer.status_code for answer in answers] == [302, 302]
    texts = [
        browser.get(answer.url).content.decode().replace(str(challenge_of(browser).pk), "ID")
        for browser, answer in zip((client, other), answers, strict=True)
    ]
    assert strip_tokens(texts[0]) == strip_tokens(texts[1])
    deliver()
    assert list(Message.objects.order_by("queued_at").values_list("kind", flat=True)) == ["code", "explanation"]
    assert "no account with this address" in DemoMessage.objects.get(message__kind="explanation").text
    assert type_code(other).status_code == 422
    assert finish(other).url == reverse("sign_in:reset")


def test_an_unknown_number_is_texted_an_explanation(client, db, deliver):
    type_contact(client, "+4915100000001")
    deliver()
    assert "no account with this number" in DemoMessage.objects.get().text


def test_a_closed_account_is_no_account(client, ben):
    User.objects.update(is_active=False)
    type_contact(client, "ben@example.org")
    assert challenge_of(client).decoy
    assert type_code(client).status_code == 422


def test_an_account_closed_after_the_code_keeps_its_password(client, ben):
    type_contact(client, "ben@example.org")
    type_code(client)
    User.objects.update(is_active=False)
    assert finish(client).url == reverse("sign_in:reset")
    ben.refresh_from_db()
    assert ben.check_password(PASSWORD)
    assert Grant.objects.get().used_at is None


def test_without_a_proof_there_is_no_form(client, ben):
    assert client.get(reverse("sign_in:reset_password")).url == reverse("sign_in:reset")
    type_contact(client, "ben@example.org")
    assert finish(client).url == reverse("sign_in:reset")


def test_a_proof_resets_once(client, ben):
    reset(client, "ben@example.org")
    assert finish(client, "a third whale of a password").url == reverse("sign_in:reset")
    ben.refresh_from_db()
    assert ben.check_password(NEW)


def test_another_browser_can_t_finish_it(client, ben):
    type_contact(client, "ben@example.org")
    code = code_of(challenge_of(client))
    thief = Client()
    type_contact(thief, "ben@example.org")
    assert type_code(thief, code).status_code == 422
    assert finish(thief).url == reverse("sign_in:reset")


@pytest.mark.parametrize("password", ["short", "ben@example.org", "", "1234567890123"])
def test_a_poor_password_is_refused_and_the_proof_stays(client, ben, password):
    type_contact(client, "ben@example.org")
    type_code(client)
    assert finish(client, password).status_code == 422
    assert finish(client).status_code == 302


def test_what_was_guessed_before_is_forgiven(client, ben):
    for _ in range(10):
        type_password(Client(), "ben@example.org", "wrong password")
    subject = f"user:{ben.pk}"
    limits.take("codes in a row", subject, limit=100, window=timedelta(days=1))
    assert type_password(client, "ben@example.org").status_code == 429
    reset(client, "ben@example.org")
    assert limits.spent("codes in a row", subject, window=timedelta(days=1)) == 0
    assert type_password(client, "ben@example.org", NEW).status_code == 403  # not 429: only e-mail rests


def test_the_proof_of_a_sign_up_resets_nothing(client, ben):
    client.post(reverse("sign_in:sign_up"), {"contact": "new@example.org"})
    type_code(client)
    assert client.get(reverse("sign_in:reset_password")).url == reverse("sign_in:reset")
