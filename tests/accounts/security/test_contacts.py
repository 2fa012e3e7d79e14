"""Change of e-mail and phone: the change is proven, then the new one; one transaction uses both proofs up."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.models import DemoMessage, Message
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import EmailChange, SecurityEvent, User
from accounts.stepup import policy
from accounts.stepup.models import Challenge, Grant, Purpose
from tests.accounts.sign_in.steps import app_code, challenge_of, is_signed_in, sign_in, type_code
from tests.accounts.sign_in.test_sign_up import strip_tokens
from tests.codes import code_of

Kind = SecurityEvent.Kind
NEW, NEW_PHONE = "new@example.org", "+4915199999999"
OVERVIEW = "/account/security/"


@pytest.fixture
def ada_client(client, ada):
    client.force_login(ada)
    return client


def ask(client, new=NEW, field="email"):
    return client.post(reverse(f"security:change_{field}"), {"new": new})


def prove_change(client, user, new=NEW, field="email"):
    """The person's own proof: the app where there is one, else what was sent."""
    ask(client, new, field)
    code = app_code(user) if user.authenticators.exists() else None
    return type_code(client, code)


def prove_both(client, user, new=NEW, field="email"):
    client.get(prove_change(client, user, new, field).url)
    return type_code(client)


def confirm(client, field="email"):
    return client.post(reverse(f"security:confirm_{field}"))


def undo_link(text):
    return re.search(r"/account/security/email/undo/[^/\s]+/", text)[0]


def changed(client, user, deliver):
    """The e-mail changed, and the link that the old address got."""
    prove_both(client, user)
    confirm(client)
    deliver()
    told = DemoMessage.objects.get(message__kind="notice", message__destination="ada@example.org")
    return undo_link(told.text)


# --- change ----------------------------------------------------------------------------------------------------------


def test_a_proven_change_moves_the_name_and_the_mailbox(ada_client, ada):
    assert "ada@example.org" in ada_client.get(reverse("security:change_email")).content.decode()
    assert ask(ada_client, " New@Example.org ").url == reverse("stepup:challenge", args=[challenge_of(ada_client).pk])
    assert challenge_of(ada_client).purpose == Purpose.CHANGE_EMAIL
    assert type_code(ada_client, app_code(ada)).url == reverse("security:prove_email")
    ada_client.get(reverse("security:prove_email"))
    new = challenge_of(ada_client)
    assert (new.purpose, new.user, new.contact, new.factor) == (Purpose.NEW_CONTACT, ada, NEW, "email")
    assert type_code(ada_client).url == reverse("security:confirm_email")
    page = ada_client.get(reverse("security:confirm_email")).content.decode()
    assert NEW in page and "ada@example.org no longer counts" in page
    ada.refresh_from_db()
    assert ada.email == "ada@example.org"  # nothing happens by looking
    assert confirm(ada_client).url == OVERVIEW
    ada.refresh_from_db()
    assert ada.email == NEW
    assert list(Mailbox.objects.filter(user=ada).values_list("address", "confirmed")) == [(NEW, True)]
    assert not Grant.objects.filter(used_at=None).exists()
    assert SecurityEvent.objects.filter(kind=Kind.EMAIL_CHANGED, user=ada).count() == 1
    assert "Your e-mail is changed." in ada_client.get(OVERVIEW).content.decode()


def test_the_old_address_and_the_phone_are_told_and_only_the_old_address_can_undo(ada_client, ada, deliver):
    prove_both(ada_client, ada)
    confirm(ada_client)
    deliver()
    told = {said.message.destination: said for said in DemoMessage.objects.filter(message__kind="notice")}
    assert set(told) == {"ada@example.org", "+4915112345678"}
    assert "e-mail address of your account was changed" in told["ada@example.org"].text
    assert undo_link(told["ada@example.org"].text) in told["ada@example.org"].html
    assert "undo" not in told["+4915112345678"].text


def test_a_phone_rests_for_72_hours_and_both_channels_are_told(ada_client, ada):
    prove_both(ada_client, ada, NEW_PHONE, "phone")
    assert "approves no payment" in ada_client.get(reverse("security:confirm_phone")).content.decode()
    confirm(ada_client, "phone")
    ada.refresh_from_db()
    phone = Phone.objects.get(user=ada)
    assert (ada.phone.as_e164, phone.destination, phone.confirmed) == (NEW_PHONE, NEW_PHONE, True)
    rest = phone.approves_payments_from - timezone.now()
    assert timedelta(hours=71, minutes=59) < rest <= policy.NEW_PHONE_REST
    offered = {offer.factor.code for offer in policy.offers(ada, Purpose.PAY, timezone.now())}
    assert offered == {"authenticator", "email"}
    told = Message.objects.filter(kind="notice").order_by("channel").values_list("channel", "destination")
    assert list(told) == [("email", "ada@example.org"), ("text", "+4915112345678")]
    assert not EmailChange.objects.exists()


def test_a_first_phone_and_a_first_e_mail_are_the_same_way(ben, cleo, deliver):
    for user, new, field in ((ben, NEW_PHONE, "phone"), (cleo, NEW, "email")):
        client = Client()
        client.force_login(user)
        assert "Add" in client.get(reverse(f"security:change_{field}")).content.decode()
        prove_both(client, user, new, field)
        confirm(client, field)
    ben.refresh_from_db()
    cleo.refresh_from_db()
    assert (ben.phone.as_e164, cleo.email) == (NEW_PHONE, NEW)
    assert Phone.objects.get(user=ben).approves_payments_from > timezone.now() + timedelta(hours=71)
    assert Mailbox.objects.get(user=cleo).address == NEW
    assert not EmailChange.objects.exists()  # there is no old address that could undo it
    deliver()


def test_the_new_ones_sign_in(ada_client, ada):
    prove_both(ada_client, ada)
    confirm(ada_client)
    other = Client()
    ada.refresh_from_db()
    ada.authenticators.all().delete()
    sign_in(other, ada)
    assert is_signed_in(other, ada)


def test_a_code_that_went_to_the_old_address_is_void_after_the_change(client, ben):
    client.force_login(ben)
    prove_both(client, ben)
    other = Client()
    other.force_login(ben)
    other.get(reverse("security:authenticator"))
    assert challenge_of(other).factor == "email"
    confirm(client)
    assert type_code(other).status_code == 410


# --- refused ---------------------------------------------------------------------------------------------------------


def nothing_changed(user):
    before = user.email, user.phone
    user.refresh_from_db()
    return (user.email, user.phone) == before and not SecurityEvent.objects.filter(kind=Kind.EMAIL_CHANGED).exists()


def test_without_any_proof_nothing_changes(ada_client, ada):
    assert confirm(ada_client).url == OVERVIEW
    ask(ada_client)
    assert confirm(ada_client).url == reverse("security:change_email")
    assert ada_client.get(reverse("security:confirm_email")).url == reverse("security:change_email")
    assert ada_client.get(reverse("security:prove_email")).url == reverse("security:change_email")
    assert not Challenge.objects.filter(purpose=Purpose.NEW_CONTACT).exists()
    assert nothing_changed(ada)


def test_the_persons_proof_alone_is_not_enough(ada_client, ada):
    prove_change(ada_client, ada)
    ada_client.get(reverse("security:prove_email"))
    assert confirm(ada_client).url == reverse("security:change_email")
    assert nothing_changed(ada)


def test_the_new_addresss_proof_alone_is_not_enough(ada_client, ada):
    prove_both(ada_client, ada)
    Grant.objects.filter(purpose=Purpose.CHANGE_EMAIL).delete()
    assert confirm(ada_client).url == reverse("security:change_email")
    assert nothing_changed(ada)


def test_proofs_are_good_for_the_typed_address_only(ada_client, ada):
    prove_both(ada_client, ada)
    ask(ada_client, "other@example.org")  # a second tab, or who took the session over
    assert confirm(ada_client).url == reverse("security:change_email")
    assert ada_client.get(reverse("security:prove_email")).url == reverse("security:change_email")
    assert nothing_changed(ada)


def test_a_proof_for_another_purpose_is_not_enough(ada_client, ada):
    prove_both(ada_client, ada)
    Grant.objects.filter(purpose=Purpose.CHANGE_EMAIL).update(purpose=Purpose.CHANGE_PHONE)
    assert confirm(ada_client).url == reverse("security:change_email")
    assert nothing_changed(ada)


def test_another_browser_of_the_same_person_can_t_finish_it(ada_client, ada):
    prove_both(ada_client, ada)
    other = Client()
    other.force_login(ada)
    ask(other)
    assert confirm(other).url == reverse("security:change_email")
    assert nothing_changed(ada)


def test_another_person_can_t_finish_it_in_the_same_browser(ada_client, ada, mallory):
    prove_both(ada_client, ada)
    ada_client.force_login(mallory)
    ask(ada_client)
    assert confirm(ada_client).status_code == 302
    assert nothing_changed(mallory)


def test_a_change_of_the_password_in_between_voids_the_proofs(ada_client, ada):
    prove_both(ada_client, ada)
    ada.set_password("another whale of a password")
    ada.save()
    ada_client.force_login(ada)
    ask(ada_client)
    assert confirm(ada_client).url == reverse("security:change_email")
    assert nothing_changed(ada)


def test_proofs_run_out(ada_client, ada, time_machine):
    prove_both(ada_client, ada)
    time_machine.move_to(timezone.now() + timedelta(minutes=11))
    assert confirm(ada_client).url == reverse("security:change_email")
    assert nothing_changed(ada)


def test_a_recent_sign_in_does_not_do(client, ada):
    sign_in(client, ada, app_code(ada))
    assert ask(client).url == reverse("stepup:challenge", args=[challenge_of(client).pk])
    assert challenge_of(client).purpose == Purpose.CHANGE_EMAIL


def test_to_have_a_new_phone_proves_nothing_about_the_session(client, ben):
    client.force_login(ben)
    prove_change(client, ben, NEW_PHONE, "phone")
    level = client.session["level"]
    client.get(reverse("security:prove_phone"))
    type_code(client)
    assert client.session["level"] == level


def test_who_is_not_signed_in_is_led_to_the_sign_in(client, db):
    for name in ("change_email", "prove_email", "confirm_email", "change_phone", "prove_phone", "confirm_phone"):
        assert client.get(reverse(f"security:{name}")).url.startswith(reverse("sign_in:sign_in"))


def test_a_double_tap_says_that_it_is_done(ada_client, ada):
    prove_both(ada_client, ada)
    ask(ada_client)  # the same form once more, by the back button, asks for nothing more and sends nothing
    assert ada_client.get(reverse("security:prove_email")).url == reverse("security:confirm_email")
    for _ in range(2):
        assert confirm(ada_client).url == OVERVIEW
    assert SecurityEvent.objects.filter(kind=Kind.EMAIL_CHANGED).count() == 1


@pytest.mark.parametrize(
    ("field", "new", "words"),
    [
        ("email", "ada@example.org", "e-mail of your account already"),
        ("email", "no address", "should be like name@example.org"),
        ("email", "", "required"),
        ("phone", "0151 12345678", "phone of your account already"),
        ("phone", "0900 1234567", "like +49 1512 3456789"),
    ],
)
def test_what_can_t_be_a_new_one_gets_clear_words(ada_client, field, new, words):
    answer = ask(ada_client, new, field)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Challenge.objects.exists()


# --- somebody else's address -----------------------------------------------------------------------------------------


def test_an_address_of_another_account_looks_the_same_and_gets_an_explanation(ada, ben, deliver):
    pages = []
    for new in (NEW, "ben@example.org"):
        client = Client()
        client.force_login(ada)
        answers = [ask(client, new), type_code(client, app_code(ada))]
        ada.authenticators.update(last_step=-1)
        answers.append(client.get(answers[-1].url))
        page = client.get(answers[-1].url)
        wrong = type_code(client, "000000")
        assert [answer.status_code for answer in answers] == [302, 302, 302]
        pages.append(
            [
                strip_tokens(each.content.decode().replace(str(challenge_of(client).pk), "ID").replace("b•••", "n•••"))
                for each in (page, wrong)
            ]
        )
    assert pages[0] == pages[1]
    deliver()
    sent = Message.objects.filter(challenge__purpose=Purpose.NEW_CONTACT).order_by("queued_at")
    assert list(sent.values_list("kind", flat=True)) == ["code", "explanation"]
    decoy = Challenge.objects.get(decoy=True)
    said = DemoMessage.objects.get(message__kind="explanation")
    assert "account" in said.subject and "already" in said.subject
    assert "nothing has changed" in said.text
    assert code_of(decoy) not in said.subject + said.text + said.html
    assert type_code(client, code_of(decoy)).status_code == 422  # a decoy's own code is wrong as well
    assert confirm(client).url == reverse("security:change_email")
    ada.refresh_from_db()
    assert ada.email == "ada@example.org"


def test_a_number_of_another_account_gets_an_explanation(ada_client, ada, cleo, deliver):
    ada_client.get(prove_change(ada_client, ada, cleo.phone.as_e164, "phone").url)
    deliver()
    said = DemoMessage.objects.get(message__kind="explanation")
    assert "has one already" in said.text


def test_the_constraint_decides_who_gets_an_address_that_two_have_proven(ada_client, ada):
    prove_both(ada_client, ada)
    User.objects.create_user(email=NEW)
    assert confirm(ada_client).url == OVERVIEW
    assert "Another account has it" in ada_client.get(OVERVIEW).content.decode()
    assert nothing_changed(ada)
    assert Mailbox.objects.get(user=ada).address == "ada@example.org"


# --- undo ------------------------------------------------------------------------------------------------------------


def test_the_link_undoes_the_change_signs_everybody_out_and_nobody_in(ada_client, ada, deliver):
    link = changed(ada_client, ada, deliver)
    stranger = Client()
    page = stranger.get(link)
    assert page.status_code == 200 and "no-store" in page["Cache-Control"]
    assert "a•••@example.org" in page.content.decode() and "ada@example.org" not in page.content.decode()
    ada.refresh_from_db()
    assert ada.email == NEW  # only the button does something
    assert stranger.post(link).url == reverse("sign_in:reset")
    ada.refresh_from_db()
    assert ada.email == "ada@example.org"
    assert list(Mailbox.objects.filter(user=ada).values_list("address", flat=True)) == ["ada@example.org"]
    assert not is_signed_in(stranger)
    assert ada_client.get(OVERVIEW).url.startswith(reverse("sign_in:sign_in"))
    assert not ada.has_usable_password()
    assert SecurityEvent.objects.filter(kind=Kind.EMAIL_CHANGE_UNDONE, user=ada).count() == 1
    event = SecurityEvent.objects.get(kind=Kind.EMAIL_CHANGE_UNDONE)
    told = Message.objects.filter(kind="notice", reference=str(event.pk)).values_list("destination", flat=True)
    assert set(told) == {"ada@example.org", NEW, "+4915112345678"}


def test_it_is_good_once_and_for_72_hours(ada_client, ada, deliver, time_machine):
    link = changed(ada_client, ada, deliver)
    time_machine.move_to(timezone.now() + timedelta(hours=72, seconds=1))
    assert Client().get(link).status_code == Client().post(link).status_code == 410
    time_machine.move_to(timezone.now() - timedelta(seconds=2))
    assert Client().post(link).status_code == 302
    assert Client().get(link).status_code == Client().post(link).status_code == 410
    assert SecurityEvent.objects.filter(kind=Kind.EMAIL_CHANGE_UNDONE).count() == 1


def test_a_link_that_we_did_not_sign_does_nothing(ada_client, ada, deliver):
    link = changed(ada_client, ada, deliver)
    pk = EmailChange.objects.get().pk
    for forged in (str(pk), f"{pk}:x", link.split("/")[-2][:-1] + "_", "x" * 300):
        assert Client().post(reverse("security:undo_email", args=[forged])).status_code == 410
    ada.refresh_from_db()
    assert ada.email == NEW


def test_undoing_the_first_change_undoes_the_later_ones_too(ada_client, ada, deliver):
    link = changed(ada_client, ada, deliver)
    ada.refresh_from_db()
    ada.authenticators.update(last_step=-1)
    prove_both(ada_client, ada, "thief@example.net")
    confirm(ada_client)
    deliver()
    thiefs = undo_link(DemoMessage.objects.get(message__kind="notice", message__destination=NEW).text)
    assert Client().post(link).status_code == 302
    assert Client().post(thiefs).status_code == 410
    ada.refresh_from_db()
    assert ada.email == "ada@example.org"
    assert list(Mailbox.objects.filter(user=ada).values_list("address", flat=True)) == ["ada@example.org"]


def test_an_address_that_was_taken_meanwhile_can_t_be_put_back(ada_client, ada, deliver):
    link = changed(ada_client, ada, deliver)
    User.objects.create_user(email="ada@example.org")
    answer = Client().post(link)
    assert answer.status_code == 409
    assert "write to our support" in answer.content.decode()
    ada.refresh_from_db()
    assert ada.email == NEW and ada.has_usable_password()


def test_a_message_composed_after_the_undo_holds_no_link(ada_client, ada, deliver):
    prove_both(ada_client, ada)
    confirm(ada_client)
    EmailChange.objects.update(undone_at=timezone.now())
    deliver()
    told = DemoMessage.objects.get(message__kind="notice", message__destination="ada@example.org")
    assert "undo" not in told.text + told.html
