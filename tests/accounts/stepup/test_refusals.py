"""What a thief tries, through the pages: refused, in words that help the owner and tell a stranger nothing.

A code in the wrong browser is refused in tests/accounts/sign_in/test_sign_in.py, and below the pages in
test_challenges.py.
"""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import make_backup_codes
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import User
from accounts.stepup.models import Challenge, Grant, Purpose
from shop.order.models import Order
from tests.accounts.sign_in.steps import (
    app_code,
    challenge_of,
    choose,
    code_shown,
    is_signed_in,
    sign_in,
    type_code,
    type_password,
)
from tests.codes import code_of
from tests.people import PASSWORD
from tests.shop.conftest import card_form, fill_cart, teapot  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db

NOT_HERE = "A code is typed in the browser that asked for it, and only there."
OVER = "This code is over"
WRONG = "That is not the code."
WHO = ("Ben", "Ada", "example.org", "@", "+49", "••")


def words(answer):
    """What the page says, without its frame."""
    page = answer.content.decode()
    main = re.search(r"<main.*?</main>", page, re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", main[0] if main else page).split())


def tells_nothing(answer):
    return not any(mark in words(answer) for mark in WHO)


def url(challenge, name="challenge"):
    return reverse(f"stepup:{name}", args=[challenge.pk])


@pytest.fixture
def paying(fill_cart):  # noqa: F811
    """`paying(ada)`: her browser, in which she signed in and asked to approve a payment."""

    def paying(user, strength_code=None):
        client = Client()
        sign_in(client, user, strength_code)
        fill_cart(user)
        total = client.get("/checkout/review/").context["quote"].total
        answer = client.post("/checkout/approve/", {"shown_total": f"{total:f}"})
        assert answer.url == url(challenge_of(client))
        return client

    return paying


class TestReplay:
    def test_a_code_that_approved_a_payment_approves_no_second_one(self, ben, paying, card_form, fill_cart):  # noqa: F811
        client = paying(ben)
        code = code_of(challenge_of(client))
        type_code(client, code)
        client.post("/checkout/pay/", card_form(client))
        assert Order.objects.get().state == Order.State.PAID
        fill_cart(ben)
        total = client.get("/checkout/review/").context["quote"].total
        answer = client.post("/checkout/approve/", {"shown_total": f"{total:f}"})
        refused = client.post(answer.url, {"code": code})
        assert refused.status_code == 422
        assert WRONG in words(refused)
        assert Order.objects.count() == 1

    def test_a_code_of_the_app_that_signed_in_does_not_pay(self, ada, paying):
        code = app_code(ada)
        client = paying(ada, code)
        assert challenge_of(client).factor == "authenticator"
        refused = type_code(client, code)
        assert refused.status_code == 422
        assert WRONG in words(refused)
        assert client.get("/checkout/pay/").url == "/checkout/review/"

    def test_a_backup_code_is_good_once(self, ada):
        code, other = make_backup_codes(ada)[:2]
        for typed, gets_in in ((code, True), (code, False), (other, True)):
            client = Client()
            type_password(client, ada.email)
            choose(client, "backup_code")
            answer = type_code(client, typed)
            assert (answer.status_code == 302) == gets_in
            if not gets_in:
                assert WRONG in words(answer)

    def test_the_page_of_a_passed_challenge_proves_nothing_again(self, client, ben):
        type_password(client, ben.email)
        challenge, code = challenge_of(client), code_of(challenge_of(client))
        client.get(type_code(client, code).url)
        client.post(reverse("sign_in:sign_out"))
        answer = client.post(url(challenge), {"code": code})
        assert answer.status_code == 404
        assert NOT_HERE in words(answer) and tells_nothing(answer)
        assert not is_signed_in(client)


class TestAcrossPurposes:
    def test_a_proof_for_one_thing_is_none_for_another(self, ben, paying):
        """One code to sign in, another to pay; each is wrong on the other's page."""
        client = paying(ben)
        pay = challenge_of(client)
        other = Client()
        type_password(other, ben.email)
        entry = challenge_of(other)
        assert WRONG in words(client.post(url(pay), {"code": code_of(entry)}))
        assert WRONG in words(other.post(url(entry), {"code": code_of(pay)}))
        assert not is_signed_in(other)
        assert client.get("/checkout/pay/").url == "/checkout/review/"

    def test_a_proof_to_pay_does_not_open_the_account_for_changes(self, ada, paying, time_machine):
        make_backup_codes(ada)
        client = paying(ada, app_code(ada))
        choose(client, "email")
        assert type_code(client).url == "/checkout/pay/"
        assert Grant.objects.get(purpose=Purpose.PAY).used_at is None
        answer = client.post("/account/security/backup-codes/")  # an e-mail is not enough for who owns an app
        assert answer.url == url(challenge_of(client))
        assert challenge_of(client).purpose == Purpose.MANAGE_FACTORS

    def test_a_proof_to_sign_up_resets_no_password(self, client, ben):
        client.post(reverse("sign_in:sign_up"), {"contact": "new@example.org"})
        type_code(client)
        answer = client.get(reverse("sign_in:reset_password"), follow=True)
        assert "Please confirm your e-mail or phone first." in answer.content.decode()


class TestAcrossPeopleAndBrowsers:
    def test_another_person_in_the_same_browser_can_not_use_it(self, client, ben, mallory):
        """Mallory signs out of Ben's browser and uses what Ben left behind."""
        type_password(client, ben.email)
        bens = challenge_of(client)
        sign_in(client, mallory)
        assert is_signed_in(client, mallory)
        answer = client.post(url(bens), {"code": code_of(bens)})
        assert answer.status_code == 404
        assert NOT_HERE in words(answer) and tells_nothing(answer)
        assert is_signed_in(client, mallory)

    @pytest.mark.parametrize("name", ["challenge", "resend", "again", "delivery_state"])
    def test_a_thief_who_knows_the_address_sees_nothing(self, ben, paying, name):
        challenge = challenge_of(paying(ben))
        thief = Client()
        answers = [thief.get(url(challenge, name)), thief.post(url(challenge, name), {"code": code_of(challenge)})]
        for answer in answers:
            assert answer.status_code in (404, 405)
            assert tells_nothing(answer)
        assert any(NOT_HERE in words(answer) for answer in answers)
        challenge.refresh_from_db()
        assert (challenge.state, challenge.attempts_left, challenge.sends) == ("live", 5, 1)

    def test_the_same_words_for_a_challenge_that_never_was(self, ben, paying):
        there, thief = challenge_of(paying(ben)), Client()
        nowhere = Challenge(pk="00000000-0000-4000-8000-000000000000")
        for name in ("challenge", "resend", "again"):
            one, other = (thief.post(url(each, name), {"code": "123456"}) for each in (there, nowhere))
            assert (one.status_code, words(one)) == (other.status_code, words(other))


class TestDowngrade:
    @pytest.fixture
    def changing(self, ada, time_machine):
        """Ada's browser, an hour after her sign-in, asked to prove a change of her factors: not by e-mail."""
        make_backup_codes(ada)
        now = timezone.now()
        time_machine.move_to(now)
        client = Client()
        sign_in(client, ada, app_code(ada))
        time_machine.move_to(now + timedelta(hours=1))
        assert client.get("/account/security/backup-codes/").url == url(challenge_of(client))
        return client

    def test_a_weaker_factor_is_not_offered(self, changing):
        assert "E-mail a code" not in words(changing.get(url(challenge_of(changing))))

    @pytest.mark.parametrize("factor", ["email", "passkey", "nonsense", ""])
    def test_posting_for_it_anyhow_is_answered_calmly_and_sends_nothing(self, changing, factor):
        answer = choose(changing, factor)
        assert answer.status_code in (302, 404, 410)
        challenge = challenge_of(changing)
        assert challenge.factor == "authenticator"
        assert challenge.sends == 0

    def test_a_mail_sent_first_does_not_become_stronger_by_the_text_that_follows(self, ada, paying, settings):
        """The code was in the mailbox too, so the proof is worth what a mailbox is worth."""
        client = paying(ada, app_code(ada))
        choose(client, "email")
        Challenge.objects.update(next_send_at=None)
        choose(client, "text")
        type_code(client)
        assert Grant.objects.get(purpose=Purpose.PAY).strength == 1

    def test_staff_do_not_get_into_the_back_rooms_by_mail(self, rita):
        client = Client()
        type_password(client, rita.email)
        assert choose(client, "email").status_code in (404, 410)
        assert challenge_of(client).factor == "authenticator"
        type_code(client, "123456")
        assert not is_signed_in(client)

    def test_staff_with_an_app_do_not_pay_by_mail(self, rita, paying):
        client = paying(rita, app_code(rita))
        assert challenge_of(client).factor == "authenticator"
        assert choose(client, "email").status_code in (404, 410)
        assert "E-mail a code" not in words(client.get(url(challenge_of(client))))


class TestDevices:
    def test_a_renamed_app_is_still_asked_for(self, client, ada):
        """A device that is not called what the code expects is not the same as none."""
        Authenticator.objects.update(name="default no more")
        Mailbox.objects.update(name="")
        Phone.objects.update(name="🙂" * 20)
        answer = type_password(client, ada.email)
        assert answer.url == url(challenge_of(client))
        assert challenge_of(client).factor == "authenticator"
        assert not is_signed_in(client)
        client.get(type_code(client, app_code(ada)).url)
        assert is_signed_in(client, ada)

    def test_renamed_in_between_it_still_serves(self, client, ada):
        type_password(client, ada.email)
        Authenticator.objects.update(name="another name")
        client.get(type_code(client, app_code(ada)).url)
        assert is_signed_in(client, ada)

    def test_an_unconfirmed_app_is_not_offered_and_proves_nothing(self, client, ben):
        thiefs = Authenticator.objects.create(user=ben, confirmed=False)
        type_password(client, ben.email)
        assert "authenticator" not in words(client.get(url(challenge_of(client))))
        assert choose(client, "authenticator").status_code in (404, 410)
        assert WRONG in words(type_code(client, code_shown(thiefs)))
        assert not is_signed_in(client)

    def test_unconfirmed_in_between_it_no_longer_serves(self, client, ada):
        type_password(client, ada.email)
        Authenticator.objects.update(confirmed=False)
        answer = type_code(client, app_code(ada))
        assert answer.status_code == 410
        assert OVER in words(answer) and "Nothing is lost" in words(answer)

    def test_removed_in_between_the_owner_goes_on_with_what_is_left(self, client, ada):
        type_password(client, ada.email)
        code = app_code(ada)
        Authenticator.objects.all().delete()
        answer = type_code(client, code)
        assert answer.status_code == 410
        assert OVER in words(answer) and "ask for a new one" in words(answer)
        client.post(url(challenge_of(client), "again"))
        assert challenge_of(client).factor == "text"
        client.get(type_code(client).url)
        assert is_signed_in(client, ada)

    def test_a_phone_removed_after_the_text_takes_its_code_along(self, client, cleo, ben):
        type_password(client, "+4915187654321")
        code = code_of(challenge_of(client))
        Mailbox.objects.create(user=cleo, address="cleo@example.org")
        Phone.objects.filter(user=cleo).delete()
        answer = type_code(client, code)
        assert answer.status_code == 410
        assert not is_signed_in(client)


class TestMeanwhile:
    @pytest.fixture
    def asked(self, client, ben):
        """Whoever has Ben's password, with Ben's code before them."""
        type_password(client, ben.email)
        return code_of(challenge_of(client))

    def change_password(self, user):
        user.set_password("quite another one")
        user.save()

    def test_a_password_changed_before_the_code_ends_it_without_a_word_about_why(self, client, ben, asked):
        self.change_password(ben)
        answer = type_code(client, asked)
        assert answer.status_code == 410
        assert OVER in words(answer)
        assert "password" not in words(answer).lower()
        assert client.post(url(challenge_of(client), "again")).status_code == 404
        assert client.post(url(challenge_of(client), "resend")).status_code == 410
        assert not is_signed_in(client)

    def test_changed_after_the_code_the_sign_in_begins_again(self, client, ben, asked):
        done = type_code(client, asked).url
        self.change_password(ben)
        answer = client.get(done, follow=True)
        assert "Please start again with your password." in answer.content.decode()
        assert not is_signed_in(client)

    def test_changed_after_an_approval_the_payment_is_not_made(self, ben, paying, card_form):  # noqa: F811
        client = paying(ben)
        type_code(client)
        form = card_form(client)
        self.change_password(ben)
        answer = client.post("/checkout/pay/", form)
        assert answer.status_code == 302
        assert not Order.objects.exists()
        assert client.get("/account/security/").url.startswith("/account/sign-in/")

    @pytest.mark.parametrize("typed", [True, False])
    def test_an_account_closed_in_between_looks_like_a_code_that_is_over(self, client, ben, asked, typed):
        User.objects.update(is_active=False)
        answer = type_code(client, asked) if typed else client.post(url(challenge_of(client), "resend"))
        assert answer.status_code == 410
        assert OVER in words(answer)
        for word in ("closed", "disabled", "inactive", "your account"):
            assert word not in words(answer).lower()
        assert client.post(url(challenge_of(client), "again")).status_code == 404
        assert not is_signed_in(client)

    def test_an_account_closed_after_an_approval_pays_nothing(self, ben, paying, card_form):  # noqa: F811
        client = paying(ben)
        type_code(client)
        form = card_form(client)
        User.objects.update(is_active=False)
        client.post("/checkout/pay/", form)
        assert not Order.objects.exists()

    def test_the_right_password_of_a_closed_account_is_a_wrong_password(self, client, ben):
        User.objects.update(is_active=False)
        closed = type_password(client, ben.email, PASSWORD)
        wrong = type_password(Client(), ben.email, "wrong password")
        assert (closed.status_code, words(closed)) == (wrong.status_code, words(wrong))
