"""People who have asked for a code, as many as one likes: the rows are those that a sign-up writes."""

import argparse
import hashlib
from collections.abc import Sequence
from itertools import count
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.delivery.models import Channel, Message
from accounts.phones import country_of
from accounts.stepup import codes
from accounts.stepup.challenges import Asker
from accounts.stepup.models import Challenge, Purpose

_numbers = count()
DIGEST = bytes(32)
BEGIN = {"purpose": Purpose.SIGN_UP, "digest": DIGEST, "next_path": "/account/sign-up/done/"}

# Nobody types these codes, and they all go to a few prefixes; what budgets do is not measured here.
LIFTED = dict.fromkeys(("TEXTS_A_DAY", "TEXTS_A_COUNTRY_A_DAY", "UNVERIFIED_A_PREFIX", "PUMPING_UNVERIFIED"), 1_000_000)


def how_many(options: Sequence[str]) -> int:
    """What `--codes` says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--codes", type=int, default=1000)
    return int(parser.parse_args(list(options)).codes)


def guest() -> Asker:
    """Somebody new, with a phone and a browser of their own."""
    number = next(_numbers)
    browser = hashlib.sha256(f"the browser of guest {number}".encode()).hexdigest()
    return Asker(browser=browser, contact=f"+49151{10_000_000 + number}")


def ask(how_many: int) -> list[Message]:
    """So many guests' messages wait; no worker was told yet."""
    now = timezone.now()
    asked = [
        Challenge(
            contact=who.contact,
            browser=who.browser,
            purpose=Purpose.SIGN_UP,
            context_digest=DIGEST,
            next_path=BEGIN["next_path"],
            factor="text",
            code_key=codes.current_key_id(),
            attempts_left=settings.CODE_ATTEMPTS,
            sends=1,
            requested_at=now,
            expires_at=now + settings.CHALLENGE_LIFE,
        )
        for who in (guest() for _ in range(how_many))
    ]
    Challenge.objects.bulk_create(asked, batch_size=1000)
    return Message.objects.bulk_create(
        [
            Message(
                kind=Message.Kind.CODE,
                channel=Channel.TEXT,
                destination=challenge.contact,
                country=country_of(challenge.contact),
                challenge=challenge,
            )
            for challenge in asked
        ],
        batch_size=1000,
    )


def lift_budgets(of: Any) -> None:
    """For those who ask; the workers have them in their environment."""
    for name, limit in LIFTED.items():
        setattr(of, name, limit)
