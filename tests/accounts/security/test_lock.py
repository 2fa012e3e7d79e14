"""This wasn't me: locked, signed out, and opened again by a new password."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.delivery.models import DemoMessage, Message
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import SecurityEvent, User
from accounts.security.lock import lock_account
from accounts.security.models import Session
from accounts.stepup import challenges, grants, policy
from accounts.stepup.challenges import Asker
from accounts.stepup.models import Challenge, Grant, Purpose
from tests.accounts.sign_in.steps import app_code, challenge_of, is_signed_in, sign_in, type_code, type_password
from tests.accounts.sign_in.test_sign_in import WRONG
from tests.codes import code_of
from tests.people import PASSWORD

Kind = SecurityEvent.Kind
URL = "/account/security/"
NEW = "another whale of a password"


@pytest.fixture
def event(ben):
    return audit.record(Kind.PASSWORD_REFUSED, user=ben, ip="198.51.100.99")


def lock(client, event, **more):
    return client.post(reverse("security:lock", args=[event.pk]), **more)


def locked(user):
    lock_account(user=User.objects.get(pk=user.pk))
    return user


def test_beside_each_event_is_a_way_to_say_it_was_somebody_else(client, ben, event):
    sign_in(client, ben)
    page = client.get(URL)
    for shown in page.context["events"]:
        assert reverse("security:lock", args=[shown["pk"]]) in page.text
    asked = client.get(reverse("security:lock", args=[event.pk])).text
    assert "Lock your account?" in asked and "A wrong password was typed." in asked and "198.51.100.99" in asked
    ben.refresh_from_db()
    assert ben.locked_at is None


def test_it_locks_signs_everybody_out_and_leads_to_a_new_password(client, ben, event):
    thief = Client()
    for browser in (client, thief):
        sign_in(browser, ben)
    page = lock(client, event, follow=True)
    assert not Session.objects.filter(user=ben).exists()
    assert page.redirect_chain[-1][0] == reverse("sign_in:reset")
    assert "Your account is locked" in page.text
    ben.refresh_from_db()
    assert ben.locked_at
    assert not is_signed_in(client) and thief.get(URL).status_code == 302
    said = SecurityEvent.objects.get(kind=Kind.ACCOUNT_LOCKED, user=ben)
    assert said.detail == {"about": event.pk, "was": "password_refused"}


def test_the_owner_is_told_everywhere(client, ada, deliver):
    sign_in(client, ada, app_code(ada))
    lock(client, SecurityEvent.objects.filter(user=ada).latest("pk"))
    told = Message.objects.filter(kind="notice").values_list("channel", flat=True)
    assert sorted(told) == ["email", "text"]
    deliver()
    for said in DemoMessage.objects.filter(message__kind="notice"):
        assert "Your account was locked" in said.text


def test_once_is_enough(ben):
    assert lock_account(user=ben) and not lock_account(user=ben)
    assert SecurityEvent.objects.filter(kind=Kind.ACCOUNT_LOCKED).count() == 1


def test_nobody_locks_by_somebody_elses_event_or_from_another_site(client, ben, mallory, event):
    sign_in(client, mallory)
    assert lock(client, event).status_code == client.get(reverse("security:lock", args=[event.pk])).status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ben)
    assert lock(strict, event).status_code == 403
    assert not User.objects.exclude(locked_at=None).exists()


def test_the_right_password_is_told_and_a_wrong_one_learns_nothing(client, ben):
    locked(ben)
    answer = type_password(client, "ben@example.org")
    assert answer.status_code == 403
    assert "Your account is locked" in answer.text and reverse("sign_in:reset") in answer.text
    stranger = Client()
    wrong, unknown = type_password(stranger, "ben@example.org", "no"), type_password(stranger, "nobody@example.org")
    assert wrong.status_code == unknown.status_code == 422
    assert WRONG in wrong.text and "locked" not in wrong.text
    assert not Challenge.objects.exists() and not Message.objects.filter(kind="code").exists()


def test_an_account_without_a_factor_is_not_asked_either(client, ben):
    Mailbox.objects.all().delete()
    locked(ben)
    assert type_password(client, "ben@example.org").status_code == 403
    assert not Challenge.objects.exists()


@pytest.mark.parametrize("when", ["before the code", "after the code"])
def test_a_sign_in_under_way_ends(client, ben, when):
    type_password(client, "ben@example.org")
    if when == "before the code":
        locked(ben)
        assert type_code(client).status_code == 410
        challenge = challenge_of(client)
        assert challenge.state == Challenge.State.SUPERSEDED
        assert client.post(reverse("stepup:again", args=[challenge.pk])).status_code == 404
    else:
        answer = type_code(client)
        locked(ben)
        assert client.get(answer.url).url == reverse("sign_in:sign_in")
        assert not Grant.objects.filter(used_at=None, expires_at__gt=timezone.now()).exists()
    assert not is_signed_in(client)


def test_a_sign_in_that_was_finished_at_the_same_moment_opens_nothing(client, ben):
    """The person was read before the lock, the session written after it."""
    User.objects.filter(pk=ben.pk).update(locked_at=timezone.now())
    client.force_login(ben)
    assert client.get(URL).status_code == 302
    ben.refresh_from_db()
    client.force_login(ben)
    assert client.get(URL).status_code == 302


def test_it_stays_out_after_the_unlock_too(client, ben):
    client.force_login(ben)
    locked(ben)
    Session.objects.all().delete()
    late = Client()
    late.force_login(ben)
    reset(Client(), "ben@example.org")
    for browser in (client, late):
        assert browser.get(URL).status_code == 302


@pytest.mark.parametrize("purpose", [Purpose.SIGN_IN, Purpose.PAY, Purpose.MANAGE_FACTORS])
def test_nothing_is_begun_answered_or_used_while_it_is_locked(ben, browser_id, purpose):
    asker = Asker(browser=browser_id, user=ben)
    more = {"purpose": purpose, "digest": bytes(32)}
    live = challenges.begin(asker=asker, next_path="/", **more)
    passed = challenges.begin(asker=Asker(browser="0" * 64, user=ben), next_path="/", **more)
    challenges.answer(passed.pk, asker=Asker(browser="0" * 64, user=ben), code=code_of(passed), **more)
    locked(ben)
    ben.refresh_from_db()
    with pytest.raises(policy.Locked):
        challenges.begin(asker=asker, next_path="/", **more)
    Challenge.objects.filter(pk=live.pk).update(state="live")  # even if one had slipped through
    live.refresh_from_db()
    for act in (
        lambda: challenges.answer(live.pk, asker=asker, code=code_of(live), **more),
        lambda: challenges.send(live, asker=asker, factor="email"),
        lambda: challenges.choose(live, asker=asker, factor="email"),
    ):
        with pytest.raises(challenges.ChallengeOver):
            act()
    assert grants.find(browser="0" * 64, user=ben, **more) is None


def test_a_reset_that_a_thief_had_under_way_ends(client, ben):
    client.post(reverse("sign_in:reset"), {"contact": "ben@example.org"})
    type_code(client)
    locked(ben)
    assert client.post(reverse("sign_in:reset_password"), {"password": NEW}).url == reverse("sign_in:reset")
    ben.refresh_from_db()
    assert ben.locked_at and ben.check_password(PASSWORD)


def reset(client, contact):
    client.post(reverse("sign_in:reset"), {"contact": contact})
    type_code(client)
    return client.post(reverse("sign_in:reset_password"), {"password": NEW})


def test_a_new_password_opens_it_again(client, ada):
    locked(ada)
    assert reset(client, "ada@example.org").url == reverse("sign_in:sign_in")
    ada.refresh_from_db()
    assert ada.locked_at is None and ada.check_password(NEW)
    assert SecurityEvent.objects.filter(kind=Kind.ACCOUNT_UNLOCKED, user=ada).count() == 1
    type_password(client, "ada@example.org", NEW)
    client.get(type_code(client, app_code(ada)).url)
    assert is_signed_in(client, ada)


def test_a_reset_of_an_open_account_unlocks_nothing(client, ada):
    reset(client, "ada@example.org")
    assert not SecurityEvent.objects.filter(kind=Kind.ACCOUNT_UNLOCKED).exists()


def test_a_closed_account_stays_closed(client, ben):
    locked(ben)
    User.objects.update(is_active=False)
    reset(client, "ben@example.org")
    ben.refresh_from_db()
    assert ben.locked_at and not ben.is_active


def test_others_are_not_touched(client, ben, mallory):
    sign_in(client, mallory)
    at_work = Client()
    type_password(at_work, "mallory@example.net")
    locked(ben)
    assert client.get(URL).status_code == 200
    at_work.get(type_code(at_work).url)
    assert is_signed_in(at_work, mallory)


def test_a_guests_purchase_with_the_same_phone_goes_on(ben, browser_id):
    Phone.objects.create(user=ben, number="+4915187654321")
    asker = Asker(browser=browser_id, contact="+4915187654321")
    guest = challenges.begin(asker=asker, purpose=Purpose.PAY, digest=bytes(32), next_path="/")
    locked(ben)
    guest.refresh_from_db()
    assert guest.state == Challenge.State.LIVE


def test_staff_are_locked_too(client, rita):
    sign_in(client, rita, app_code(rita), wanted="/admin/")
    locked(rita)
    assert client.get("/admin/").status_code == 302
    assert type_password(Client(), "rita@example.org").status_code == 403
