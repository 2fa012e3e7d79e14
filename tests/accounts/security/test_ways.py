"""The list of what a person has: what each line says, which one is asked for first, and new names."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import BackupCode, make_backup_codes
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import SecurityEvent
from accounts.security import ways
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
from tests.passkeys import passkey_of

URL = "/account/security/"


@pytest.fixture
def phone(ada):
    return ada.phones.get()


@pytest.fixture
def of_ada(client, ada):
    """Ada's browser, in which she signed in with her app a moment ago."""
    sign_in(client, ada, app_code(ada))
    return client


def lines(client):
    """The words of each line of the list."""
    page = client.get(URL).content.decode()
    part = page[page.index('aria-labelledby="ways"') :]
    found = re.findall(r"<li>(.*?)</li>", part[: part.index("</section>")], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", line).split()) for line in found]


def line(client, words):
    return next(each for each in lines(client) if words in each)


def ask_first(client, key):
    return client.post(reverse("security:prefer"), {"way": key}, follow=True)


def first_asked(name="ada@example.org"):
    browser = Client()
    type_password(browser, name)
    return challenge_of(browser)


# --- first -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["text", "call"])
def test_a_phone_is_texted_or_called_first_as_its_owner_wishes(of_ada, ada, phone, code):
    page = ask_first(of_ada, f"{code}:{phone.persistent_id}").content.decode()
    assert "We ask for this first from now on" in page
    assert (first_asked().factor, first_asked().device_id) == (code, phone.persistent_id)
    mark = {"text": "texted first", "call": "called first"}[code]
    assert mark in line(of_ada, "Phone")
    assert "asked for first" not in line(of_ada, "Authenticator app")


def test_of_two_phones_the_chosen_one_is(of_ada, ada, phone):
    other = Phone.objects.create(user=ada, number="+4915155555599")
    ask_first(of_ada, f"text:{other.persistent_id}")
    assert first_asked().device_id == other.persistent_id
    assert "texted first" in line(of_ada, "••99") and "texted first" not in line(of_ada, "••78")


def test_nobody_has_to_choose_and_the_strongest_is_first_then(of_ada, ada):
    assert "asked for first" in line(of_ada, "Authenticator app")
    assert first_asked().factor == "authenticator"


def test_the_strongest_is_kept_as_no_wish_at_all(of_ada, ada, phone):
    ask_first(of_ada, f"text:{phone.persistent_id}")
    ask_first(of_ada, "authenticator")
    ada.refresh_from_db()
    assert ada.preferred_device == ""
    assert first_asked().factor == "authenticator"


def test_where_it_is_not_enough_a_stronger_one_is_asked_for(of_ada, ada, time_machine):
    ask_first(of_ada, f"email:{ada.mailboxes.get().persistent_id}")
    time_machine.move_to(timezone.now() + timedelta(minutes=11))
    of_ada.get(reverse("security:backup_codes"))
    found = challenge_of(of_ada)
    assert (found.purpose, found.factor) == (Purpose.MANAGE_FACTORS, "authenticator")


def test_what_is_removed_is_first_no_more(of_ada, ada, phone):
    ask_first(of_ada, f"text:{phone.persistent_id}")
    phone.delete()
    assert first_asked().factor == "authenticator"
    assert "asked for first" in line(of_ada, "Authenticator app")


@pytest.mark.parametrize("key", ["theirs", "", "text", "text:", "nonsense", "backup", "passkey", "\x00", "x" * 999])
def test_what_is_not_ones_own_is_refused(of_ada, ada, cleo, key):
    if key == "theirs":
        key = f"text:{cleo.phones.get().persistent_id}"
    elif key == "backup":  # each of these works once
        make_backup_codes(ada)
        key = f"backup_code:{ada.backup_code_sets.get().persistent_id}"
    page = ask_first(of_ada, key).content.decode()
    assert "not one of yours any more" in page
    ada.refresh_from_db()
    assert ada.preferred_device == ""


def test_a_passkey_is_first_unless_another_way_was_chosen(of_ada, ada, phone):
    passkey_of(ada)
    assert "asked for first" in line(of_ada, "1 is set up")
    ask_first(of_ada, "authenticator")
    assert "asked for first" in line(of_ada, "Authenticator app")
    assert first_asked().factor == "authenticator"
    ask_first(of_ada, "passkey")
    assert first_asked().factor == "passkey"


def test_an_unconfirmed_phone_is_not_asked_first(of_ada, ada):
    new = Phone.objects.create(user=ada, number="+4915155555599", confirmed=False)
    assert not ways.prefer(user=ada, key=f"text:{new.persistent_id}")


def test_a_call_is_no_choice_where_the_shop_calls_nobody(of_ada, ada, phone, settings):
    settings.TWILIO_FROM, settings.TWILIO_MESSAGING_SERVICE_SID = "", "MG" + "a" * 32
    assert not ways.prefer(user=ada, key=f"call:{phone.persistent_id}")
    assert "Call me first" not in line(of_ada, "Phone")


def test_it_is_changed_by_post_and_by_its_owner_only(client, of_ada, ada, phone):
    url = reverse("security:prefer")
    assert of_ada.get(url).status_code == 405
    stranger = Client()
    assert stranger.post(url, {"way": f"text:{phone.persistent_id}"}).url.startswith(reverse("sign_in:sign_in"))
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = of_ada.cookies
    assert strict.post(url, {"way": f"text:{phone.persistent_id}"}).status_code == 403
    ada.refresh_from_db()
    assert ada.preferred_device == ""


def test_the_order_asks_for_no_proof_and_gives_none(of_ada, ada, phone, time_machine):
    time_machine.move_to(timezone.now() + timedelta(hours=3))
    ask_first(of_ada, f"text:{phone.persistent_id}")
    assert not Challenge.objects.filter(purpose=Purpose.MANAGE_FACTORS).exists()
    assert of_ada.get(reverse("security:backup_codes")).status_code == 302


def test_who_has_one_way_only_has_nothing_to_choose(client, ben):
    sign_in(client, ben)
    assert "first" not in " ".join(lines(client))


# --- what a line says ------------------------------------------------------------------------------------------------


def test_each_line_says_when_it_was_last_used(of_ada, ada, time_machine):
    assert "Last used" in line(of_ada, "Authenticator app") and "added" in line(of_ada, "Authenticator app")
    for words in ("Phone", "E-mail"):
        assert "Not used yet" in line(of_ada, words)
    time_machine.move_to(timezone.now() + timedelta(minutes=1))
    other = Client()
    type_password(other, "ada@example.org")
    data = {"factor": "text", "device": ada.phones.get().persistent_id}
    other.post(reverse("stepup:resend", args=[challenge_of(other).pk]), data)
    other.get(type_code(other).url)
    assert "Last used" in line(of_ada, "Phone")
    assert "Not used yet" in line(of_ada, "E-mail")


def test_of_two_apps_each_has_its_own_last_use(of_ada, ada):
    Authenticator.objects.create(user=ada, name="tablet")
    assert "Not used yet" in line(of_ada, "Authenticator app: tablet")
    assert "Last used" in line(of_ada, "Authenticator app: phone")
    sign_in(Client(), ada, app_code(ada))  # with the newest
    assert "Last used" in line(of_ada, "Authenticator app: tablet")


def test_what_others_used_is_not_shown(of_ada, ada, ben):
    Challenge.objects.filter(user=ada).update(user=ben)
    assert "Not used yet" in line(of_ada, "E-mail")


def test_it_takes_no_more_queries_with_more_devices(of_ada, ada, django_assert_max_num_queries):
    for number in range(4):
        Authenticator.objects.create(user=ada, name=str(number))
        Phone.objects.create(user=ada, number=f"+491515555559{number}")
        Mailbox.objects.create(user=ada, address=f"ada{number}@example.org")
    make_backup_codes(ada)
    with django_assert_max_num_queries(14):
        of_ada.get(URL)


def test_names_are_shown_as_they_are_typed_and_are_no_markup(of_ada, ada):
    Authenticator.objects.update(name="<b>me</b>")
    page = of_ada.get(URL).content.decode()
    assert "&lt;b&gt;me" in page and "<b>me" not in page


def test_used_up_backup_codes_are_told_apart_from_none(of_ada, ada):
    assert "None. They help" in line(of_ada, "Backup codes")
    make_backup_codes(ada)
    assert "10 left" in line(of_ada, "Backup codes")
    BackupCode.objects.update(used_at=timezone.now())
    assert "all used" in line(of_ada, "Backup codes")
    assert "None is left. Make ten new ones" in line(of_ada, "Backup codes")


# --- a new name ------------------------------------------------------------------------------------------------------


def rename(client, device, name):
    return client.post(reverse("security:rename_authenticator", args=[device.pk]), {"name": name})


@pytest.mark.parametrize("name", ["my old phone", "default", "", "電話", "  spaced  "])
def test_a_renamed_app_works_as_before(of_ada, ada, name):
    device = Authenticator.objects.get()
    assert rename(of_ada, device, name).url == reverse("security:overview")
    device.refresh_from_db()
    assert device.name == name.strip()
    other = Client()
    type_password(other, "ada@example.org")
    assert not is_signed_in(other) and challenge_of(other).factor == "authenticator"
    other.get(type_code(other, code_shown(device, steps=1)).url)
    assert is_signed_in(other, ada)


def test_the_page_has_the_old_name_in_its_field(of_ada, ada):
    page = of_ada.get(reverse("security:rename_authenticator", args=[Authenticator.objects.get().pk]))
    assert 'value="phone"' in page.content.decode()


@pytest.mark.parametrize("name", ["x" * 41, "a\x00b"])
def test_an_odd_name_is_refused(of_ada, ada, name):
    assert rename(of_ada, Authenticator.objects.get(), name).status_code == 422
    assert Authenticator.objects.get().name == "phone"


def test_nobody_renames_somebody_elses_app_or_one_that_is_not_there(client, ada, mallory):
    sign_in(client, mallory)
    device = Authenticator.objects.get()
    assert rename(client, device, "mine").status_code == 404
    assert client.post(reverse("security:rename_authenticator", args=[10**30]), {"name": "x"}).status_code == 404
    device.refresh_from_db()
    assert device.name == "phone"


def test_an_unconfirmed_app_has_no_name_yet(of_ada, ada):
    pending = Authenticator.objects.create(user=ada, confirmed=False)
    assert rename(of_ada, pending, "x").status_code == 404


def test_renaming_asks_for_a_proof(client, ada):
    client.force_login(ada)
    assert rename(client, Authenticator.objects.get(), "x").status_code == 302
    assert Authenticator.objects.get().name == "phone"
    assert challenge_of(client).purpose == Purpose.MANAGE_FACTORS


def test_earlier_events_keep_the_name_of_their_time(of_ada, ada):
    rename(of_ada, Authenticator.objects.get(), "tablet")
    assert SecurityEvent.objects.get(kind="proof_passed").detail["name"] == "phone"
