from datetime import timedelta

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import limits
from accounts.delivery.models import Message
from accounts.factors.authenticator import Authenticator
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import SecurityEvent, User
from accounts.sign_in import passwords
from accounts.stepup import levels
from accounts.stepup.models import Challenge, Grant, Purpose
from tests.accounts.sign_in.steps import app_code, challenge_of, choose, is_signed_in, sign_in, type_code, type_password
from tests.codes import code_of, wrong_code_of
from tests.people import PASSWORD

Kind = SecurityEvent.Kind
WRONG = "That e-mail or phone and password don’t go together."


def test_password_code_done_signs_in(client, ben):
    answer = type_password(client, "ben@example.org")
    challenge = challenge_of(client)
    assert answer.url == reverse("stepup:challenge", args=[challenge.pk])
    assert not is_signed_in(client)
    answer = type_code(client)
    assert answer.url == reverse("sign_in:done")
    assert not is_signed_in(client)
    answer = client.get(answer.url)
    assert answer.url == reverse("product:home")
    assert is_signed_in(client, ben)
    assert client.session["level"]["factor"] == "email"
    assert SecurityEvent.objects.filter(kind=Kind.SIGNED_IN, user=ben, ip="127.0.0.1").count() == 1
    assert Grant.objects.get().used_at


@pytest.mark.parametrize("name", ["+4915187654321", "01518 7654321", " 0049 1518 7654321 "])
def test_a_phone_in_any_form_is_a_name(client, cleo, name):
    type_password(client, name)
    assert Message.objects.get().channel == "text"
    client.get(type_code(client).url)
    assert is_signed_in(client, cleo)


@pytest.mark.parametrize("name", ["BEN@Example.org", " ben@example.org "])
def test_an_e_mail_in_any_case_is_a_name(client, ben, name):
    assert type_password(client, name).status_code == 302


def test_the_session_key_changes_at_every_gain(client, ben):
    type_password(client, "ben@example.org")
    keys = [client.session.session_key]
    answer = type_code(client)
    keys.append(client.session.session_key)
    client.get(answer.url)
    keys.append(client.session.session_key)
    assert len(set(keys)) == 3


def test_the_stronger_factor_is_asked_for_first_and_a_text_serves(client, ada):
    type_password(client, "ada@example.org")
    assert challenge_of(client).factor == "authenticator"
    assert not Message.objects.exists()
    choose(client, "text")
    client.get(type_code(client).url)
    assert is_signed_in(client, ada)
    assert client.session["level"]["factor"] == "text"


def test_an_unknown_name_and_a_wrong_password_get_the_same_answer(client, ben):
    unknown = type_password(client, "nobody@example.org")
    wrong = type_password(client, "ben@example.org", "wrong password")
    assert unknown.status_code == wrong.status_code == 422
    for answer in (unknown, wrong):
        assert WRONG in answer.content.decode()
        assert "set-cookie" not in {name.lower() for name in answer.headers}
    assert set(unknown.cookies) == set(wrong.cookies)
    assert not Message.objects.exists()
    assert not Challenge.objects.exists()
    assert [event.user for event in SecurityEvent.objects.order_by("pk")] == [None, ben]


def test_an_unknown_name_costs_as_many_queries_as_a_wrong_password(client, ben, django_assert_num_queries):
    with django_assert_num_queries(5):
        type_password(client, "nobody@example.org")
    with django_assert_num_queries(5):
        type_password(client, "ben@example.org", "wrong password")


@pytest.mark.parametrize("name", ["", "x" * 255, "ben@example.org\x00", "++++", "１２３", "@", "' OR 1=1"])
def test_odd_names_are_refused_calmly(client, ben, name):
    assert type_password(client, name).status_code == 422


@pytest.mark.parametrize("password", ["", "x" * 10_000, "\x00", "💥" * 30])
def test_odd_passwords_are_refused_calmly(client, ben, password):
    assert type_password(client, "ben@example.org", password).status_code == 422


def test_a_closed_account_looks_like_a_wrong_password(client, ben):
    User.objects.update(is_active=False)
    answer = type_password(client, "ben@example.org")
    assert answer.status_code == 422
    assert WRONG in answer.content.decode()


@pytest.mark.parametrize("name", ["ben@example.org", "nobody@example.org"])
def test_ten_passwords_a_quarter_of_an_hour_are_looked_at(client, ben, name):
    for _ in range(10):
        assert type_password(client, name, "wrong password").status_code == 422
    answer = type_password(client, name.upper(), PASSWORD)
    assert answer.status_code == 429
    assert "Too many passwords" in answer.content.decode()
    assert not Challenge.objects.exists()


def test_after_the_quarter_of_an_hour_the_owner_gets_in(ben):
    now = timezone.now()
    for _ in range(10):
        with pytest.raises(passwords.WrongPassword):
            passwords.check_password(name="ben@example.org", password="no", ip=None, now=now)
    with pytest.raises(passwords.TooManyPasswords) as many:
        passwords.check_password(name="ben@example.org", password=PASSWORD, ip=None, now=now)
    assert many.value.until == now + timedelta(minutes=15)
    later = now + timedelta(minutes=15)
    assert passwords.check_password(name="ben@example.org", password=PASSWORD, ip=None, now=later) == ben


def test_fifty_passwords_an_hour_from_one_address(client, ben):
    for number in range(50):
        with pytest.raises(passwords.WrongPassword):
            passwords.check_password(name=f"n{number}@example.org", password="no", ip="127.0.0.1")
    assert type_password(client, "ben@example.org").status_code == 429


def test_a_right_password_gets_its_try_back(client, ben):
    for _ in range(12):
        assert type_password(Client(), "ben@example.org").status_code == 302
    assert limits.spent("passwords for a name", "ben@example.org", window=timedelta(hours=1)) == 0


# --- where to go afterwards ------------------------------------------------------------------------------------------


def test_it_goes_on_to_where_the_person_wanted(client, ben):
    answer = sign_in(client, ben, wanted="/orders/%3Fpage=2")
    assert answer.url == "/orders/?page=2"


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x", "x" * 300]
)
def test_it_goes_nowhere_else(client, ben, wanted):
    assert sign_in(client, ben, wanted=wanted).url == reverse("product:home")


def test_the_latest_wish_counts_where_the_challenge_is_the_same(client, ben):
    type_password(client, "ben@example.org", wanted="/orders/")
    type_password(client, "ben@example.org", wanted="/cart/")
    assert Challenge.objects.count() == 1
    assert client.get(type_code(client).url).url == "/cart/"


def test_whoever_is_signed_in_goes_straight_on(client, ben):
    client.force_login(ben)
    assert client.get(reverse("sign_in:sign_in") + "?next=/orders/").url == "/orders/"
    assert client.get(reverse("sign_in:sign_up")).url == reverse("product:home")


# --- what does not sign in -------------------------------------------------------------------------------------------


def test_without_the_code_there_is_nothing_to_be_done(client, ben):
    type_password(client, "ben@example.org")
    answer = client.get(reverse("sign_in:done"))
    assert answer.url == reverse("sign_in:sign_in")
    assert not is_signed_in(client)


def test_done_out_of_the_blue_leads_to_the_sign_in(client, db):
    assert client.get(reverse("sign_in:done")).url == reverse("sign_in:sign_in")


def test_a_proof_signs_in_once(client, ben):
    sign_in(client, ben)
    client.post(reverse("sign_in:sign_out"))
    assert not is_signed_in(client)
    client.get(reverse("sign_in:done"))
    assert not is_signed_in(client)


def test_the_same_code_twice_leads_on_and_signs_in_once(client, ben):
    type_password(client, "ben@example.org")
    first, second = type_code(client), type_code(client)
    assert first.url == second.url
    client.get(first.url)
    assert client.get(second.url).url == reverse("sign_in:sign_in")  # which sends a person signed in straight on
    assert SecurityEvent.objects.filter(kind=Kind.SIGNED_IN).count() == 1


def test_a_code_typed_in_another_browser_is_refused_and_costs_nothing(client, ben):
    type_password(client, "ben@example.org")
    challenge = challenge_of(client)
    thief = Client()
    type_password(thief, "mallory@example.net")
    for url in ("challenge", "resend", "again", "delivery_state"):
        page = reverse(f"stepup:{url}", args=[challenge.pk])
        for answer in (thief.post(page, {"code": code_of(challenge)}), thief.get(page)):
            assert answer.status_code in (404, 405)
    challenge.refresh_from_db()
    assert challenge.attempts_left == 5
    client.get(type_code(client).url)
    assert is_signed_in(client, ben)


def test_a_grant_of_one_browser_signs_nobody_in_elsewhere(client, ben):
    type_password(client, "ben@example.org")
    type_code(client)
    thief = Client()
    type_password(thief, "ben@example.org")
    thief.get(reverse("sign_in:done"))
    assert not is_signed_in(thief)


def test_a_password_changed_before_the_code_ends_the_sign_in(client, ben):
    type_password(client, "ben@example.org")
    ben.set_password("another good password")
    ben.save()
    answer = type_code(client)
    assert answer.status_code == 410
    challenge = challenge_of(client)
    assert client.post(reverse("stepup:again", args=[challenge.pk])).status_code == 404


def test_a_password_changed_after_the_code_ends_the_sign_in(client, ben):
    type_password(client, "ben@example.org")
    answer = type_code(client)
    ben.set_password("another good password")
    ben.save()
    assert client.get(answer.url).url == reverse("sign_in:sign_in")
    assert not is_signed_in(client)
    assert Grant.objects.get().used_at is None


@pytest.mark.parametrize("before_the_code", [True, False])
def test_an_account_closed_in_between_does_not_get_in(client, ben, before_the_code):
    type_password(client, "ben@example.org")
    if before_the_code:
        User.objects.update(is_active=False)
        assert type_code(client).status_code == 410
    else:
        answer = type_code(client)
        User.objects.update(is_active=False)
        client.get(answer.url)
    assert not is_signed_in(client)


def test_a_password_typed_long_ago_is_typed_again(client, ben, time_machine):
    type_password(client, "ben@example.org")
    time_machine.move_to(timezone.now() + timedelta(minutes=31))
    challenge = challenge_of(client)
    client.post(reverse("stepup:again", args=[challenge.pk]))
    assert challenge_of(client) != challenge
    client.get(type_code(client).url)
    assert not is_signed_in(client)


def test_a_new_code_within_the_time_signs_in(client, ben, time_machine):
    type_password(client, "ben@example.org")
    time_machine.move_to(timezone.now() + timedelta(minutes=11))
    challenge = challenge_of(client)
    assert type_code(client).status_code == 410
    client.post(reverse("stepup:again", args=[challenge.pk]))
    client.get(type_code(client).url)
    assert is_signed_in(client, ben)


def test_two_people_in_two_tabs_of_one_browser(client, ben, cleo):
    type_password(client, "ben@example.org")
    of_ben = challenge_of(client)
    type_password(client, "+4915187654321")
    assert client.post(reverse("stepup:challenge", args=[of_ben.pk]), {"code": code_of(of_ben)}).status_code == 410
    client.get(type_code(client).url)
    assert is_signed_in(client, cleo)


# --- accounts without a factor ---------------------------------------------------------------------------------------


def test_a_fresh_superuser_proves_the_accounts_own_mailbox_and_is_led_to_an_authenticator(client, db):
    root = User.objects.create_superuser(email="root@example.org", password=PASSWORD)
    type_password(client, "root@example.org")
    assert Message.objects.get().destination == "root@example.org"
    answer = client.get(type_code(client).url + "?next=/admin/")
    assert answer.url == reverse("security:authenticator") + "?next=%2Fadmin%2F"
    assert is_signed_in(client, root)
    assert Mailbox.objects.get(user=root).confirmed
    assert client.get("/admin/").status_code == 302


def test_an_account_with_a_phone_alone_proves_it(client, db):
    user = User.objects.create_user(phone="+4915111111111", password=PASSWORD)
    sign_in(client, user)
    assert is_signed_in(client, user)
    assert Phone.objects.get(user=user).confirmed


def test_after_a_reset_by_e_mail_an_e_mail_is_not_enough_and_the_page_says_until_when(client, ben):
    User.objects.update(reset_factor="email", reset_factor_rests_until=timezone.now() + timedelta(hours=71))
    answer = type_password(client, "ben@example.org")
    assert answer.status_code == 403
    assert "was reset by e-mail" in answer.content.decode()
    assert not Message.objects.exists()
    User.objects.update(reset_factor_rests_until=timezone.now() - timedelta(seconds=1))
    assert type_password(client, "ben@example.org").status_code == 302


# --- staff -----------------------------------------------------------------------------------------------------------


def test_staff_with_an_authenticator_are_let_into_the_admin(client, rita):
    answer = sign_in(client, rita, app_code(rita), wanted="/admin/")
    assert answer.url == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert Challenge.objects.get().purpose == Purpose.STAFF_SIGN_IN


def test_no_weaker_factor_serves_staff(client, rita):
    type_password(client, "rita@example.org")
    for factor in ("email", "text", "backup_code"):
        assert choose(client, factor).status_code in (404, 410, 422)
    assert challenge_of(client).factor == "authenticator"
    assert not Message.objects.exists()


def test_the_admin_leads_a_signed_in_member_of_staff_to_the_code_alone(client, rita, time_machine):
    sign_in(client, rita, app_code(rita))
    time_machine.move_to(timezone.now() + timedelta(hours=13))
    answer = client.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0] == reverse("sign_in:staff") + "?next=%2Fadmin%2F"
    key = client.session.session_key
    answer = client.post(answer.redirect_chain[-1][0])
    assert answer.url == reverse("stepup:challenge", args=[challenge_of(client).pk])
    answer = client.get(type_code(client, app_code(rita)).url)
    assert answer.url == "/admin/"
    assert client.session.session_key != key
    assert client.get("/admin/").status_code == 200


def test_staff_without_an_authenticator_are_led_to_one_and_not_into_the_admin(client, rita):
    Authenticator.objects.all().delete()
    assert sign_in(client, rita).url == reverse("security:authenticator")
    page = client.get(reverse("sign_in:staff") + "?next=/admin/")
    assert reverse("security:authenticator") + "?next=%2Fadmin%2F" in page.content.decode()
    assert client.post(reverse("sign_in:staff")).status_code == 200
    assert client.get("/admin/").status_code == 302


def test_the_staff_door_does_not_exist_for_shoppers(client, ben):
    sign_in(client, ben)
    assert client.get(reverse("sign_in:staff")).status_code == 404


def test_the_staff_door_asks_strangers_to_sign_in(client, db):
    answer = client.get(reverse("sign_in:staff") + "?next=/admin/")
    assert answer.url == reverse("sign_in:sign_in") + "?next=%2Fadmin%2F"


def test_one_code_of_the_app_signs_in_one_browser(rita, time_machine):
    time_machine.move_to(timezone.now(), tick=False)
    browsers = [Client() for _ in range(3)]
    for browser in browsers:
        type_password(browser, "rita@example.org")
    answers = [type_code(browser, app_code(rita)) for browser in browsers]
    assert [answer.status_code for answer in answers] == [302, 422, 422]


# --- out again -------------------------------------------------------------------------------------------------------


def test_signing_out_ends_the_session(client, ben):
    sign_in(client, ben)
    assert client.get(reverse("sign_in:sign_out")).status_code == 405
    assert client.post(reverse("sign_in:sign_out")).url == reverse("product:home")
    assert SESSION_KEY not in client.session
    assert levels._KEY not in client.session
    assert SecurityEvent.objects.filter(kind=Kind.SIGNED_OUT, user=ben).count() == 1


def test_five_wrong_codes_end_the_challenge_and_a_new_one_may_be_asked_for(client, ben):
    type_password(client, "ben@example.org")
    challenge = challenge_of(client)
    answers = [type_code(client, wrong_code_of(challenge)) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 422, 410]
    assert "You can try 4 more times." in answers[0].content.decode()
    assert type_code(client).status_code == 410
    assert not is_signed_in(client)
