from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.models import DemoMessage, Message
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import SecurityEvent, User
from accounts.sign_in import services
from accounts.stepup.models import Challenge, Grant
from tests.accounts.sign_in.steps import challenge_of, is_signed_in, type_code
from tests.codes import code_of

GOOD = "a whale of a password"


def type_contact(client, contact, wanted=""):
    return client.post(reverse("sign_in:sign_up") + (f"?next={wanted}" if wanted else ""), {"contact": contact})


def finish(client, password=GOOD, name="", query=""):
    return client.post(reverse("sign_in:sign_up_done") + query, {"name": name, "password": password})


@pytest.mark.parametrize(
    ("contact", "kept"), [("New@Example.org", "new@example.org"), ("01512 3456789", "+4915123456789")]
)
def test_contact_code_and_password_open_an_account(client, db, contact, kept):
    answer = type_contact(client, contact, wanted="/cart/")
    assert answer.url == reverse("stepup:challenge", args=[challenge_of(client).pk])
    answer = type_code(client)
    assert answer.url == reverse("sign_in:sign_up_done") + "?next=%2Fcart%2F"
    page = client.get(answer.url)
    assert kept in page.content.decode()
    assert not User.objects.exists()
    key = client.session.session_key
    answer = finish(client, name="Nora New", query="?next=%2Fcart%2F")
    assert answer.url == "/cart/"
    user = User.objects.get()
    assert (user.name, user.email or user.phone.as_e164) == ("Nora New", kept)
    assert user.check_password(GOOD)
    assert is_signed_in(client, user)
    assert client.session.session_key != key
    assert SecurityEvent.objects.filter(kind=SecurityEvent.Kind.SIGNED_UP, user=user).count() == 1
    assert Grant.objects.get().used_at
    if user.email:
        assert Mailbox.objects.get(user=user).confirmed
        assert client.session["level"]["strength"] == 1
    else:
        phone = Phone.objects.get(user=user)
        assert phone.confirmed
        assert phone.approves_payments_from <= timezone.now()


def test_a_contact_with_an_account_gets_the_same_page_and_an_explanation(client, ben, deliver):
    other = Client()
    answers = [type_contact(client, "new@example.org"), type_contact(other, "ben@example.org")]
    pages = [browser.get(answer.url) for browser, answer in zip((client, other), answers, strict=True)]
    assert [answer.status_code for answer in answers] == [302, 302]
    texts = [
        page.content.decode().replace(str(challenge_of(browser).pk), "ID").replace("b•••@", "n•••@")
        for browser, page in zip((client, other), pages, strict=True)
    ]
    assert strip_tokens(texts[0]) == strip_tokens(texts[1])
    deliver()
    kinds = Message.objects.order_by("queued_at").values_list("kind", flat=True)
    assert list(kinds) == ["code", "explanation"]
    said = DemoMessage.objects.get(message__kind="explanation")
    assert "already have" in said.subject
    assert code_of(challenge_of(other)) not in said.subject + said.text + said.html
    first, second = type_code(client, "000000"), type_code(other)  # a decoy's own code is wrong as well
    assert first.status_code == second.status_code == 422
    assert "You can try 4 more times." in second.content.decode()


def strip_tokens(page: str) -> list[str]:
    """The page without what differs on every answer: tokens against forged requests, times."""
    return [line for line in page.splitlines() if "csrfmiddlewaretoken" not in line and "countdown" not in line]


@pytest.mark.parametrize(
    "contact",
    [
        "",
        "new@",
        "@example.org",
        "a b@example.org",
        "12",
        "0900 1234567",
        "+4990012345678",
        "１２３４５６７８",
        "x" * 300,
        "\x00@x.org",
    ],
)
def test_what_is_no_contact_gets_clear_words(client, db, contact):
    answer = type_contact(client, contact)
    assert answer.status_code == 422
    assert not Challenge.objects.exists()


def test_the_words_for_a_number_say_how_to_type_it(client, db):
    assert "like +49 1512 3456789" in type_contact(client, "0900 1234567").content.decode()


def test_without_a_proven_contact_there_is_no_form(client, db):
    assert client.get(reverse("sign_in:sign_up_done")).url == reverse("sign_in:sign_up")
    type_contact(client, "new@example.org")
    assert client.get(reverse("sign_in:sign_up_done")).url == reverse("sign_in:sign_up")
    assert finish(client).url == reverse("sign_in:sign_up")
    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["short", "1234567890123", "password123", "new@example.org", "", "x" * 257])
def test_a_poor_password_is_refused_and_the_proof_stays(client, db, password):
    type_contact(client, "new@example.org")
    type_code(client)
    assert finish(client, password).status_code == 422
    assert finish(client).status_code == 302


def test_a_password_like_the_name_is_refused(client, db):
    type_contact(client, "new@example.org")
    type_code(client)
    assert finish(client, "Bartholomew1", name="Bartholomew").status_code == 422


def test_a_proof_opens_one_account(client, db):
    type_contact(client, "new@example.org")
    type_code(client)
    finish(client)
    assert finish(client).url == reverse("product:home")
    assert User.objects.count() == 1


def test_another_browser_can_t_finish_it(client, db):
    type_contact(client, "new@example.org")
    type_code(client)
    other = Client()
    type_contact(other, "new@example.org")
    assert finish(other).url == reverse("sign_in:sign_up")
    assert not User.objects.exists()


def test_of_two_with_the_same_contact_the_second_gets_calm_words(client, db):
    other = Client()
    for browser in (client, other):
        type_contact(browser, "new@example.org")
        type_code(browser)
    finish(client)
    answer = finish(other)
    assert answer.url == reverse("sign_in:sign_in")
    assert not is_signed_in(other)
    assert User.objects.count() == 1
    assert "was opened a moment ago" in other.get(answer.url).content.decode()


def test_the_proof_keeps_half_an_hour(client, db, time_machine):
    type_contact(client, "new@example.org")
    type_code(client)
    time_machine.move_to(timezone.now() + timedelta(minutes=31))
    assert finish(client).url == reverse("sign_in:sign_up")


def test_a_new_code_serves_as_well(client, db, time_machine):
    type_contact(client, "new@example.org")
    challenge = challenge_of(client)
    time_machine.move_to(timezone.now() + timedelta(minutes=11))
    client.post(reverse("stepup:again", args=[challenge.pk]))
    assert challenge_of(client) != challenge
    type_code(client)
    assert finish(client).status_code == 302
    assert User.objects.exists()


def test_a_person_new_to_us_has_only_the_contact():
    assert services.new_user("+4915123456789").email is None
    assert services.new_user("new@example.org").phone is None
