from collections.abc import Callable
from typing import Any

import pytest

from accounts.delivery.models import Message
from accounts.stepup import challenges
from accounts.stepup.challenges import Asker
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Challenge, Purpose


@pytest.fixture
def queued(asker: Callable[..., Asker]) -> Callable[..., Message]:
    """`queued(ada)`: the queued message with her code, by text; `queued(ada, "email")` by e-mail."""

    def queued(user: Any, factor: str = "text", **more: Any) -> Message:
        challenge = challenges.begin(
            asker=asker(user),
            purpose=Purpose.SIGN_IN,
            digest=context_digest("sign_in", {"user": user.pk}),
            next_path="/account/sign-in/done/",
            factor=factor,
            **more,
        )
        return Message.objects.get(challenge=challenge)

    return queued


def fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def challenge_of(message: Message) -> Challenge:
    return Challenge.objects.get(pk=message.challenge_id)
