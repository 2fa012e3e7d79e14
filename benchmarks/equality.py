"""Does it take as long for a name that has an account as for one that has none?

200 samples each, in turn and in random order, with the shop's own password hashes. p is the chance of so big a
difference, or a bigger one, if there were none (Mann-Whitney, two-sided); under 0.01 a stranger could learn something.
"""

import math
import random
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.urls import reverse

from accounts.delivery import budgets
from accounts.factors.email import Mailbox
from accounts.models import User
from accounts.sign_in import passwords

SAMPLES = 200
WARM_UP = 10
PASSWORD = "correct horse battery"

Act = Callable[[Client, str], None]


def wrong_password(client: Client, name: str) -> None:
    client.post(reverse("sign_in:sign_in"), {"name": name, "password": "wrong password"})


def ask_for_a_code(page: str) -> Act:
    return lambda client, name: client.post(reverse(page), {"contact": name})  # type: ignore[return-value]


def wrong_code_after(page: str) -> Act:
    """The page and a wrong code, after the challenge was begun (which is not timed)."""

    def act(client: Client, name: str) -> None:
        url = client.asked.url  # type: ignore[attr-defined]
        client.get(url)
        client.post(url, {"code": "000000"})

    act.first = lambda client, name: setattr(  # type: ignore[attr-defined]
        client, "asked", client.post(reverse(page), {"contact": name})
    )
    return act


ACTS: dict[str, Act] = {
    "a wrong password": wrong_password,
    "sign-up": ask_for_a_code("sign_in:sign_up"),
    "reset": ask_for_a_code("sign_in:reset"),
    "a wrong code after sign-up": wrong_code_after("sign_in:sign_up"),
    "a wrong code after reset": wrong_code_after("sign_in:reset"),
}


def measure() -> None:
    _lift_the_limits()
    known = [f"known{number:04}@example.org" for number in range(SAMPLES + WARM_UP)]
    unknown = [f"other{number:04}@example.org" for number in range(SAMPLES + WARM_UP)]
    hashed = make_password(PASSWORD)
    people = User.objects.bulk_create(User(email=email, password=hashed, name="Known") for email in known)
    Mailbox.objects.bulk_create(Mailbox(user=user, address=user.email) for user in people)
    print(f"{'':28} {'known':>9} {'unknown':>9} {'ratio':>7} {'p':>7}")
    for what, act in ACTS.items():
        times = _times(act, known, unknown)
        medians = [statistics.median(each) * 1000 for each in times]
        p = mann_whitney(*times)
        print(
            f"{what:28} {medians[0]:6.2f} ms {medians[1]:6.2f} ms {medians[0] / medians[1]:7.3f} {p:7.3f}"
            f"{'   differs' if p < 0.01 else ''}"
        )


def _times(act: Act, known: list[str], unknown: list[str]) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    for number, pair in enumerate(zip(known, unknown, strict=True)):
        for which in random.sample((0, 1), 2):
            client = Client(REMOTE_ADDR=f"198.51.{number // 250}.{number % 250 + 1}")
            if first := getattr(act, "first", None):
                first(client, pair[which])
            began = time.perf_counter()
            act(client, pair[which])
            if number >= WARM_UP:
                times[which].append(time.perf_counter() - began)
    return times


def mann_whitney(one: list[float], other: list[float]) -> float:
    """The two-sided p of the rank test, by its normal approximation (good from some twenty samples on)."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks = sum(rank for rank, (_value, which) in enumerate(ranked, 1) if which == 0)
    n, m = len(one), len(other)
    u = ranks - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))


def _lift_the_limits() -> None:
    """Each name and each address comes five times; what limits do is not measured here."""
    a_lot = (1_000_000, timedelta(hours=1))
    passwords.TRIES_A_NAME = passwords.TRIES_AN_ADDRESS = a_lot
    for budget in budgets.BUDGETS:
        budget.limit, budget.window = a_lot
    settings.PUMPING_UNVERIFIED = 1_000_000
