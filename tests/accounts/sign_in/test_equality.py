"""Nobody learns who has an account: the same words, status, headers, cookies, sends, rows and work for both.

How long it takes is measured by `python -m benchmarks equality`, since a timed test would fail by chance; here it is
the work that is compared: the same statements to the database, as many password hashes.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.delivery import budgets
from accounts.delivery.models import Message
from accounts.hashers import Argon2idHasher
from accounts.models import User
from tests.accounts.sign_in.steps import challenge_of
from tests.codes import wrong_code_of
from tests.people import PASSWORD

HTMX = {"HX-Request": "true"}

# A person with an account, and somebody of whom nobody has heard. The names are equally long and look alike masked.
KNOWN, UNKNOWN = {"mail": "ben@example.org", "phone": "+4915112345601"}, {
    "mail": "bob@example.org",
    "phone": "+4915112345701",
}  # fmt: skip


def type_name(page: str) -> Callable[[Client, str], Iterator[Any]]:
    """A page that takes an e-mail or phone and sends a code to it: all that a stranger can do there."""

    def walk(client: Client, contact: str) -> Iterator[Any]:
        yield client.get(reverse(page))
        answer = client.post(reverse(page), {"contact": contact})
        yield answer
        challenge = challenge_of(client)
        at = {name: reverse(f"stepup:{name}", args=[challenge.pk]) for name in ("challenge", "resend", "again")}
        yield client.get(answer.url)
        yield client.get(reverse("stepup:delivery_state", args=[challenge.pk]), headers=HTMX)
        yield client.post(at["resend"])  # too soon
        yield client.post(at["resend"], {"factor": "email"})
        yield client.post(at["resend"], {"factor": "authenticator"})
        yield client.post(at["challenge"], {"code": "12345"})
        for number in range(1, 6):
            yield client.post(at["challenge"], {"code": wrong_code_of(challenge, number)})
        yield client.get(at["challenge"])
        answer = client.post(at["again"])
        yield answer
        yield client.get(answer.url)
        yield client.post(reverse(page), {"contact": contact})
        yield client.get(challenge.next_path)

    return walk


def type_password(client: Client, name: str) -> Iterator[Any]:
    yield client.get(reverse("sign_in:sign_in"))
    for _ in range(11):  # the last one is too many
        yield client.post(reverse("sign_in:sign_in"), {"name": name, "password": "wrong password"})
    yield client.get(reverse("sign_in:done"))


DOORS: dict[str, Callable[[Client, str], Iterator[Any]]] = {
    "sign-in": type_password,
    "sign-up": type_name("sign_in:sign_up"),
    "reset": type_name("sign_in:reset"),
}


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[str]:
    """One entry for each password hash that is worked out."""
    done: list[str] = []
    settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2idHasher"]
    for name in ("encode", "verify"):
        real = getattr(Argon2idHasher, name)
        monkeypatch.setattr(
            Argon2idHasher, name, lambda *args, real=real, name=name: (done.append(name), real(*args))[1]
        )
    return done


def rows() -> Counter[str]:
    return Counter({model._meta.label: model._default_manager.count() for model in apps.get_models()})


def seen_by_a_stranger(answer: Any, client: Client, contact: str) -> dict[str, Any]:
    """All of an answer that is not by chance or the stranger's own."""

    def same(text: str) -> str:
        text = text.replace(contact, "CONTACT").replace(contact.replace("+", "%2B"), "CONTACT")
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", text)
        text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "TOKEN", text)
        text = re.sub(r'data-countdown-\w+="[^"]*T[^"]*"', "TIME", text)
        text = re.sub(r"\d\d:\d\d(:\d\d)?", "TIME", text)
        text = re.sub(r"\b\d+ (s|seconds?)\b", "A MOMENT", text)
        return text.replace("•• ••01", "MASKED").replace("b•••@example.org", "MASKED")

    cookies = {name: {**morsel, "expires": bool(morsel["expires"])} for name, morsel in answer.cookies.items()}
    headers = {name: same(value) for name, value in answer.headers.items() if name != "Content-Length"}
    return {
        "status": answer.status_code,
        "headers": headers,
        "cookies": cookies,
        "body": same(answer.content.decode()).splitlines(),
    }


# What differs from one person to the next in a statement: values, and Django's "NOT decoy".
VALUES = re.compile(r"""'(?:[^']|'')*'|\b(?:[0-9]+|NULL|true|false)\b|"s[0-9]+_x[0-9]+"|\bNOT (?=\S*decoy)""")


def statements(context: CaptureQueriesContext) -> list[str]:
    return [VALUES.sub("", query["sql"]) for query in context.captured_queries]


@dataclass
class Walk:
    answers: list[dict[str, Any]]
    work: list[list[str]]
    rows: Counter[str]
    hashes: list[str]


def walked(door: str, contact: str, hashes: list[str]) -> Walk:
    client, before = Client(REMOTE_ADDR=f"198.51.100.{len(contact) + (contact in KNOWN.values())}"), rows()
    hashes.clear()
    answers, work = [], []
    steps = DOORS[door](client, contact)
    while True:
        with CaptureQueriesContext(connection) as context:
            answer = next(steps, None)
        if answer is None:
            break
        answers.append(seen_by_a_stranger(answer, client, contact))
        work.append(statements(context))
    return Walk(answers, work, rows() - before, list(hashes))


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["mail", "phone"])
@pytest.mark.parametrize("account", ["shopper", "staff", "closed", "without a password"])
@pytest.mark.parametrize("door", DOORS)
def test_a_known_and_an_unknown_name_are_answered_alike(door, account, kind, hashes):
    user = User.objects.create_user(
        email=KNOWN["mail"], phone=KNOWN["phone"], password=None if account == "without a password" else PASSWORD,
        is_staff=account == "staff", is_active=account != "closed", name="Ben Short",
    )  # fmt: skip
    user.mailboxes.create(address=user.email)
    user.phones.create(number=user.phone)
    # The rows that all share are there: other people were here before.
    for contact in ("first@example.org", f"{KNOWN['phone'][:-2]}77", f"{UNKNOWN['phone'][:-2]}77"):
        budgets.take(budgets.Send("email" if "@" in contact else "text", contact), timezone.now())
    known, unknown = walked(door, KNOWN[kind], hashes), walked(door, UNKNOWN[kind], hashes)
    for step, (one, other) in enumerate(zip(known.answers, unknown.answers, strict=True)):
        assert one == other, f"step {step}"
    for step, (one, other) in enumerate(zip(known.work, unknown.work, strict=True)):
        assert one == other, f"step {step}"
    assert known.rows == unknown.rows
    assert len(known.hashes) == len(unknown.hashes)


@pytest.mark.django_db
@pytest.mark.parametrize("door", ["sign-up", "reset"])
def test_both_are_sent_one_message_as_long_as_it_takes_to_tell(door, hashes):
    User.objects.create_user(email=KNOWN["mail"], password=PASSWORD)
    for who in (KNOWN, UNKNOWN):
        client = Client()
        steps = DOORS[door](client, who["mail"])
        next(steps), next(steps)
        sent = Message.objects.get(challenge=challenge_of(client))
        assert (sent.destination, sent.channel) == (who["mail"], "email")
