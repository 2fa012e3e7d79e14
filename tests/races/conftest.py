"""Many threads at once on PostgreSQL.

Each race stands beside a control: the same thing done naively (look, then write), which loses it. In a control a
barrier stands between the look and the write, so that it loses every time and not only now and then.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from accounts.stepup.digest import context_digest
from accounts.stepup.models import Purpose

DIGEST = context_digest("pay", {"order": 1})


@pytest.fixture
def order() -> dict[str, Any]:
    """What `begin` needs to know of the order that is to be paid."""
    return {"purpose": Purpose.PAY, "digest": DIGEST, "next_path": "/checkout/pay/"}


def meeting(count: int) -> Callable[[], None]:
    """Everybody waits until all have come; who waits in vain goes on."""
    barrier = threading.Barrier(count)

    def wait() -> None:
        try:
            barrier.wait(timeout=5)
        except threading.BrokenBarrierError:
            pass

    return wait
