from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.models import DemoMessage, Message
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import User
from accounts.sign_in import names
from tests.accounts.sign_in.test_sign_up import strip_tokens


def ask(client, contact):
    return client.post(reverse("sign_in:forgot_name"), {"contact": contact})


def test_the_answer_goes_to_the_contact_and_names_the_account_masked(client, ada, deliver):
    Mailbox.objects.create(user=ada, address="second@example.org")
    answer = ask(client, "Second@Example.org")
    page = client.get(answer.url).content.decode()
    assert "ada@" not in page and "a•••" not in page
    deliver()
    said = DemoMessage.objects.get()
    assert said.message.destination == "second@example.org"
    for body in (said.text, said.html):
        assert "a•••@example.org / +49 ••• ••78" in body
        assert "ada@example.org" not in body


def test_a_phone_is_texted(client, ada, deliver):
    ask(client, "01511 2345678")
    deliver()
    said = DemoMessage.objects.get()
    assert said.message.channel == "text"
    assert "a***@example.org" in said.text


def test_who_has_no_account_is_told_so_there(client, db, deliver):
    ask(client, "nobody@example.org")
    deliver()
    assert "There is none." in DemoMessage.objects.get().text


@pytest.mark.parametrize("change", ["closed", "unproven"])
def test_what_is_closed_or_unproven_is_not_tied(client, ada, deliver, change):
    Phone.objects.create(user=ada, number="+4915100000009", confirmed=change != "unproven")
    if change == "closed":
        User.objects.update(is_active=False)
    ask(client, "+4915100000009")
    deliver()
    assert "there is no account with this number" in DemoMessage.objects.get().text


def test_the_page_is_the_same_for_everybody(ada, time_machine):
    time_machine.move_to(timezone.now(), tick=False)

    def all_of_it(contact):
        client = Client()
        answers = [client.get(reverse("sign_in:forgot_name")), ask(client, contact)]
        answers.append(client.get(answers[-1].url))
        return str(
            [(a.status_code, str(a.headers), sorted(a.cookies), strip_tokens(a.content.decode())) for a in answers]
        ).replace(contact, "CONTACT")

    assert all_of_it("ada@example.org") == all_of_it("bob@example.org")
    assert all_of_it("+4915112345678") == all_of_it("+4915112345679")
    assert Message.objects.values_list("kind", flat=True).distinct().get() == "names"
    assert Message.objects.count() == 4
    assert not Message.objects.exclude(user=None).exists()


@pytest.mark.parametrize("contact", ["ada@example.org", "nobody@example.org"])
def test_three_answers_a_day_for_one_contact(client, ada, contact, time_machine):
    for _ in range(3):
        assert ask(client, contact).status_code == 302
    answer = ask(client, contact)
    assert answer.status_code == 429
    assert "Please try again tomorrow" in answer.content.decode()
    assert Message.objects.count() == 3
    time_machine.move_to(timezone.now() + timedelta(days=1, minutes=1))
    assert ask(client, contact).status_code == 302


def test_the_budgets_of_all_sends_hold_too(client, ada):
    for number in range(40):
        ask(client, f"n{number}@example.org")
    assert ask(client, "ada@example.org").status_code == 429


@pytest.mark.parametrize("contact", ["", "x", "+4930123456", "0900 1234567"])
def test_what_gets_no_message_gets_clear_words(client, db, contact):
    assert ask(client, contact).status_code == 422
    assert not Message.objects.exists()


def test_no_more_than_five_names(db):
    for number in range(7):
        user = User.objects.create_user(email=f"{number}@example.org", password=None)
        Mailbox.objects.create(user=user, address="shared@example.org")
    assert len(names.names_tied_to("shared@example.org")) == names.MOST_NAMES
