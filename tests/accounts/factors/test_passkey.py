"""Passkeys: as a second step, instead of a password, for a payment; and whatever is not quite one, refused."""

import json
import re
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.factors import passkey as passkeys
from accounts.factors.base import NotVerified, Strength
from accounts.factors.passkey import AlreadyThere, Passkey, PasskeyFactor, Refused
from accounts.factors.registry import all_factors
from accounts.models import SecurityEvent
from accounts.sign_in import passkeys as without_password
from accounts.stepup import attempts, challenges, policy
from accounts.stepup import passkeys as signatures
from accounts.stepup.challenges import ChallengeOver, MalformedCode, NotYours, Unverified, WrongCode
from accounts.stepup.models import Assertion, Challenge, Grant, Purpose
from tests.accounts.sign_in.steps import browser_of, challenge_of, is_signed_in, type_password
from tests.passkeys import ASKED, options_of_sign_in, options_on, passkey_of, row_of
from tests.software_authenticator import SoftwareAuthenticator, text

Kind = SecurityEvent.Kind
PAY = {"purpose": Purpose.PAY, "digest": bytes(32), "next_path": "/checkout/pay/"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(ada):
    """Ada's passkey."""
    return passkey_of(ada)


@pytest.fixture
def paying(ada, key, asker):
    """Ada's challenge to approve a payment."""
    return challenges.begin(asker=asker(ada), **PAY)


@pytest.fixture
def answer(asker):
    def answer(challenge, said, **other):
        return challenges.answer(
            challenge.pk,
            **{
                "asker": asker(challenge.user, browser=challenge.browser),
                "purpose": challenge.purpose,
                "digest": bytes(challenge.context_digest),
                "code": said,
            }
            | other,
        )

    return answer


def options(challenge):
    return json.loads(signatures.options_for(challenge))


class TestRegistering:
    def test_it_asks_for_one_that_is_found_without_a_name_and_for_no_attestation(self, ada, key):
        asked = json.loads(passkeys.registration_options(ada, ASKED))
        assert asked["rp"] == {"name": "Countersign", "id": "localhost"}
        assert asked["attestation"] == "none"
        assert asked["authenticatorSelection"]["residentKey"] == "required"
        assert asked["authenticatorSelection"]["userVerification"] == "preferred"
        assert [each["id"] for each in asked["excludeCredentials"]] == [text(key.id)]
        assert text(str(ada.pk).encode()) != asked["user"]["id"]

    @pytest.mark.parametrize("verifies", [True, False])
    @pytest.mark.parametrize("synced", [True, False])
    def test_what_the_device_says_of_itself_is_kept(self, ada, verifies, synced):
        row = row_of(passkey_of(ada, verifies=verifies, synced=synced))
        assert (row.user_verified, row.backup_eligible, row.backup_state) == (verifies, synced, synced)
        assert (row.transports, row.discoverable, row.sign_count) == (["internal", "hybrid"], True, 0)

    @pytest.mark.parametrize("wrong", [{"origin": "https://evil.example"}, {"rp_id": "evil.example"}])
    def test_one_made_for_another_site_is_refused(self, ada, wrong):
        with pytest.raises(Refused):
            passkey_of(ada, **wrong)

    def test_one_made_for_another_question_is_refused(self, ada):
        made = SoftwareAuthenticator().make(passkeys.registration_options(ada, b"another"))
        with pytest.raises(Refused):
            passkeys.register(ada, made, asked=ASKED, name="")

    def test_one_that_is_there_is_not_added_again_by_anybody(self, ada, ben, key):
        with pytest.raises(AlreadyThere):
            passkeys.register(ben, key.make(passkeys.registration_options(ben, ASKED)), asked=ASKED, name="")

    @pytest.mark.parametrize("said", ["", "{}", "[1]", "[" * 20_000, '{"id": 5}', "no json"])
    def test_nonsense_is_refused(self, ada, said):
        with pytest.raises(Refused):
            passkeys.register(ada, said, asked=ASKED, name="")


class TestAsAProof:
    def test_it_comes_first_and_is_worth_most(self, ada, key):
        assert all_factors()[0].code == "passkey"
        assert PasskeyFactor.strength == max(Strength)
        assert policy.offers(ada, Purpose.PAY, timezone.now())[0].device == row_of(key)

    def test_it_passes_the_challenge(self, paying, key, answer):
        grant = answer(paying, key.sign(options(paying)))
        assert (grant.factor, grant.strength, grant.purpose) == ("passkey", Strength.PASSKEY, "pay")
        row = row_of(key)
        assert (row.sign_count, row.last_used_at is not None) == (1, True)

    def test_any_of_ones_passkeys_will_do_and_it_is_kept_which(self, ada, paying, answer):
        second = passkey_of(ada)
        assert len(options(paying)["allowCredentials"]) == 2
        grant = answer(paying, second.sign(options(paying)))
        assert grant.challenge.device_id == row_of(second).persistent_id

    def test_what_is_signed_covers_the_challenge_and_what_it_is_for(self, paying):
        mine = paying.pk, bytes(paying.nonce), "pay", bytes(32)
        asked = signatures.to_sign(*mine)
        assert signatures.signed_for(paying) == asked
        assert len(paying.nonce) == 32
        for number, other in enumerate((uuid4(), bytes(32), "sign_in", b"1" * 32)):
            assert signatures.to_sign(*mine[:number], other, *mine[number + 1 :]) != asked

    def test_the_signature_is_kept_and_can_be_checked_again(self, paying, key, answer):
        answer(paying, key.sign(options(paying)))
        row_of(key).delete()
        kept = Assertion.objects.get()
        assert (kept.site, kept.algorithm) == ("http://localhost:8000", -7)
        assert signatures.verifies(kept, bytes(32))
        assert not signatures.verifies(kept, b"1" * 32)
        kept.signature = bytes(kept.signature)[:-1] + b"\x00"
        assert not signatures.verifies(kept, bytes(32))

    @pytest.mark.parametrize(
        "said",
        [
            {"origin": "https://evil.example"},
            {"origin": "http://localhost:8000.evil.example"},
            {"challenge": text(bytes(32))},
            {"type": "webauthn.create"},
            {"crossOrigin": True},
        ],
    )
    def test_signed_for_something_else_it_is_refused(self, paying, key, answer, said):
        with pytest.raises(WrongCode):
            answer(paying, key.sign(options(paying), **said))
        paying.refresh_from_db()
        assert (paying.state, paying.attempts_left) == ("live", 4)
        assert not Grant.objects.exists() and row_of(key).sign_count == 0

    def test_signed_for_another_host_it_is_refused(self, paying, key, answer):
        key.rp_id = "evil.example"
        with pytest.raises(WrongCode):
            answer(paying, key.sign(options(paying)))

    def test_the_host_of_the_request_does_not_matter(self, paying, key, answer, settings):
        settings.SITE_HOST, settings.SITE_URL, settings.SECURE = "shop.example", "https://shop.example", True
        with pytest.raises(WrongCode):
            answer(paying, key.sign(options(paying)))

    def test_another_persons_passkey_is_refused(self, paying, mallory, answer):
        with pytest.raises(WrongCode):
            answer(paying, passkey_of(mallory).sign(options(paying)))

    def test_a_passkey_that_says_to_be_somebody_elses_is_refused(self, paying, key, answer):
        key.user_handle = b"somebody else"
        with pytest.raises(WrongCode):
            answer(paying, key.sign(options(paying)))

    def test_a_removed_passkey_is_refused(self, ada, paying, key, answer):
        other = passkey_of(ada)
        row_of(other).delete()
        with pytest.raises(WrongCode):
            answer(paying, other.sign(options(paying)))
        row_of(key).delete()
        with pytest.raises(ChallengeOver):
            answer(paying, key.sign(options(paying)))

    def test_a_signature_of_another_key_is_refused(self, paying, key, answer):
        other = SoftwareAuthenticator()
        other.id, other.user_handle = key.id, key.user_handle
        with pytest.raises(WrongCode):
            answer(paying, other.sign(options(paying)))

    def test_a_replay_is_refused(self, ada, paying, key, answer, asker):
        said = key.sign(options(paying))
        answer(paying, said)
        with pytest.raises(ChallengeOver):
            answer(paying, said)
        again = challenges.begin(asker=asker(ada), **PAY)
        with pytest.raises(WrongCode):
            answer(again, said)

    @pytest.mark.parametrize("back", [1, 2])
    def test_a_count_that_does_not_go_forward_is_refused(self, ada, paying, key, answer, asker, back):
        key.count = 6
        answer(paying, key.sign(options(paying)))
        key.count -= back
        again = challenges.begin(asker=asker(ada), **PAY)
        with pytest.raises(WrongCode):
            answer(again, key.sign(options(again)))
        assert row_of(key).sign_count == 7

    def test_a_count_that_never_begins_is_fine_but_not_after_one_that_did(self, ada, answer, asker):
        key = passkey_of(ada, counts=False)
        for _ in range(2):
            challenge = challenges.begin(asker=asker(ada), **PAY)
            answer(challenge, key.sign(options(challenge)))
        Passkey.objects.update(sign_count=3)
        challenge = challenges.begin(asker=asker(ada), **PAY)
        with pytest.raises(WrongCode):
            answer(challenge, key.sign(options(challenge)))

    def test_the_highest_count_fits(self, paying, key, answer):
        key.count = 2**32 - 2
        answer(paying, key.sign(options(paying)))
        assert row_of(key).sign_count == 2**32 - 1

    @pytest.mark.parametrize("said", ["", "123456", "{}", "[" * 20_000, "x" * 20_000, '{"id": "AA", "rawId": "AA"}'])
    def test_what_can_not_be_an_answer_costs_no_attempt(self, paying, answer, said):
        with pytest.raises(MalformedCode):
            answer(paying, said)
        paying.refresh_from_db()
        assert paying.attempts_left == 5

    def test_the_attempt_is_paid_for_and_five_are_all(self, paying, key, answer):
        for left in (4, 3, 2, 1, 0):
            with pytest.raises(WrongCode) as wrong:
                answer(paying, key.sign(options(paying), origin="https://evil.example"))
            assert wrong.value.attempts_left == left
        with pytest.raises(ChallengeOver):
            answer(paying, key.sign(options(paying)))

    def test_too_many_over_all_challenges_make_it_rest(self, ada, paying, key, answer, asker):
        for number in range(10):
            other = challenges.begin(asker=asker(ada, browser=f"{number:064d}"), **PAY)
            with pytest.raises(WrongCode):
                answer(other, key.sign(options(other), origin="https://evil.example"))
        with pytest.raises(attempts.FactorResting):
            answer(paying, key.sign(options(paying)))

    def test_another_browser_and_another_order_are_refused(self, ada, paying, key, answer, asker):
        said = key.sign(options(paying))
        with pytest.raises(NotYours):
            answer(paying, said, asker=asker(ada, browser="f" * 64))
        with pytest.raises(NotYours):
            answer(paying, said, digest=b"1" * 32)
        with pytest.raises(NotYours):
            answer(paying, said, purpose=Purpose.SIGN_IN)

    @pytest.mark.parametrize("purpose", [p for p in Purpose if p != Purpose.SIGN_IN])
    def test_the_device_has_to_check_who_holds_it_but_at_sign_in(self, purpose):
        assert policy.must_verify(purpose)

    def test_a_payment_by_a_device_that_did_not_check_is_refused(self, paying, key, answer):
        key.verifies = False
        assert options(paying)["userVerification"] == "required"
        with pytest.raises(Unverified):
            answer(paying, key.sign(options(paying)))
        assert not Grant.objects.exists() and row_of(key).sign_count == 0

    def test_one_that_never_checked_serves_at_sign_in_and_counts_as_a_text(self, ben, asker, answer):
        key = passkey_of(ben, verifies=False)
        assert [o.factor.code for o in policy.offers(ben, Purpose.PAY, timezone.now())] == ["email"]
        begun = challenges.begin(asker=asker(ben), purpose=Purpose.SIGN_IN, digest=bytes(32), next_path="/")
        assert options(begun)["userVerification"] == "preferred"
        assert answer(begun, key.sign(options(begun))).strength == Strength.TEXT
        key.verifies = True  # a PIN was set meanwhile: at its next sign-in the shop learns of it
        begun = challenges.begin(asker=asker(ben), purpose=Purpose.SIGN_IN, digest=b"1" * 32, next_path="/")
        assert answer(begun, key.sign(options(begun))).strength == Strength.PASSKEY
        assert policy.offers(ben, Purpose.PAY, timezone.now())[0].factor.code == "passkey"

    def test_it_is_offered_on_secure_pages_only(self, settings, ada, key):
        settings.SITE_HOST, settings.SECURE = "192.0.2.7", False
        assert not PasskeyFactor().get_devices(ada).exists()
        settings.SECURE = True
        assert PasskeyFactor().get_devices(ada).exists()


class TestThePage:
    def test_it_signs_in_behind_the_password(self, client, ada, key):
        type_password(client, "ada@example.org")
        url = reverse("stepup:challenge", args=[challenge_of(client).pk])
        page = client.get(url)
        words = page.content.decode()
        assert "Use your passkey" in words and "passkeys.js" in words
        assert "Passkeys need JavaScript and a browser that knows them" in words
        assert "Use the code in your authenticator app" in words and 'autocomplete="one-time-code"' not in words
        done = client.post(url, {"code": key.sign(options_on(page))})
        client.get(done.url)
        assert is_signed_in(client, ada)
        assert client.session["level"]["strength"] == Strength.PASSKEY

    def test_one_may_go_on_with_another_way_and_come_back(self, client, ada, key):
        type_password(client, "ada@example.org")
        url = reverse("stepup:challenge", args=[challenge_of(client).pk])
        client.post(reverse("stepup:resend", args=[challenge_of(client).pk]), {"factor": "authenticator"})
        words = client.get(url).content.decode()
        assert "Use your passkey" in words and "passkeys.js" not in words
        client.post(reverse("stepup:resend", args=[challenge_of(client).pk]), {"factor": "passkey"})
        assert "data-passkey=" in client.get(url).content.decode()

    @pytest.mark.parametrize("said", ["", "nonsense", "x" * 20_000])
    def test_what_is_no_answer_is_told_and_costs_nothing(self, client, ada, key, said):
        type_password(client, "ada@example.org")
        challenge = challenge_of(client)
        page = client.post(reverse("stepup:challenge", args=[challenge.pk]), {"code": said})
        assert page.status_code == 422 and "errorlist" in page.content.decode()
        challenge.refresh_from_db()
        assert challenge.attempts_left == 5

    def test_a_wrong_one_is_told_with_what_is_left(self, client, ada, key):
        type_password(client, "ada@example.org")
        url = reverse("stepup:challenge", args=[challenge_of(client).pk])
        said = key.sign(options_on(client.get(url)), origin="https://evil.example")
        page = client.post(url, {"code": said})
        assert (page.status_code, "You can try 4 more times." in page.content.decode()) == (422, True)

    def test_a_device_that_did_not_check_is_told_what_to_do(self, client, ada, key):
        client.force_login(ada)
        page = client.get(client.get(reverse("security:backup_codes")).url)
        key.verifies = False
        page = client.post(page.request["PATH_INFO"], {"code": key.sign(options_on(page))})
        assert "did not check that it is you" in page.content.decode()
        key.verifies = True
        page = client.get(page.request["PATH_INFO"])
        assert client.post(page.request["PATH_INFO"], {"code": key.sign(options_on(page))}).url == reverse(
            "security:backup_codes"
        )

    def test_a_member_of_staff_gets_the_level_by_it_and_loses_it_with_it(self, client, sam):
        key, other = passkey_of(sam), passkey_of(sam)
        type_password(client, "sam@example.org")
        assert challenge_of(client).purpose == Purpose.STAFF_SIGN_IN
        url = reverse("stepup:challenge", args=[challenge_of(client).pk])
        client.get(client.post(url, {"code": other.sign(options_on(client.get(url)))}).url)
        assert client.get("/admin/").status_code == 200
        row_of(key).delete()
        assert client.get("/admin/").status_code == 200
        row_of(other).delete()
        assert client.get("/admin/").status_code == 302

    def test_staff_whose_passkey_does_not_check_are_led_to_a_strong_factor(self, client, sam):
        sam.authenticators.all().delete()
        key = passkey_of(sam, verifies=False)
        type_password(client, "sam@example.org")
        assert challenge_of(client).purpose == Purpose.SIGN_IN
        url = reverse("stepup:challenge", args=[challenge_of(client).pk])
        done = client.get(client.post(url, {"code": key.sign(options_on(client.get(url)))}).url)
        assert done.url.startswith(reverse("security:authenticator"))
        assert client.get("/admin/").status_code == 302


class TestWithoutAPassword:
    @pytest.fixture
    def signed(self, client, key):
        """`signed()`: what Ada's passkey answers to this browser."""
        return lambda **how: key.sign(options_of_sign_in(client), **how)

    def test_the_page_lets_the_browser_offer_them(self, client):
        page = client.get("/account/sign-in/").content.decode()
        assert 'autocomplete="username webauthn"' in page
        assert "Sign in with a passkey" in page and "passkeys.js" in page

    def test_nobody_is_known_before(self, client, key):
        asked = options_of_sign_in(client)
        assert asked["userVerification"] == "required"
        assert not asked["allowCredentials"]
        assert asked["rpId"] == "localhost"

    def test_it_signs_in_and_leads_on(self, client, ada, signed):
        before = client.session.session_key
        said = signed()
        done = client.post("/account/sign-in/passkey/?next=/cart/", {"credential": said})
        assert done.url == "/cart/"
        assert is_signed_in(client, ada) and client.session.session_key != before
        assert client.session["level"]["strength"] == Strength.PASSKEY
        event = SecurityEvent.objects.get(user=ada, kind=Kind.SIGNED_IN)
        assert event.detail == {"purpose": "sign_in", "factor": "passkey", "without_password": True}
        assert "Signed in with a passkey, without a password." in client.get("/account/security/").content.decode()
        grant = Grant.objects.get()
        assert (grant.user, grant.used_at is not None, grant.challenge.state) == (ada, True, "passed")

    def test_another_shops_page_is_not_where_it_leads(self, client, ada, signed):
        done = client.post("/account/sign-in/passkey/?next=https://evil.example/", {"credential": signed()})
        assert done.url == "/"

    def test_a_member_of_staff_has_the_level(self, client, sam):
        key = passkey_of(sam)
        client.post("/account/sign-in/passkey/", {"credential": key.sign(options_of_sign_in(client))})
        assert client.get("/admin/").status_code == 200
        assert Grant.objects.get().purpose == Purpose.STAFF_SIGN_IN

    def refused(self, client, said, words="does not count here, or it took too long", status=422):
        page = client.post("/account/sign-in/passkey/", {"credential": said})
        assert page.status_code == status
        assert words in page.content.decode()
        assert not is_signed_in(client) and not Grant.objects.exists()
        return page

    def test_an_unknown_one_and_a_wrong_one_are_told_the_same(self, client, ada, key, mallory):
        pages = []
        unknown = SoftwareAuthenticator()
        unknown.user_handle = b"?"
        for each in (unknown, key):
            wrong = {} if each is unknown else {"origin": "https://evil.example"}
            page = self.refused(client, each.sign(options_of_sign_in(client), **wrong))
            pages.append(page.content.decode().replace(client.cookies["csrf"].value, ""))
            assert SecurityEvent.objects.filter(kind=Kind.PROOF_FAILED, user=None).count() == len(pages)
        strip = [re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", each) for each in pages]
        assert strip[0] == strip[1]
        assert not SecurityEvent.objects.filter(user=ada, kind=Kind.PROOF_FAILED).exists()

    @pytest.mark.parametrize(
        "said",
        [
            {"origin": "https://evil.example"},
            {"challenge": text(bytes(32))},
            {"crossOrigin": True},
            {"named": False},
        ],
    )
    def test_signed_for_something_else_it_is_refused(self, client, signed, said):
        self.refused(client, signed(**said))

    def test_without_having_been_asked_it_is_refused(self, client, signed):
        said = signed()
        self.refused(Client(), said)

    def test_asked_in_another_browser_it_is_refused(self, client, signed):
        other = Client()
        options_of_sign_in(other)
        self.refused(other, signed())

    def test_too_late_it_is_refused(self, client, signed):
        said = signed()
        with time_machine.travel(timezone.now() + timedelta(minutes=10, seconds=1), tick=False):
            self.refused(client, said)

    def test_a_replay_is_refused(self, client, ada, signed):
        said = signed()
        kept = client.session["passkey_sign_in"]
        client.post("/account/sign-in/passkey/", {"credential": said})
        client.post("/account/sign-out/")
        assert client.post("/account/sign-in/passkey/", {"credential": said}).status_code == 422
        session = client.session
        session["passkey_sign_in"] = kept  # as if the session had not been saved yet
        session.save()
        Passkey.objects.update(sign_count=0)
        assert client.post("/account/sign-in/passkey/", {"credential": said}).status_code == 422
        assert not is_signed_in(client)

    @pytest.mark.parametrize("how", [{"is_active": False}, {"locked_at": timezone.now()}])
    def test_a_closed_or_locked_account_is_refused(self, client, ada, signed, how):
        said = signed()
        type(ada).objects.update(**how)
        self.refused(client, said)
        assert Passkey.objects.get().sign_count == 0

    def test_a_removed_one_is_refused(self, client, key, signed):
        said = signed()
        row_of(key).delete()
        self.refused(client, said)

    def test_a_device_that_did_not_check_is_refused_in_clear_words(self, client, key, signed):
        key.verifies = False
        self.refused(client, signed(), words="did not check that it is you")

    @pytest.mark.parametrize("said", ["", "{}", "[" * 15_000, "x" * 20_000])
    def test_nonsense_is_refused(self, client, ada, said):
        options_of_sign_in(client)
        self.refused(client, said)

    def test_fifty_tries_an_hour_from_one_address(self, client, ada, key, signed):
        for _ in range(50):
            self.refused(client, key.sign(options_of_sign_in(client), challenge="AAAA"))
        self.refused(client, signed(), words="Too many tries from here", status=429)

    def test_a_success_is_not_counted(self, client, key):
        for _ in range(51):
            client.post("/account/sign-in/passkey/", {"credential": key.sign(options_of_sign_in(client))})
            assert is_signed_in(client)
            client.logout()

    def test_the_page_asks_three_hundred_times_an_hour_from_one_address(self, client, ada):
        now = timezone.now()
        for _ in range(300):
            without_password.begin(None, ip="127.0.0.1", now=now)
        assert client.post("/account/sign-in/passkey/options/").status_code == 429

    def test_a_reload_asks_the_same_and_a_later_one_something_new(self, client):
        first = options_of_sign_in(client)["challenge"]
        assert options_of_sign_in(client)["challenge"] == first
        with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=False):
            assert options_of_sign_in(client)["challenge"] != first

    def test_whoever_is_signed_in_is_led_on(self, client, ada, signed):
        said = signed()
        client.force_login(ada)
        assert client.post("/account/sign-in/passkey/", {"credential": said}).url == "/"

    def test_only_posts_of_our_pages_count(self, ada, key):
        strict = Client(enforce_csrf_checks=True)
        assert strict.post("/account/sign-in/passkey/options/").status_code == 403
        assert strict.post("/account/sign-in/passkey/", {}).status_code == 403
        assert strict.get("/account/sign-in/passkey/").status_code == 405


def test_the_challenge_of_a_sign_in_is_the_browsers(client, ada, key):
    client.post("/account/sign-in/passkey/", {"credential": key.sign(options_of_sign_in(client))})
    assert Challenge.objects.get().browser == browser_of(client)


def test_a_device_that_did_not_check_gets_no_further_without_a_password(ada):
    key = passkey_of(ada, verifies=False)
    with pytest.raises(NotVerified):
        passkeys.accept(
            key.sign({"challenge": text(ASKED)}),
            asked=ASKED,
            among=Passkey.objects.all(),
            must_verify=True,
            now=timezone.now(),
        )
