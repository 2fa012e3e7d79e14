from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.models import DemoMessage, Message
from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import make_backup_codes
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import SecurityEvent, User
from accounts.sign_in import by_code
from accounts.stepup.models import Challenge, Grant, Purpose
from tests.accounts.sign_in.steps import (
    app_code,
    challenge_of,
    choose,
    is_signed_in,
    type_code,
    type_password,
)
from tests.accounts.sign_in.test_recovery import strip_tokens

Kind = SecurityEvent.Kind


@pytest.fixture(autouse=True)
def _on(settings):
    settings.SIGN_IN_BY_CODE = True


def ask(client, contact, wanted=""):
    return client.post(reverse("sign_in:by_code") + (f"?next={wanted}" if wanted else ""), {"contact": contact})


def by_code_alone(client, contact="ben@example.org", wanted=""):
    """Until the code is accepted; what the page after it answers."""
    ask(client, contact, wanted)
    return client.get(type_code(client).url)


def test_it_is_off_unless_the_shop_wants_it(client, ben, settings):
    settings.SIGN_IN_BY_CODE = False
    for name in ("sign_in:by_code", "sign_in:code_done"):
        assert client.get(reverse(name)).status_code == 404
    assert ask(client, "ben@example.org").status_code == 404
    assert reverse("sign_in:by_code") not in client.get(reverse("sign_in:sign_in")).content.decode()
    settings.SIGN_IN_BY_CODE = True
    assert reverse("sign_in:by_code") in client.get(reverse("sign_in:sign_in")).content.decode()


def test_switched_off_in_between_it_signs_nobody_in(client, ben, settings):
    ask(client, "ben@example.org")
    url = type_code(client).url
    settings.SIGN_IN_BY_CODE = False
    assert client.get(url).status_code == 404
    assert not is_signed_in(client)


def test_who_has_nothing_else_is_signed_in_by_the_code_alone(client, ben):
    answer = ask(client, "Ben@Example.org", wanted="/cart/")
    assert answer.url == reverse("stepup:challenge", args=[challenge_of(client).pk])
    assert challenge_of(client).purpose == Purpose.SIGN_IN_BY_CODE
    key = client.session.session_key
    answer = client.get(type_code(client).url)
    assert answer.url == "/cart/"
    assert is_signed_in(client, ben)
    assert client.session.session_key != key
    assert client.session["level"]["strength"] == 1
    assert Grant.objects.get().used_at
    assert SecurityEvent.objects.get(kind=Kind.SIGNED_IN, user=ben).detail["purpose"] == Purpose.SIGN_IN_BY_CODE
    assert "Signed in with a code instead of your password" in client.get("/account/security/").content.decode()


@pytest.mark.parametrize("contact", ["01518 7654321", "+4915187654321"])
def test_a_phone_does_too(client, cleo, contact):
    by_code_alone(client, contact)
    assert is_signed_in(client, cleo)


def test_a_grant_signs_in_once(client, ben):
    ask(client, "ben@example.org")
    url = type_code(client).url
    client.get(url)
    client.post(reverse("sign_in:sign_out"))
    client.get(url)
    assert not is_signed_in(client)


def test_who_has_another_factor_is_asked_for_that_too_and_never_on_the_same_device(client, ada):
    answer = by_code_alone(client, "+4915112345678")
    assert not is_signed_in(client)
    second = challenge_of(client)
    assert answer.url == reverse("stepup:challenge", args=[second.pk])
    assert (second.purpose, second.user, second.factor) == (Purpose.SIGN_IN, ada, "authenticator")
    page = client.get(answer.url).content.decode()
    assert "E-mail a code to" in page
    assert "Text a code" not in page and "and say a code" not in page
    for factor in ("text", "call"):
        assert choose(client, factor).status_code == 410
    assert challenge_of(client).sends == 0
    done = type_code(client, app_code(ada))
    client.get(done.url)
    assert is_signed_in(client, ada)
    assert client.session["level"]["strength"] == 3
    assert not Grant.objects.filter(used_at=None).exists()


@pytest.mark.parametrize("contact", ["ada@example.org", "+4915112345678"])
def test_a_new_code_of_the_second_proof_stays_without_that_device(client, ada, contact, time_machine):
    Authenticator.objects.all().delete()
    by_code_alone(client, contact)
    first = challenge_of(client)
    other = "text" if "@" in contact else "email"
    assert first.factor == other
    time_machine.move_to(timezone.now() + timedelta(minutes=11))
    client.post(reverse("stepup:again", args=[first.pk]))
    again = challenge_of(client)
    assert again != first
    assert again.factor == other
    assert choose(client, "email" if "@" in contact else "text").status_code == 410


def test_a_challenge_begun_with_a_password_is_not_taken_for_the_second_proof(client, ada):
    type_password(client, "ada@example.org")
    choose(client, "email")
    with_password = challenge_of(client)
    by_code_alone(client, "ada@example.org")
    assert challenge_of(client) != with_password
    with_password.refresh_from_db()
    assert with_password.state == Challenge.State.SUPERSEDED


def test_the_second_proof_is_worth_nothing_without_the_first(client, ada):
    by_code_alone(client, "ada@example.org")
    Grant.objects.filter(purpose=Purpose.SIGN_IN_BY_CODE).update(used_at=timezone.now())
    client.get(type_code(client, app_code(ada)).url)
    assert not is_signed_in(client)
    assert not Grant.objects.filter(purpose=Purpose.SIGN_IN, used_at__isnull=False).exists()


@pytest.mark.parametrize(
    "change",
    [{"is_active": False}, {"is_staff": True}, {"locked_at": timezone.now()}],
    ids=["closed", "of staff now", "locked"],
)
@pytest.mark.parametrize("when", ["after the code", "after the second proof"])
def test_an_account_that_changed_in_between_does_not_get_in(client, ada, change, when):
    ask(client, "ada@example.org")
    url = type_code(client).url
    if when == "after the code":
        User.objects.filter(pk=ada.pk).update(**change)
        client.get(url)
    else:
        client.get(url)
        done = type_code(client, app_code(ada)).url
        User.objects.filter(pk=ada.pk).update(**change)
        client.get(done)
    assert not is_signed_in(client)


def test_a_factor_that_came_in_between_is_asked_for(client, ben):
    ask(client, "ben@example.org")
    url = type_code(client).url
    Authenticator.objects.create(user=ben)
    assert client.get(url).url.startswith("/account/challenge/")
    assert not is_signed_in(client)


def test_one_that_came_in_the_last_moment_is_not_passed_by(ben, browser_id, asker):
    from accounts.stepup import challenges, grants
    from tests.codes import code_of

    who = asker(contact="ben@example.org")
    begun = by_code.begin_by_code(asker=who, next_path="/")
    challenges.answer(
        begun.pk, asker=who, purpose=begun.purpose, digest=bytes(begun.context_digest), code=code_of(begun)
    )
    Authenticator.objects.create(user=ben)
    with pytest.raises(grants.NoGrant):
        by_code.finish_by_code(contact="ben@example.org", browser=browser_id, ip=None)
    assert Grant.objects.get().used_at is None


def test_backup_codes_are_another_factor(client, ben):
    code = make_backup_codes(ben)[0]
    by_code_alone(client)
    assert not is_signed_in(client)
    client.get(type_code(client, code).url)
    assert is_signed_in(client, ben)


def test_where_the_other_factor_rests_nobody_gets_in_by_mail_alone(client, ada):
    Authenticator.objects.all().delete()
    User.objects.filter(pk=ada.pk).update(
        reset_factor="text", reset_factor_rests_until=timezone.now() + timedelta(days=1)
    )
    answer = by_code_alone(client, "ada@example.org")
    assert answer.status_code == 403
    assert "was reset by text" in answer.content.decode()
    assert not is_signed_in(client)


def everything(client, contact):
    """All that a stranger sees on the way, and how many messages left."""
    answers = [client.get(reverse("sign_in:by_code")), ask(client, contact)]
    challenge = challenge_of(client)
    answers.append(client.get(answers[-1].url))
    answers.append(type_code(client, "000000"))
    seen = [
        (
            answer.status_code,
            sorted(str(answer.headers).replace(str(challenge.pk), "ID").split(", ")),
            sorted(answer.cookies),
            [line.replace(str(challenge.pk), "ID") for line in strip_tokens(answer.content.decode())],
        )
        for answer in answers
    ]
    return str(seen).replace(contact, "CONTACT"), Message.objects.filter(destination=contact).count()


@pytest.mark.parametrize("who", ["unknown", "staff", "closed", "locked", "unproven", "resting", "of another name"])
def test_who_may_not_looks_like_who_may(ben, mallory, who, time_machine, deliver):
    time_machine.move_to(timezone.now(), tick=False)
    User.objects.filter(pk=mallory.pk).update(email="max@example.org")
    Mailbox.objects.filter(user=mallory).update(address="max@example.org")
    changed = {
        "staff": {"is_staff": True},
        "closed": {"is_active": False},
        "locked": {"locked_at": timezone.now()},
        "resting": {"reset_factor": "email", "reset_factor_rests_until": timezone.now() + timedelta(days=1)},
        "unknown": {"email": "someone.else@example.org"},
    }
    if who in changed:
        User.objects.filter(pk=mallory.pk).update(**changed[who])
    if who == "unproven":
        Mailbox.objects.filter(user=mallory).update(confirmed=False)
    if who == "of another name":  # a mailbox that is proven, and no name to sign in with
        User.objects.filter(pk=mallory.pk).update(email=None, phone="+4915100000001")
    known, unknown = everything(Client(), "ben@example.org"), everything(Client(), "max@example.org")
    assert known[0].replace("b•••@", "m•••@") == unknown[0]
    assert known[1] == unknown[1] == 1
    deliver()
    said = DemoMessage.objects.get(message__destination="max@example.org")
    assert "no sign-in by code" in said.text.lower()
    assert Challenge.objects.filter(contact="max@example.org").get().decoy


@pytest.mark.parametrize("contact", ["+4915199999999", "nobody@example.org"])
def test_a_decoys_own_code_signs_nobody_in(client, ben, contact, deliver):
    ask(client, contact)
    assert type_code(client).status_code == 422
    assert client.get(reverse("sign_in:code_done")).url == reverse("sign_in:by_code")
    deliver()
    assert "password" in DemoMessage.objects.get().text


def test_another_browser_can_t_finish_it(client, ben):
    ask(client, "ben@example.org")
    type_code(client)
    thief = Client()
    ask(thief, "ben@example.org")
    assert thief.get(reverse("sign_in:code_done")).url == reverse("sign_in:by_code")
    assert not is_signed_in(thief)


def test_the_proof_of_a_reset_signs_nobody_in(client, ben):
    client.post(reverse("sign_in:reset"), {"contact": "ben@example.org"})
    type_code(client)
    assert client.get(reverse("sign_in:code_done")).url == reverse("sign_in:by_code")
    assert not is_signed_in(client)


def test_a_signed_in_person_goes_straight_on(client, ben):
    by_code_alone(client)
    assert client.get(reverse("sign_in:by_code") + "?next=/cart/").url == "/cart/"


def test_a_phone_kept_by_two_accounts_signs_in_the_one_whose_name_it_is(client, cleo, ben):
    Phone.objects.create(user=ben, number="+4915187654321")
    by_code_alone(client, "+4915187654321")
    assert is_signed_in(client, cleo)
