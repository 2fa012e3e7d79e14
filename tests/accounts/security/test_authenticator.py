import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.models import Message
from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import BackupCode, BackupCodeSet, make_backup_codes
from accounts.models import SecurityEvent
from accounts.security import services
from accounts.stepup import attempts
from accounts.stepup.models import Challenge, Purpose
from tests.accounts.sign_in.steps import (
    app_code,
    challenge_of,
    code_shown,
    is_signed_in,
    sign_in,
    type_code,
    type_password,
)

Kind = SecurityEvent.Kind
URL = "/account/security/authenticator/"


def pending(user):
    return Authenticator.objects.get(user=user, confirmed=False)


def confirm(client, user, code=None, name="my phone", query="", **more):
    device = pending(user)
    return client.post(URL + query, {"device": device.pk, "name": name, "code": code or code_shown(device), **more})


@pytest.fixture
def of_ben(client, ben):
    """Ben's browser, in which he signed in a moment ago."""
    sign_in(client, ben)
    return client


def test_the_page_shows_the_seed_as_a_picture_and_as_a_key(of_ben, ben):
    page = of_ben.get(URL)
    text = page.content.decode()
    device = pending(ben)
    assert device.typed_key in text
    assert "<svg" in text
    assert " style=" not in text
    assert "<style" not in text
    assert "no-store" in page["Cache-Control"]


def test_a_right_code_confirms_it_and_shows_ten_backup_codes_once(of_ben, ben):
    of_ben.get(URL)
    answer = confirm(of_ben, ben)
    assert answer.status_code == 200
    codes = re.findall(r"<code>([0-9A-Z]{5}-[0-9A-Z]{5})</code>", answer.content.decode())
    assert len(set(codes)) == 10
    device = Authenticator.objects.get(user=ben)
    assert (device.confirmed, device.name) == (True, "my phone")
    assert BackupCode.objects.filter(set__user=ben, used_at=None).count() == 10
    kinds = set(SecurityEvent.objects.filter(user=ben).values_list("kind", flat=True))
    assert {Kind.FACTOR_ADDED, Kind.BACKUP_CODES_MADE} <= kinds
    assert Message.objects.filter(kind="notice").count() == 1
    overview = of_ben.get(reverse("security:overview")).content.decode()
    for code in codes:
        assert code not in overview
        assert code not in str(dict(of_ben.session))
    other = Client()
    type_password(other, "ben@example.org")
    other.post(reverse("stepup:resend", args=[challenge_of(other).pk]), {"factor": "backup_code"})
    other.get(type_code(other, codes[3].lower()).url)
    assert is_signed_in(other, ben)


def test_a_reload_of_the_codes_does_no_harm(of_ben, ben):
    of_ben.get(URL)
    device = pending(ben)
    confirm(of_ben, ben)
    before = set(BackupCode.objects.values_list("digest", flat=True))
    answer = of_ben.post(URL, {"device": device.pk, "name": "my phone", "code": code_shown(device)})
    assert answer.url == reverse("security:overview")
    assert set(BackupCode.objects.values_list("digest", flat=True)) == before


def test_the_code_that_enrolled_signs_nobody_in(of_ben, ben):
    of_ben.get(URL)
    code = code_shown(pending(ben))
    confirm(of_ben, ben, code)
    other = Client()
    type_password(other, "ben@example.org")
    assert challenge_of(other).factor == "authenticator"
    assert type_code(other, code).status_code == 422
    assert type_code(other, app_code(ben, steps=1)).status_code == 302


@pytest.mark.parametrize("code", ["", "12345", "1234567", "１２３４５６", "+12345", "12345a", "1" * 10_000])
def test_an_odd_code_costs_no_attempt(of_ben, ben, code):
    of_ben.get(URL)
    answer = of_ben.post(URL, {"device": pending(ben).pk, "name": "", "code": code})
    assert answer.status_code == 422
    assert not SecurityEvent.objects.filter(kind=Kind.PROOF_FAILED).exists()
    assert pending(ben)


@pytest.mark.parametrize("gap", [" ", "-"])
def test_a_code_in_two_halves_is_fine(of_ben, ben, gap):
    of_ben.get(URL)
    code = code_shown(pending(ben))
    assert confirm(of_ben, ben, f"{code[:3]}{gap}{code[3:]}").status_code == 200


def test_a_wrong_code_confirms_nothing_and_is_recorded(of_ben, ben):
    of_ben.get(URL)
    device = pending(ben)
    answer = confirm(of_ben, ben, f"{(int(code_shown(device)) + 1) % 10**6:06d}")
    assert answer.status_code == 422
    assert device.typed_key in answer.content.decode()
    assert SecurityEvent.objects.filter(kind=Kind.PROOF_FAILED, user=ben).count() == 1
    assert not BackupCodeSet.objects.exists()


def test_guessing_is_paid_for_from_the_accounts_own_attempts(ben):
    device = services.pending_authenticator(user=ben)
    wrong = "000000" if code_shown(device) != "000000" else "000001"
    for _ in range(10):
        with pytest.raises(services.WrongCode):
            services.confirm_authenticator(user=ben, device_id=device.pk, code=wrong, name="")
    with pytest.raises(attempts.FactorResting):
        services.confirm_authenticator(user=ben, device_id=device.pk, code=code_shown(device), name="")
    assert SecurityEvent.objects.filter(kind=Kind.FACTOR_RESTING, user=ben).count() == 1


def test_the_same_unconfirmed_app_is_shown_again_and_an_old_one_is_not(of_ben, ben):
    of_ben.get(URL)
    first = pending(ben)
    of_ben.get(URL)
    assert pending(ben) == first
    Authenticator.objects.update(created_at=timezone.now() - timedelta(minutes=31))
    code = code_shown(first)
    answer = confirm(of_ben, ben, code)
    assert answer.url == URL
    of_ben.get(URL)
    assert pending(ben) != first


@pytest.mark.parametrize("device", ["", "abc", "-1", "9" * 30, "0"])
def test_an_odd_device_is_answered_with_a_new_picture(of_ben, ben, device):
    of_ben.get(URL)
    assert confirm(of_ben, ben, device=device).url == URL


def test_nobody_confirms_somebody_elses_app(of_ben, ben, mallory):
    theirs = services.pending_authenticator(user=mallory)
    of_ben.get(URL)
    answer = confirm(of_ben, ben, code_shown(theirs), device=theirs.pk)
    assert answer.status_code == 302
    assert not Authenticator.objects.filter(confirmed=True).exists()


def test_a_second_app_keeps_the_backup_codes_and_both_apps_serve(of_ben, ben):
    of_ben.get(URL)
    confirm(of_ben, ben, name="old")
    before = set(BackupCode.objects.values_list("digest", flat=True))
    Authenticator.objects.update(last_step=1)
    of_ben.get(URL)  # whoever has an app proves it with that one before he adds another
    of_ben.get(type_code(of_ben, app_code(ben)).url)
    Authenticator.objects.update(last_step=1)
    assert "stay as they are" in confirm(of_ben, ben, name="new").content.decode()
    assert set(BackupCode.objects.values_list("digest", flat=True)) == before
    for name in ("old", "new"):
        other = Client()
        type_password(other, "ben@example.org")
        device = Authenticator.objects.get(user=ben, name=name)
        other.get(type_code(other, code_shown(device, steps=1)).url)
        assert is_signed_in(other, ben)


def test_five_apps_are_enough(of_ben, ben):
    for number in range(5):
        Authenticator.objects.create(user=ben, name=str(number))
    # He has to prove it with an app now; the sign-in a moment ago was by e-mail.
    answer = of_ben.get(URL)
    assert challenge_of(of_ben).purpose == Purpose.MANAGE_FACTORS
    with pytest.raises(services.TooMany):
        services.pending_authenticator(user=ben)
    assert answer.status_code == 302


def test_it_asks_for_a_proof_when_the_last_one_is_old_and_comes_back(of_ben, ben, time_machine):
    time_machine.move_to(timezone.now() + timedelta(minutes=11))
    answer = of_ben.get(URL + "?next=/admin/")
    challenge = challenge_of(of_ben)
    assert answer.url == reverse("stepup:challenge", args=[challenge.pk])
    assert challenge.purpose == Purpose.MANAGE_FACTORS
    assert not Authenticator.objects.exists()
    answer = type_code(of_ben)
    assert answer.url == URL + "?next=/admin/"
    assert of_ben.get(answer.url).status_code == 200


def test_a_form_whose_proof_ran_out_comes_back_to_the_same_app(of_ben, ben, time_machine):
    of_ben.get(URL)
    device = pending(ben)
    time_machine.move_to(timezone.now() + timedelta(minutes=11))
    assert confirm(of_ben, ben).status_code == 302
    assert not Authenticator.objects.filter(confirmed=True).exists()
    page = of_ben.get(type_code(of_ben).url)
    assert device.typed_key in page.content.decode()


def test_whoever_has_an_app_proves_changes_with_more_than_an_e_mail(client, ada):
    client.force_login(ada)
    client.get(URL)
    challenge = challenge_of(client)
    assert challenge.factor == "authenticator"
    client.post(reverse("stepup:resend", args=[challenge.pk]), {"factor": "email"})
    assert not Message.objects.exists()


def test_strangers_are_led_to_the_sign_in(client, db):
    for name in ("overview", "authenticator", "backup_codes"):
        assert client.get(reverse(f"security:{name}")).url.startswith(reverse("sign_in:sign_in"))


# --- staff -----------------------------------------------------------------------------------------------------------


def test_staff_are_told_to_wait_for_the_next_code_and_get_in_with_it(client, rita):
    Authenticator.objects.all().delete()
    sign_in(client, rita, wanted="/admin/")
    client.get(URL)
    code = code_shown(pending(rita))
    page = confirm(client, rita, code, query="?next=%2Fadmin%2F").content.decode()
    assert "wait until your app shows the next" in page
    door = reverse("sign_in:staff") + "?next=%2Fadmin%2F"
    assert door in page
    assert client.get("/admin/").status_code == 302
    client.post(door)
    assert challenge_of(client).purpose == Purpose.STAFF_SIGN_IN
    assert type_code(client, code).status_code == 422
    answer = client.get(type_code(client, app_code(rita, steps=1)).url)
    assert answer.url == "/admin/"
    assert client.get("/admin/").status_code == 200


# --- removing --------------------------------------------------------------------------------------------------------


def test_the_last_app_goes_with_the_backup_codes_and_the_owner_is_told(client, ada):
    make_backup_codes(ada)
    sign_in(client, ada, app_code(ada))
    device = Authenticator.objects.get()
    url = reverse("security:remove_authenticator", args=[device.pk])
    assert "backup codes go with it" in client.get(url).content.decode()
    assert Authenticator.objects.exists()
    assert client.post(url).url == reverse("security:overview")
    assert not Authenticator.objects.exists()
    assert not BackupCodeSet.objects.exists()
    assert SecurityEvent.objects.get(kind=Kind.FACTOR_REMOVED).detail == {"factor": "authenticator", "name": "phone"}
    assert Message.objects.filter(kind="notice").count() == 2
    assert client.post(url).status_code == 302
    assert SecurityEvent.objects.filter(kind=Kind.FACTOR_REMOVED).count() == 1
    assert client.get(url).status_code == 404


def test_nobody_removes_somebody_elses_app(client, ada, mallory):
    sign_in(client, mallory)
    url = reverse("security:remove_authenticator", args=[Authenticator.objects.get().pk])
    assert client.get(url).status_code == 404
    client.post(url)
    assert Authenticator.objects.filter(user=ada).exists()
    assert client.get(reverse("security:remove_authenticator", args=[10**30])).status_code == 404


def test_removing_asks_for_a_proof(client, ada):
    client.force_login(ada)
    device = Authenticator.objects.get()
    client.post(reverse("security:remove_authenticator", args=[device.pk]))
    assert Authenticator.objects.exists()
    assert Challenge.objects.get().purpose == Purpose.MANAGE_FACTORS
