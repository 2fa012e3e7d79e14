"""Trusted browsers: asked for, used, not enough for anything but a shopper's sign-in, and over at every change."""

import hashlib
import secrets
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.delivery.models import DemoMessage, Message
from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import make_backup_codes
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import SecurityEvent, User
from accounts.security import services, trust
from accounts.security.lock import lock_account
from accounts.security.models import TrustedBrowser
from accounts.security.tasks import clear_trusted_browsers
from accounts.stepup import levels
from accounts.stepup.models import Challenge, Purpose
from accounts.stepup.policy import POLICY, Person
from tests.accounts.sign_in.steps import (
    app_code,
    challenge_of,
    choose,
    is_signed_in,
    sign_in,
    type_code,
    type_password,
)  # fmt: skip
from tests.accounts.sign_in.test_sign_in import WRONG
from tests.codes import code_of, totp_of, wrong_code_of
from tests.people import PASSWORD

Kind = SecurityEvent.Kind
URL = "/account/security/"
BOX = "ask for a code here for 30 days"


def answer(client, code=None, **more):
    """The code of the newest challenge, and what else is in the form."""
    challenge = challenge_of(client)
    page = reverse("stepup:challenge", args=[challenge.pk])
    return client.post(page, {"code": code or code_of(challenge)} | more)


def sign_in_and_trust(client, user, code=None):
    type_password(client, user.email or str(user.phone))
    return client.get(answer(client, code, trust="1").url)


def sign_out(client):
    client.post(reverse("sign_in:sign_out"))


@pytest.fixture
def trusted(client, ben):
    """Ben's browser, which he trusts and in which he signed out."""
    client.defaults["HTTP_USER_AGENT"] = "Mozilla/5.0 (Linux; Android 10; K) Chrome/131.0.0.0 Mobile Safari/537.36"
    sign_in_and_trust(client, ben)
    sign_out(client)
    return client


def copy_of(client):
    """A new session in the same browser."""
    fresh = Client()
    fresh.cookies["trusted"] = client.cookies["trusted"].value
    return fresh


def asks_for_a_code(client, user, password=PASSWORD):
    reply = type_password(client, user.email, password)
    return not is_signed_in(client) and "/account/challenge/" in reply.url


# --- asked for -------------------------------------------------------------------------------------------------------


def test_the_box_is_not_ticked_beforehand(client, ben):
    type_password(client, "ben@example.org")
    page = client.get(reverse("stepup:challenge", args=[challenge_of(client).pk])).text
    assert BOX in page
    assert "checked" not in page
    client.get(type_code(client).url)
    assert is_signed_in(client)
    assert not TrustedBrowser.objects.exists() and "trusted" not in client.cookies


def test_a_wrong_code_leaves_it_ticked_and_trusts_nothing(client, ben):
    type_password(client, "ben@example.org")
    page = answer(client, wrong_code_of(challenge_of(client)), trust="1")
    assert "checked" in page.text
    client.get(answer(client).url)  # unticked again
    assert is_signed_in(client) and not TrustedBrowser.objects.exists()


@pytest.mark.parametrize("factor", ["text", "email", "authenticator", "backup_code"])
def test_it_is_kept_with_whatever_factor_signs_in(client, ada, factor):
    codes = make_backup_codes(ada)
    type_password(client, "ada@example.org")
    choose(client, factor)
    code = {"authenticator": totp_of(ada, timezone.now()), "backup_code": codes[0]}.get(factor)
    client.get(answer(client, code, trust="1").url)
    assert TrustedBrowser.objects.get().user == ada
    sign_out(client)
    type_password(client, "ada@example.org")
    assert is_signed_in(client, ada)


def test_what_is_kept(client, ben, settings, deliver):
    before = timezone.now()
    client.defaults["HTTP_USER_AGENT"] = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
    reply = sign_in_and_trust(client, ben)
    cookie = reply.cookies["trusted"]
    assert len(cookie.value) == 43
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/" and not cookie["domain"]
    row = TrustedBrowser.objects.get()
    assert row.token_hash == hashlib.sha256(cookie.value.encode()).hexdigest()
    assert row.first_ip == row.last_ip == "127.0.0.1"
    assert timedelta(days=30) <= row.expires_at - before < timedelta(days=30, minutes=1)
    assert SecurityEvent.objects.get(kind=Kind.BROWSER_TRUSTED).detail == {"device": "Firefox on Linux"}
    deliver()
    told = DemoMessage.objects.get(message__kind=Message.Kind.NOTICE)
    assert "no code is asked for at sign-in in a browser: Firefox on Linux." in told.text
    assert cookie.value not in told.text + told.html
    assert "trust_wish" not in client.session


def test_with_https_the_cookie_is_locked_to_the_host(client, ben, settings):
    settings.SECURE, settings.TRUST_COOKIE_NAME = True, "__Host-trusted"
    cookie = sign_in_and_trust(client, ben).cookies["__Host-trusted"]
    assert cookie["secure"] and cookie["httponly"] and cookie["path"] == "/" and not cookie["domain"]
    sign_out(client)
    assert type_password(client, "ben@example.org").cookies["__Host-trusted"]["secure"]
    assert is_signed_in(client)


@pytest.mark.parametrize("purpose", sorted({p for p, who in POLICY if who == Person.SHOPPER} - {Purpose.SIGN_IN}))
def test_no_other_purpose_has_the_box(client, ben, purpose):
    type_password(client, "ben@example.org")
    Challenge.objects.update(purpose=purpose)
    page = reverse("stepup:challenge", args=[challenge_of(client).pk])
    assert BOX not in client.get(page).text
    client.post(page, {"code": "000000", "trust": "1"})
    assert "trust_wish" not in client.session


def test_a_wish_is_for_the_challenge_in_whose_form_it_stood(client, ben, time_machine):
    type_password(client, "ben@example.org")
    answer(client, wrong_code_of(challenge_of(client)), trust="1")
    time_machine.move_to(timezone.now() + timedelta(minutes=11))
    client.post(reverse("stepup:again", args=[challenge_of(client).pk]))
    assert "checked" not in client.get(reverse("stepup:challenge", args=[challenge_of(client).pk])).text
    client.get(answer(client).url)
    assert is_signed_in(client) and not TrustedBrowser.objects.exists()


# --- used ------------------------------------------------------------------------------------------------------------


def test_the_password_alone_signs_in_there(trusted, ben):
    sent = Message.objects.count()
    reply = type_password(trusted, "ben@example.org", wanted="/orders/")
    assert reply.url == "/orders/"
    assert is_signed_in(trusted, ben)
    assert Message.objects.count() == sent and Challenge.objects.count() == 1
    assert SecurityEvent.objects.filter(kind=Kind.SIGNED_IN, user=ben).latest("pk").detail == {
        "factor": "trusted_browser"
    }
    assert "Signed in with your password, in a browser you trust." in trusted.get(URL).text


def test_elsewhere_a_code_is_asked_for(trusted, ben):
    assert asks_for_a_code(Client(), ben)


def test_a_wrong_password_and_an_unknown_name_look_the_same_in_a_trusted_browser(client, trusted, ben):
    answers = []
    for name in ("ben@example.org", "nobody@example.org"):
        browser = copy_of(trusted)
        answers.append(type_password(browser, name, "no"))
        assert not is_signed_in(browser)
    for answered in answers:
        assert answered.status_code == 422 and WRONG in answered.text
        assert answered.cookies.keys() == {"csrf"}
    assert answers[0].headers.keys() == answers[1].headers.keys()
    type_password(trusted, "ben@example.org")  # and the token is as good as before
    assert is_signed_in(trusted)


def test_the_session_key_changes(trusted, ben):
    browser = copy_of(trusted)
    session = browser.session
    session["kept"] = 1
    session.save()
    type_password(browser, "ben@example.org")
    assert browser.session["kept"] == 1 and browser.session.session_key != session.session_key


def test_another_persons_browser_trusts_nobody_else(trusted, mallory):
    assert asks_for_a_code(trusted, mallory)


def test_a_token_is_used_once_and_a_copy_of_it_spares_nobody_the_code(trusted, ben):
    thief = copy_of(trusted)
    type_password(trusted, "ben@example.org")
    assert thief.cookies["trusted"].value != trusted.cookies["trusted"].value
    assert asks_for_a_code(thief, ben)
    sign_out(trusted)
    type_password(trusted, "ben@example.org")
    assert is_signed_in(trusted)


def test_a_code_gives_the_honest_browser_its_trust_back_and_shuts_the_thief_out(trusted, ben):
    thief = copy_of(trusted)
    type_password(thief, "ben@example.org")  # knows the password too, and was faster
    assert is_signed_in(thief)
    assert asks_for_a_code(trusted, ben)
    trusted.get(answer(trusted).url)  # without ticking anything
    sign_out(trusted)
    sign_out(thief)
    assert asks_for_a_code(thief, ben)
    type_password(trusted, "ben@example.org")
    assert is_signed_in(trusted)
    assert TrustedBrowser.objects.count() == 1


def test_a_code_without_the_box_gives_no_trust_to_other_tokens(trusted, ben):
    end = TrustedBrowser.objects.get().expires_at
    TrustedBrowser.objects.update(expires_at=timezone.now())
    assert asks_for_a_code(trusted, ben)
    trusted.get(answer(trusted).url)
    assert is_signed_in(trusted)
    assert TrustedBrowser.objects.get().expires_at < end
    sign_out(trusted)
    assert asks_for_a_code(trusted, ben)


def test_ticking_it_again_makes_no_second_row_that_holds(trusted, ben):
    TrustedBrowser.objects.update(token_hash="0" * 64, previous_hash=TrustedBrowser.objects.get().token_hash)
    sign_in_and_trust(trusted, ben)
    assert [row["this_one"] for row in trust.trusted_browsers_of(ben, trusted.cookies["trusted"].value)] == [True]


def test_it_ends_after_30_days_however_often_it_was_used(trusted, ben, time_machine):
    start = timezone.now()
    time_machine.move_to(start + timedelta(days=29))
    type_password(trusted, "ben@example.org")
    assert is_signed_in(trusted)
    sign_out(trusted)
    time_machine.move_to(start + timedelta(days=30, minutes=1))
    assert asks_for_a_code(trusted, ben)
    clear_trusted_browsers()
    assert not TrustedBrowser.objects.exists()


@pytest.mark.parametrize(
    "value", ["", "x", "é" * 43, "A" * 43, "A" * 5000, "\ud800" * 43, "a b", '"', "..%2f", "=" * 43]
)
def test_odd_cookies_are_no_trust_and_no_error(client, ben, value):
    client.cookies["trusted"] = ""
    client.cookies["trusted"]._value = client.cookies["trusted"]._coded_value = value.encode(
        "utf-8", "surrogatepass"
    ).decode("latin-1")
    assert asks_for_a_code(client, ben)
    client.get(type_code(client).url)
    assert client.get(URL).status_code == 200


@pytest.mark.parametrize("token", ["\ud800" * 43, "é" * 43, "A" * 44, "A" * 43 + "\n"])
def test_what_can_be_no_token_is_not_looked_up(ben, token, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert trust.use_trust(user=ben, token=token) is None
        assert trust.keep_trust(user=ben, token=token, wished=False) is None


def test_a_sign_in_without_our_cookie_pays_no_query_for_trust(ben, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert trust.use_trust(user=ben, token="") is None
    with django_assert_num_queries(1):
        assert trust.use_trust(user=ben, token="A" * 43) is None


# --- what it is not worth --------------------------------------------------------------------------------------------


def test_it_is_less_than_any_proof(trusted, ben, rf):
    type_password(trusted, "ben@example.org")
    request = rf.get("/")
    request.user, request.session = ben, trusted.session
    assert levels.level_of(request) is None
    for purpose in Purpose:
        if (purpose, Person.SHOPPER) in POLICY:
            assert not levels.has_recent_proof(request, purpose)


def test_an_older_level_does_not_come_back_with_it(trusted, ben):
    browser = copy_of(trusted)
    session = browser.session
    session["level"] = {"strength": 3, "factor": "authenticator", "at": timezone.now().isoformat()}
    session.save()
    type_password(browser, "ben@example.org")
    assert is_signed_in(browser) and "level" not in browser.session


@pytest.mark.parametrize("name", ["security:authenticator", "security:backup_codes"])
def test_a_change_of_the_account_asks_for_a_code(trusted, ben, name):
    type_password(trusted, "ben@example.org")
    for act in (trusted.get, trusted.post):
        assert "/account/challenge/" in act(reverse(name)).url
    assert BOX not in trusted.get(reverse("stepup:challenge", args=[challenge_of(trusted).pk])).text


def test_staff_neither_get_nor_use_it(client, rita, ben):
    type_password(client, "rita@example.org")
    assert BOX not in client.get(reverse("stepup:challenge", args=[challenge_of(client).pk])).text
    client.get(answer(client, app_code(rita), trust="1").url)
    assert is_signed_in(client, rita)
    assert not TrustedBrowser.objects.exists()
    assert trust.keep_trust(user=rita, token="", wished=True) is None
    Authenticator.objects.all().delete()  # and so signs in as a shopper would
    fresh = Client()
    type_password(fresh, "rita@example.org")
    fresh.get(answer(fresh, trust="1").url)
    assert is_signed_in(fresh, rita) and not TrustedBrowser.objects.exists()


def test_whoever_joins_the_staff_is_no_longer_trusted(trusted, ben):
    User.objects.update(is_staff=True)
    assert asks_for_a_code(trusted, ben)


# --- over at every change --------------------------------------------------------------------------------------------


def change_password(user):
    user.set_password("another good password")
    user.save()


def add_authenticator(user):
    app = services.pending_authenticator(user=user)
    services.confirm_authenticator(user=user, device_id=app.pk, code=totp_of(user, timezone.now()), name="")


def change_email(user):
    User.objects.filter(pk=user.pk).update(email="new@example.org")


def change_mailbox_in_place(user):
    Mailbox.objects.filter(user=user).update(address="new@example.org")


def event_of(kind):
    return lambda user: audit.record(kind, user=user)


@pytest.mark.parametrize(
    "change",
    [
        change_password,
        add_authenticator,
        change_email,
        change_mailbox_in_place,
        lambda user: User.objects.filter(pk=user.pk).update(phone="+4915100000001"),
        lambda user: Phone.objects.create(user=user, number="+4915100000001"),
        lambda user: Mailbox.objects.filter(user=user).delete(),
        make_backup_codes,
        *map(event_of, trust.CHANGES),
    ],
)
def test_it_ends_with_any_change(trusted, ben, change):
    token = trusted.cookies["trusted"].value
    change(User.objects.get())
    user = User.objects.get()
    assert [row["holds"] for row in trust.trusted_browsers_of(user, token)] == [False]
    assert trust.use_trust(user=user, token=token) is None


def test_a_change_and_its_undoing_are_two_changes(trusted, ben):
    change_email(ben)
    audit.record(Kind.EMAIL_CHANGED, user=ben)
    User.objects.update(email="ben@example.org")
    audit.record(Kind.EMAIL_CHANGE_UNDONE, user=ben)
    assert asks_for_a_code(trusted, ben)


def test_a_removed_app_ends_it(client, ada):
    sign_in_and_trust(client, ada, app_code(ada))
    token = client.cookies["trusted"].value
    services.remove_authenticator(user=ada, device_id=Authenticator.objects.get().pk)
    assert trust.use_trust(user=ada, token=token) is None
    assert "was changed" in client.get(URL).text


def test_a_reset_ends_it(trusted, ben):
    Phone.objects.create(user=ben, number="+4915100000001")
    other = Client()
    sign_in_and_trust(trusted, ben)
    sign_out(trusted)
    other.post(reverse("sign_in:reset"), {"contact": "ben@example.org"})
    type_code(other)
    other.post(reverse("sign_in:reset_password"), {"password": "another whale"})
    assert asks_for_a_code(trusted, ben, "another whale")


def test_a_lock_ends_it_for_good(trusted, ben):
    token = trusted.cookies["trusted"].value
    lock_account(user=ben)
    assert trust.use_trust(user=ben, token=token) is None
    User.objects.update(locked_at=None)
    assert trust.use_trust(user=User.objects.get(), token=token) is None
    assert TrustedBrowser.objects.get().revoked_at


def test_what_does_not_change_the_account_does_not_end_it(trusted, ben):
    audit.record(Kind.PASSWORD_REFUSED, user=ben)
    Authenticator.objects.create(user=ben, confirmed=False)
    User.objects.update(name="Ben Longer", preferred_device="x")
    type_password(trusted, "ben@example.org")
    assert is_signed_in(trusted)


def test_using_a_backup_code_does_not_end_it(client, ben):
    codes = make_backup_codes(ben)
    sign_in_and_trust(client, ben)
    sign_out(client)
    other = Client()
    for code in codes:
        Challenge.objects.all().delete()
        type_password(other, "ben@example.org")
        choose(other, "backup_code")
        other.get(type_code(other, code).url)
        sign_out(other)
    type_password(client, "ben@example.org")
    assert is_signed_in(client)


# --- seen and ended --------------------------------------------------------------------------------------------------


def test_the_page_lists_them(trusted, ben):
    type_password(trusted, "ben@example.org")
    other = Client(REMOTE_ADDR="198.51.100.8")
    sign_in_and_trust(other, ben)
    shown = trusted.get(URL).context["trusted_browsers"]
    assert [(row["ip"], row["this_one"]) for row in shown] == [("198.51.100.8", False), ("127.0.0.1", True)]
    assert shown[1]["device"] == "Chrome on Android"
    assert "this browser" in trusted.get(URL).text


def test_the_page_says_that_there_are_none(client, ben):
    sign_in(client, ben)
    assert "None: each sign-in takes a code." in client.get(URL).text


def test_one_is_ended_without_a_proof(trusted, ben):
    type_password(trusted, "ben@example.org")
    row = TrustedBrowser.objects.get()
    for _ in range(2):
        trusted.post(reverse("security:end_trust", args=[row.pk]))
    assert SecurityEvent.objects.get(kind=Kind.TRUST_ENDED).detail == {"device": "Chrome on Android"}
    sign_out(trusted)
    assert asks_for_a_code(trusted, ben)


def test_all_are_ended_at_once(trusted, ben):
    other = Client()
    sign_in_and_trust(other, ben)
    other.post(reverse("security:end_all_trust"))
    assert not TrustedBrowser.objects.filter(revoked_at=None).exists()
    assert asks_for_a_code(trusted, ben)
    assert SecurityEvent.objects.filter(kind=Kind.TRUST_ENDED, user=ben).count() == 1


def test_nobody_ends_somebody_elses(trusted, ben, mallory):
    other = Client()
    sign_in(other, mallory)
    other.post(reverse("security:end_trust", args=[TrustedBrowser.objects.get().pk]))
    other.post(reverse("security:end_all_trust"))
    assert other.get(URL).context["trusted_browsers"] == []
    type_password(trusted, "ben@example.org")
    assert is_signed_in(trusted)


def test_tokens_are_256_random_bits(client, ben, monkeypatch):
    asked = []
    monkeypatch.setattr(secrets, "token_urlsafe", lambda n=None: asked.append(n) or "A" * 43)
    trust.keep_trust(user=ben, token="", wished=True)
    assert asked == [32]
