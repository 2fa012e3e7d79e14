"""The faults that were measured or read in the stock two-factor parts, each with what shows that ours hasn't got it.

ELSEWHERE names the tests that stand beside the code in question; the others are here.
"""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery import services
from accounts.delivery.models import Message, State
from accounts.factors import authenticator
from accounts.factors.authenticator import Authenticator
from accounts.factors.email import Mailbox
from accounts.factors.registry import all_factors
from accounts.models import User
from accounts.stepup.models import Challenge
from shop.access import views
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
from tests.codes import wrong_code_of
from tests.servers.twilio import ACCOUNT_SID, Refuse

TESTS = Path(__file__).parents[1]

ELSEWHERE = {
    "races/test_codes.py": {
        "Twenty browsers sign in with one code of an app": "test_twenty_browsers_pass_once",
        "Of twenty wrong codes at once one is counted": "test_of_fifty_at_once_five_are_compared",
    },
    "accounts/stepup/test_refusals.py": {
        "A code by text works again, and for anything": "test_a_proof_for_one_thing_is_none",
        "A device of another name is no second factor": "test_a_renamed_app_is_still_asked_for",
    },
    "races/test_sends.py": {
        "Each press sends one more": "test_a_hundred_give_what_the_cooldown_allows",
    },
    "faults/test_broker.py": {
        "A broker that is down breaks the page": "test_who_asks_gets_an_answer_and_the_code_later",
    },
    "accounts/security/test_trust.py": {
        "A remembered browser counts as proven": "test_it_is_less_than_any_proof",
        "Its box is ticked beforehand": "test_the_box_is_not_ticked_beforehand",
        "A malformed cookie of it is an error 500": "test_odd_cookies_are_no_trust_and_no_error",
        "One browser's trust can't be ended alone": "test_one_is_ended_without_a_proof",
    },
    "accounts/test_crypto.py": {
        "Seeds lie in plain text": "test_the_database_holds_no_seed",
    },
    "accounts/factors/test_backup_code.py": {
        "Backup codes lie in plain text": "test_ten_codes_are_made_and_none_is_kept",
    },
    "accounts/delivery/test_services.py": {
        "Codes lie in plain text": "test_a_message_holds_no_text",
        "Twilio's client waits for ever": "test_a_claim_outlives_every_wait_for_a_provider",
    },
    "accounts/stepup/test_levels.py": {
        "A proof has no time": "test_a_level_knows_its_time",
        "The session key stays at a gain of level": "test_the_session_key_changes",
    },
    "accounts/delivery/test_calls.py": {
        "The code of a call is in an address": "test_no_log_no_row_and_no_address_holds_the_code",
        "A call is answered to whoever asks": "test_without_a_right_one_nothing_is_said",
        "A call drops leading zeros": "test_leading_zeros_are_said_and_the_code_passes",
    },
    "shop/checkout/test_buying.py": {
        "A code is good for any order": "test_a_purchase_that_changed_after_the_approval",
    },
    "accounts/factors/test_six_digits.py": {
        "Odd digits, signs and blanks count as a code": "test_it_refuses_what_can_not_be",
    },
    "accounts/factors/test_authenticator.py": {
        "An app's clock walks away with each code": "test_it_accepts_them_one_step_early",
    },
    "accounts/security/test_authenticator.py": {
        "Backup codes are shown on every visit": "test_a_reload_of_the_codes_does_no_harm",
    },
    "accounts/security/test_contacts.py": {
        "A new e-mail is the account's before it is proven": "test_without_any_proof_nothing",
    },
    "accounts/stepup/test_challenges.py": {
        "Two sends of one challenge carry two codes": "test_it_carries_the_same_code",
    },
    "accounts/test_net.py": {
        "The first X-Forwarded-For is believed": "test_only_what_our_own_proxies_wrote_is_believed",
    },
    "accounts/delivery/test_webhook.py": {
        "Twilio's signature is missing: error 500": "test_without_a_right_one_nothing_is",
        "An empty token believes everybody": "test_an_empty_token_refuses_everything",
        "The signature is over the inner address": "test_it_is_over_the_public_address",
        "Twilio's reports may be replayed": "test_repeats_are_harmless",
    },
    "accounts/delivery/test_twilio.py": {
        "Twilio's errors, with numbers, are logged": "test_no_log_holds_the_code_or_the_number",
    },
    "shop/test_admin.py": {
        "The admin's form prints the password again": "test_its_own_sign_in_form_is_never_shown",
        "The admin shows seeds": "test_no_secret_is_shown_or_edited",
    },
    "accounts/factors/test_passkey.py": {
        "A passkey is bound to the Host header": "test_the_host_of_the_request_does_not_matter",
        "A passkey pays without checking who holds it": "test_a_payment_by_a_device_that_did_not",
        "Nobody counts tries with passkeys": "test_fifty_tries_an_hour_from_one_address",
    },
    "races/test_passkeys.py": {
        "Two signatures with one count are accepted": "test_of_twenty_signatures_with_one_count_one_is",
    },
}


@pytest.mark.parametrize("file", ELSEWHERE)
def test_what_is_tested_elsewhere_is_there(file):
    said = (TESTS / file).read_text()
    for pitfall, name in ELSEWHERE[file].items():
        assert re.search(rf"^ *def {name}\w*\(", said, re.M), f"{pitfall}: no {name} in {file}"


# --- sending ---------------------------------------------------------------------------------------------------------


def test_showing_the_page_again_sends_nothing(client, ben):
    type_password(client, ben.email)
    for _ in range(5):
        client.get(reverse("stepup:challenge", args=[challenge_of(client).pk]))
        type_password(client, ben.email)
    assert Message.objects.count() == 1


def test_no_provider_is_called_while_somebody_waits(client, ben, monkeypatch):
    def never(*args, **more):
        raise AssertionError("a provider was called in a request")

    monkeypatch.setattr(services, "hand_over", never)
    monkeypatch.setattr(services, "providers_for", never)
    answer = type_password(client, ben.email)
    assert client.get(answer.url).status_code == 200
    assert Message.objects.get().state == State.QUEUED


def test_what_a_provider_says_is_not_shown_as_it_said_it(client, cleo, deliver, twilio):
    """Its errors name the number and the account."""
    twilio.answer_next(Refuse(21211))
    type_password(client, "+4915187654321")
    deliver()
    assert Message.objects.get().state == State.FAILED
    page = client.get(reverse("stepup:challenge", args=[challenge_of(client).pk])).content.decode()
    assert "Could not be delivered: this number can&#x27;t receive messages" in page
    for word in ("4915187654321", "21211", "Twilio", ACCOUNT_SID):
        assert word not in page


# --- codes -----------------------------------------------------------------------------------------------------------


def test_000000_is_a_code(client, ben, monkeypatch):
    monkeypatch.setattr("accounts.stepup.codes.derive_code", lambda *_: "000000")
    type_password(client, ben.email)
    client.get(type_code(client, "000000").url)
    assert is_signed_in(client, ben)


def test_000000_is_a_code_of_an_app_and_enrols_one(client, ben, monkeypatch):
    monkeypatch.setattr(authenticator, "_matches", lambda seed, step, code: code == "000000")
    sign_in(client, ben)
    client.get("/account/security/authenticator/")
    device = Authenticator.objects.get(user=ben)
    client.post("/account/security/authenticator/", {"device": device.pk, "code": "000000"})
    device.refresh_from_db()
    assert device.confirmed


def test_a_right_code_right_after_a_wrong_one_is_taken(client, ada):
    type_password(client, ada.email)
    assert type_code(client, f"{(int(app_code(ada)) + 1) % 10**6:06}").status_code == 422
    client.get(type_code(client, app_code(ada)).url)
    assert is_signed_in(client, ada)


def test_a_right_code_right_after_a_wrong_one_is_taken_by_mail_too(client, ben):
    type_password(client, ben.email)
    assert type_code(client, wrong_code_of(challenge_of(client))).status_code == 422
    client.get(type_code(client).url)
    assert is_signed_in(client, ben)


# --- devices ---------------------------------------------------------------------------------------------------------


def test_a_post_adds_no_second_app_to_a_session_that_proved_it_too_long_ago(client, ada, time_machine):
    now = timezone.now()
    time_machine.move_to(now)
    sign_in(client, ada, app_code(ada))
    thiefs = Authenticator.objects.create(user=ada, confirmed=False)
    time_machine.move_to(now + timedelta(minutes=11))
    answer = client.post(
        "/account/security/authenticator/", {"device": thiefs.pk, "code": code_shown(thiefs, timezone.now())}
    )
    assert answer.url == f"/account/challenge/{challenge_of(client).pk}/"
    thiefs.refresh_from_db()
    assert not thiefs.confirmed


def test_another_name_to_sign_in_with_does_not_move_the_second_factor(client, ben):
    User.objects.filter(pk=ben.pk).update(email="mallory@example.net")
    type_password(client, "mallory@example.net")
    assert Message.objects.get().destination == "ben@example.org"
    assert Mailbox.objects.get(user=ben).address == "ben@example.org"


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example/", "javascript:alert(1)", "\\\\evil.example"]
)
def test_setting_an_app_up_leads_to_pages_of_ours_only(client, ben, wanted):
    sign_in(client, ben)
    page = f"/account/security/authenticator/?next={wanted}"
    client.get(page)
    device = Authenticator.objects.get(user=ben)
    answer = client.post(page, {"device": device.pk, "code": app_code(ben)})
    assert "Your backup codes" in answer.content.decode()
    assert "evil" not in answer.content.decode() and "javascript:" not in answer.content.decode()


def test_a_stock_factors_name_is_answered_calmly(client, ada):
    type_password(client, ada.email)
    for factor in ("generator", "sms", "yubikey", "webauthn", "default"):
        assert choose(client, factor).status_code in (404, 410)
    assert Challenge.objects.get().factor == "authenticator"


# --- what is mounted -------------------------------------------------------------------------------------------------


def test_no_stock_view_has_an_address():
    for name, _route, view in views():
        module = getattr(getattr(view, "view_class", view), "__module__", "")
        assert not module.startswith(("two_factor", "django_otp_webauthn", "otp_webauthn")), name


def test_no_stock_device_is_in_use_or_in_the_admin():
    for factor in all_factors():
        assert factor.model.__module__.startswith("accounts.factors.")
    shown = {model.__module__.split(".")[0] for model in admin.site._registry}
    assert not shown & {"two_factor", "django_otp", "django_otp_webauthn"}


def test_the_admin_class_of_others_is_as_django_made_it():
    assert admin.AdminSite.login.__module__ == "django.contrib.admin.sites"


@pytest.mark.django_db
def test_an_unconfirmed_device_does_not_keep_the_level(rita):
    client = Client()
    sign_in(client, rita, app_code(rita))
    assert client.get("/admin/").status_code == 200
    Authenticator.objects.update(confirmed=False)
    assert client.get("/admin/").status_code == 302
