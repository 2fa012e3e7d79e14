from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from accounts.models import User
from accounts.stepup import challenges
from accounts.stepup.challenges import Asker
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Challenge, Grant, Purpose

DIGEST = context_digest("any", {"order": 1})
OTHER_DIGEST = context_digest("any", {"order": 2})


@pytest.fixture
def begin(asker: Callable[..., Asker]) -> Callable[..., Challenge]:
    """`begin(ada)`: a challenge of hers to pay, by text."""

    def begin(user: User | None = None, contact: str = "", **more: Any) -> Challenge:
        options: dict[str, Any] = {
            "asker": asker(user, contact),
            "purpose": Purpose.PAY,
            "digest": DIGEST,
            "next_path": "/checkout/pay/",
            "factor": "text",
        }
        return challenges.begin(**(options | more))

    return begin


@pytest.fixture
def answer(asker: Callable[..., Asker]) -> Callable[..., Grant]:
    """`answer(challenge, code)`: typed where the challenge was begun."""

    def answer(challenge: Challenge, code: str, now: datetime | None = None, **other: Any) -> Grant:
        options: dict[str, Any] = {
            "asker": Asker(challenge.browser, user=challenge.user, contact=challenge.contact),
            "purpose": challenge.purpose,
            "digest": bytes(challenge.context_digest),
        }
        return challenges.answer(challenge.pk, code=code, now=now, **(options | other))

    return answer
