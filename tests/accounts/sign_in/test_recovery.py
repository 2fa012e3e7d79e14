from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.models import DemoMessage, Message
from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import make_backup_codes
from accounts.factors.email import Mailbox
from accounts.factors.registry import all_factors
from accounts.factors.text import Phone
from accounts.models import EmailChange, SecurityEvent, User
from accounts.security import recovery
from accounts.security.contacts import undo_path
from accounts.security.models import Recovery
from accounts.stepup import policy
from accounts.stepup.models import Challenge, Grant, Purpose
from tests.accounts.sign_in.recovering import (
    CONTACT,
    NEW,
    ask,
    choose_password,
    confirmed_by,
    has_the_account,
    is_due,
    open_one,
    prove_again,
)
from tests.accounts.sign_in.steps import challenge_of, is_signed_in, sign_in, type_code, type_password
from tests.accounts.sign_in.test_sign_up import strip_tokens
from tests.codes import code_of
from tests.matrix.people import GIVE
from tests.people import PASSWORD

Kind = SecurityEvent.Kind
State = Recovery.State


@pytest.fixture
def opened(client, ada):
    return open_one(client)


@pytest.fixture
def ready(opened, sam, rita):
    """Two of staff have confirmed it, and three days are over."""
    confirmed_by(opened, sam, rita)
    is_due(opened)
    return opened


# --- asking for it ---------------------------------------------------------------------------------------------------


def test_it_opens_when_the_new_contact_is_proven(client, ada):
    answer = ask(client)
    assert answer.url == reverse("stepup:challenge", args=[challenge_of(client).pk])
    assert not Recovery.objects.exists()
    answer = type_code(client)
    assert answer.url == reverse("sign_in:recovery_opened")
    assert CONTACT in client.get(answer.url).content.decode()
    found = Recovery.objects.get()
    assert (found.user, found.contact, found.state) == (ada, CONTACT, State.OPEN)
    assert found.effective_at - found.opened_at == timedelta(hours=72)
    assert SecurityEvent.objects.get(kind=Kind.RECOVERY_OPENED).user == ada


def test_the_owner_is_told_on_all_channels_with_a_link_that_cancels(client, ada, deliver):
    Mailbox.objects.filter(user=ada).update(address="ada.other@example.org")
    open_one(client)
    deliver()
    notices = DemoMessage.objects.filter(message__kind=Message.Kind.NOTICE)
    assert {(said.message.channel, said.message.destination) for said in notices} == {
        ("email", "ada@example.org"),
        ("email", "ada.other@example.org"),
        ("text", "+4915112345678"),
    }
    for said in notices:
        assert "In three days it takes effect" in said.text
        link = next(word for word in said.text.split() if "/recovery/cancel/" in word)
        page = Client().get(link.removeprefix("http://localhost:8000"))
        assert page.status_code == 200
        assert "a•••@example.org" in page.content.decode()
        assert not is_signed_in(client)


def test_the_task_tells_it_once(client, opened):
    recovery.advance()
    assert Message.objects.filter(kind=Message.Kind.NOTICE).count() == 2


@pytest.mark.parametrize("name", ["ADA@example.org", " ada@example.org", "0151 12345678"])
def test_any_form_of_the_name_will_do(client, ada, name):
    assert open_one(client, name).user == ada


def test_back_and_double_taps_open_one(client, ada):
    ask(client)
    url = type_code(client).url
    assert [client.get(url).status_code for _ in range(3)] == [200, 200, 200]
    assert Recovery.objects.count() == 1


def test_without_a_proven_contact_nothing_opens(client, ada):
    assert client.get(reverse("sign_in:recovery_opened")).url == reverse("sign_in:recovery")
    ask(client)
    assert client.get(reverse("sign_in:recovery_opened")).url == reverse("sign_in:recovery")
    assert not Recovery.objects.exists()


def test_another_browser_can_t_open_it(client, ada):
    ask(client)
    type_code(client)
    other = Client()
    ask(other)
    assert other.get(reverse("sign_in:recovery_opened")).url == reverse("sign_in:recovery")
    assert not Recovery.objects.exists()


def test_the_proof_of_a_contact_is_for_the_account_that_was_named(client, ada, ben):
    ask(client, "ben@example.org")
    type_code(client)
    Challenge.objects.update(summary={"account": "ada@example.org"})
    client.get(reverse("sign_in:recovery_opened"))
    assert not Recovery.objects.exists()


@pytest.mark.parametrize("contact", ["ben@example.org", "ada@example.org", "+4915112345678"])
def test_a_contact_that_has_an_account_is_refused_to_whoever_proves_it_whatever_the_name(client, ada, ben, contact):
    pages = []
    for name in ("ada@example.org", "nobody@example.org"):
        browser = Client()
        ask(browser, name, contact)
        answer = browser.get(type_code(browser).url)
        assert answer.url == reverse("sign_in:recovery")
        pages.append(strip_tokens(browser.get(answer.url).content.decode()))
    assert pages[0] == pages[1]
    assert any("belongs to an account already" in line for line in pages[0])
    assert not Recovery.objects.exists()


def test_a_landline_is_no_new_contact(client, ada):
    answer = ask(client, contact="+4930123456")
    assert answer.status_code == 422
    assert "landline" in answer.content.decode()


# --- nobody learns anything ------------------------------------------------------------------------------------------


def all_pages(client, name, contact):
    """Everything a stranger sees on the way, and how many messages left for where."""
    answers = [client.get(reverse("sign_in:recovery")), ask(client, name, contact)]
    challenge = challenge_of(client)
    answers.append(client.get(answers[-1].url))
    answers.append(type_code(client))
    answers.append(client.get(answers[-1].url))
    sent = Message.objects.filter(destination=contact).count()
    told = [
        (
            answer.status_code,
            getattr(answer, "url", "").replace(str(challenge.pk), "ID"),
            sorted(str(answer.headers).replace(str(challenge.pk), "ID").split(", ")),
            sorted(answer.cookies),
            [line.replace(str(challenge.pk), "ID") for line in strip_tokens(answer.content.decode())],
        )
        for answer in answers
    ]
    return told, sent


@pytest.mark.parametrize("who", ["nobody", "staff", "closed", "open already"])
def test_a_name_that_can_t_be_recovered_looks_like_one_that_can(ada, ben, sam, who, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    known = all_pages(Client(), "ada@example.org", "known@example.org")
    name = {"nobody": "nobody@example.org", "staff": "sam@example.org"}.get(who, "ben@example.org")
    if who == "closed":
        User.objects.filter(pk=ben.pk).update(is_active=False)
    if who == "open already":
        open_one(Client(), "ben@example.org", "first@example.org")
    other = all_pages(Client(), name, "knewn@example.org")
    assert str(known).replace("known@", "k@") == str(other).replace("knewn@", "k@")
    assert Recovery.objects.get(contact="known@example.org").user == ada
    assert Recovery.objects.get(contact="knewn@example.org").user is None
    recovery.advance()
    assert not Message.objects.filter(destination=name).exclude(user=ben).exists()


def test_an_unknown_name_costs_as_many_queries(ada):
    def count(name, contact):
        browser = Client()
        ask(browser, name, contact)
        url = type_code(browser).url
        with CaptureQueriesContext(connection) as queries:
            browser.get(url)
        return len(queries)

    assert count("ada@example.org", "one@example.org") == count("nobody@example.org", "two@example.org")


def test_a_name_is_opened_for_three_times_a_week_and_then_looks_the_same(client, ada):
    for number in range(3):
        found = open_one(Client(), contact=f"{number}@example.org")
        assert found.user == ada
        assert recovery.cancel(found)
    assert open_one(Client(), contact="4@example.org").user is None


# --- cancelling ------------------------------------------------------------------------------------------------------


def cancel_url(found):
    return reverse("sign_in:cancel_recovery", args=[recovery.cancel_token(found)])


def test_one_click_cancels_and_following_the_link_alone_does_not(client, ada, opened):
    stranger = Client()
    assert "Cancel the recovery" in stranger.get(cancel_url(opened)).content.decode()
    opened.refresh_from_db()
    assert opened.state == State.OPEN
    stranger.post(cancel_url(opened))
    opened.refresh_from_db()
    assert opened.state == State.CANCELLED
    assert "It is cancelled" in stranger.get(cancel_url(opened)).content.decode()
    assert not is_signed_in(stranger)
    assert SecurityEvent.objects.filter(kind=Kind.RECOVERY_CANCELLED, user=ada, actor=None).count() == 1


def test_it_is_cancelled_once_and_everybody_concerned_is_told(client, ada, opened, deliver):
    for _ in range(3):
        client.post(cancel_url(opened))
    assert SecurityEvent.objects.filter(kind=Kind.RECOVERY_CANCELLED).count() == 1
    deliver()
    said = DemoMessage.objects.filter(text__contains="cancelled")
    assert {each.message.destination for each in said} == {"ada@example.org", "+4915112345678", CONTACT}


@pytest.mark.parametrize("token", ["", "x", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA:forged"])
def test_a_forged_link_cancels_nothing(client, opened, token):
    pk = recovery.cancel_token(opened).partition(":")[0]
    for forged in (token or pk, f"{pk}:{token}"):
        answer = client.post(reverse("sign_in:cancel_recovery", args=[forged]))
        assert answer.status_code == 404
    opened.refresh_from_db()
    assert opened.state == State.OPEN


def test_the_owner_sees_it_when_signing_in_and_on_the_security_page_and_cancels_it_there(client, ada, opened, ben):
    owner = Client()
    type_password(owner, "ada@example.org")
    owner.post(reverse("stepup:resend", args=[challenge_of(owner).pk]), {"factor": "text"})
    page = owner.get(type_code(owner).url, follow=True).content.decode()
    assert "lost all ways into your account" in page
    opened.refresh_from_db()
    assert opened.state == State.OPEN  # a sign-in alone cancels nothing
    page = owner.get(reverse("security:overview")).content.decode()
    assert "Somebody wants to recover this account" in page
    stranger = Client()
    sign_in(stranger, ben)
    stranger.post(reverse("security:cancel_recovery"))
    opened.refresh_from_db()
    assert opened.state == State.OPEN
    owner.post(reverse("security:cancel_recovery"))
    opened.refresh_from_db()
    assert opened.state == State.CANCELLED
    assert "Somebody wants" not in owner.get(reverse("security:overview")).content.decode()


def test_what_was_cancelled_is_never_finished(client, ada, ready):
    recovery.cancel(ready)
    assert "Nothing is ready" in prove_again(client).content.decode()
    choose_password(client)
    assert not has_the_account(ada)


# --- finishing -------------------------------------------------------------------------------------------------------


def test_the_new_contact_is_told_when_it_is_ready_and_finishes_it(client, ada, ready, deliver):
    recovery.advance()
    recovery.advance()
    deliver()
    said = DemoMessage.objects.get(message__kind=Message.Kind.RECOVERY)
    assert said.message.destination == CONTACT
    assert reverse("sign_in:recovery_finish") in said.text
    browser = Client()
    assert "Take my account back" in prove_again(browser).content.decode()
    assert choose_password(browser).url == reverse("sign_in:sign_in")
    assert not is_signed_in(browser)
    assert has_the_account(ada)
    ready.refresh_from_db()
    assert ready.state == State.DONE
    sign_in_with_the_new_contact = Client()
    type_password(sign_in_with_the_new_contact, CONTACT, NEW)
    sign_in_with_the_new_contact.get(type_code(sign_in_with_the_new_contact).url)
    assert is_signed_in(sign_in_with_the_new_contact, ada)


def test_nothing_old_leads_in_any_more(client, ada, ready):
    make_backup_codes(ada)
    GIVE["passkey"](ada)
    Authenticator.objects.create(user=ada, name="unconfirmed", confirmed=False)
    User.objects.filter(pk=ada.pk).update(
        locked_at=timezone.now(), reset_factor="email", preferred_device="x", reset_factor_rests_until=timezone.now()
    )
    changed = SecurityEvent.objects.create(kind=Kind.EMAIL_CHANGED, user=ada)
    now = timezone.now()
    EmailChange.objects.create(
        user=ada, event=changed, old_email="old@example.org", changed_at=now, undo_until=now + timedelta(days=3)
    )
    undo = undo_path(changed, Message(destination="old@example.org"))
    assert client.get(undo).status_code == 200
    prove_again(client)
    choose_password(client)
    ada.refresh_from_db()
    assert client.get(undo).status_code != 200
    assert (ada.email, ada.phone, ada.locked_at, ada.reset_factor) == (CONTACT, None, None, "")
    owned = [(factor.code, device.destination) for factor in all_factors() for device in factor.get_devices(ada)]
    assert owned == [("email", CONTACT)]
    assert not Authenticator.objects.filter(user=ada).exists()
    for old in ("ada@example.org", "+4915112345678"):
        thief = Client()
        thief.post(reverse("sign_in:reset"), {"contact": old})
        assert challenge_of(thief).decoy


def test_all_sessions_end(client, ada, opened, sam, rita):
    elsewhere = Client()
    type_password(elsewhere, "ada@example.org")
    elsewhere.post(reverse("stepup:resend", args=[challenge_of(elsewhere).pk]), {"factor": "text"})
    elsewhere.get(type_code(elsewhere).url)
    assert elsewhere.get(reverse("security:overview")).status_code == 200
    confirmed_by(opened, sam, rita)
    is_due(opened)
    prove_again(client)
    choose_password(client)
    assert elsewhere.get(reverse("security:overview")).status_code == 302


def test_the_old_channels_are_told(client, ada, ready, deliver):
    prove_again(client)
    choose_password(client)
    deliver()
    said = DemoMessage.objects.filter(text__contains="Your account was recovered")
    assert {each.message.destination for each in said} == {"ada@example.org", "+4915112345678"}
    assert SecurityEvent.objects.filter(kind=Kind.RECOVERY_DONE, user=ada).count() == 1


def test_a_new_phone_rests_before_it_approves_payments(client, ada, sam, rita):
    found = open_one(client, contact="+4915187654321")
    confirmed_by(found, sam, rita)
    is_due(found)
    prove_again(client, "+4915187654321")
    choose_password(client)
    assert has_the_account(ada)
    assert (ada.email, str(ada.phone.as_e164)) == (None, "+4915187654321")
    rests = Phone.objects.get(user=ada).approves_payments_from - timezone.now()
    assert timedelta(hours=71, minutes=59) < rests <= timedelta(hours=72)


def test_for_a_day_a_payment_needs_an_authenticator(client, ada, ready, time_machine):
    prove_again(client)
    choose_password(client)
    ada.refresh_from_db()
    with pytest.raises(policy.NoFactor, match="recovered lately"):
        policy.offers(ada, Purpose.PAY, timezone.now(), policy.STRONG_PAYMENT)
    assert [o.factor.code for o in policy.offers(ada, Purpose.MANAGE_FACTORS, timezone.now())] == ["email"]
    Authenticator.objects.create(user=ada)
    assert [o.factor.code for o in policy.offers(ada, Purpose.PAY, timezone.now())] == ["authenticator"]
    time_machine.move_to(timezone.now() + timedelta(hours=24, minutes=1))
    assert [o.factor.code for o in policy.offers(ada, Purpose.PAY, timezone.now())] == ["authenticator", "email"]


def guards():
    """What is wrong with a recovery that is otherwise ready."""
    now = timezone.now
    return {
        "before three days": lambda found: Recovery.objects.update(effective_at=now() + timedelta(minutes=5)),
        "one confirmation": lambda found: Recovery.objects.update(confirmations=1),
        "too old": lambda found: Recovery.objects.update(expires_at=now()),
        "cancelled": lambda found: Recovery.objects.update(state=State.CANCELLED),
        "refused": lambda found: Recovery.objects.update(state=State.REFUSED),
        "the owner was not told": lambda found: Recovery.objects.update(told_at=None),
        "account closed": lambda found: User.objects.filter(pk=found.user_id).update(is_active=False),
        "of staff now": lambda found: User.objects.filter(pk=found.user_id).update(is_staff=True),
    }


@pytest.mark.parametrize("wrong", guards())
@pytest.mark.parametrize("when", ["before the proof", "after the form was shown"])
def test_it_is_not_finished(client, ada, ready, wrong, when):
    if when == "before the proof":
        guards()[wrong](ready)
        assert "Nothing is ready" in prove_again(client).content.decode()
    else:
        assert "Take my account back" in prove_again(client).content.decode()
        guards()[wrong](ready)
    assert "Nothing is ready" in choose_password(client).content.decode()
    assert not has_the_account(ada)
    assert Mailbox.objects.filter(user=ada, address="ada@example.org").exists()


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ("one confirmation", {"confirmations": 1}),
        ("nobody's", {"user": None}),
        ("before three days", {"ended_at": timezone.now() - timedelta(days=1)}),
    ],
)
def test_the_database_refuses_one_that_is_done_too_early(ready, wrong, fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        Recovery.objects.update(**({"state": State.DONE, "ended_at": timezone.now()} | fields))


def test_it_is_finished_once(client, ada, ready):
    prove_again(client)
    choose_password(client)
    assert choose_password(client, "a third whale of a password").url == reverse("sign_in:recovery_finish")
    prove_again(client)
    choose_password(client, "a third whale of a password")
    assert has_the_account(ada)


def test_another_contact_can_t_finish_it(client, ada, ready):
    thief = Client()
    assert "Nothing is ready" in prove_again(thief, "thief@example.org").content.decode()
    choose_password(thief)
    assert not has_the_account(ada)


def test_without_the_code_there_is_no_form(client, ada, ready):
    thief = Client()
    assert thief.get(reverse("sign_in:recovery_password")).url == reverse("sign_in:recovery_finish")
    thief.post(reverse("sign_in:recovery_finish"), {"contact": CONTACT})
    assert choose_password(thief).url == reverse("sign_in:recovery_finish")
    assert not has_the_account(ada)


def test_the_proof_of_the_opening_does_not_finish_it(client, ada, sam, rita):
    browser = Client()
    found = open_one(browser)
    confirmed_by(found, sam, rita)
    is_due(found)
    assert choose_password(browser).url == reverse("sign_in:recovery_finish")
    Grant.objects.update(used_at=None)
    browser.post(reverse("sign_in:recovery_finish"), {"contact": CONTACT})
    assert choose_password(browser).url == reverse("sign_in:recovery_finish")
    assert not has_the_account(ada)


def test_a_contact_that_got_an_account_meanwhile_takes_no_second_one(client, ada, ready):
    User.objects.create_user(email=CONTACT, password=PASSWORD)
    prove_again(client)
    answer = choose_password(client)
    assert answer.url == reverse("sign_in:recovery_finish")
    assert "belongs to an account already" in client.get(answer.url).content.decode()
    assert not has_the_account(ada)
    assert Mailbox.objects.filter(user=ada, address="ada@example.org").exists()
    ready.refresh_from_db()
    assert ready.state == State.OPEN


@pytest.mark.parametrize("password", ["short", CONTACT, "", "1234567890123"])
def test_a_poor_password_is_refused_and_the_proof_stays(client, ada, ready, password):
    prove_again(client)
    assert choose_password(client, password).status_code == 422
    assert choose_password(client).status_code == 302
    assert has_the_account(ada)


def test_after_two_weeks_it_is_over_and_another_may_be_asked_for(client, ada, ready):
    Recovery.objects.update(expires_at=timezone.now())
    recovery.advance()
    ready.refresh_from_db()
    assert ready.state == State.EXPIRED
    assert not Message.objects.filter(kind=Message.Kind.RECOVERY).exists()
    assert open_one(Client(), contact="again@example.org").user == ada


def test_it_announces_nothing_before_everything_is_there(opened, sam, rita):
    is_due(opened)
    recovery.advance()
    confirmed_by(opened, sam)
    recovery.advance()
    assert not Message.objects.filter(kind=Message.Kind.RECOVERY).exists()


def test_a_ready_message_of_a_cancelled_recovery_is_dropped(client, ready, deliver):
    recovery.advance()
    Recovery.objects.update(state=State.CANCELLED)
    deliver()
    assert not DemoMessage.objects.filter(message__kind=Message.Kind.RECOVERY).exists()


def test_no_message_and_no_page_shows_a_code_or_signs_in(client, ada, ready, deliver):
    recovery.advance()
    deliver()
    for said in DemoMessage.objects.filter(message__kind__in=["notice", "recovery"]):
        assert code_of(challenge_of(client)) not in said.text
    assert not is_signed_in(client)
