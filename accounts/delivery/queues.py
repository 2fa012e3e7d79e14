"""The queues, and the broker that keeps them. It may forget all and be away at any time: the rows know what waits."""

import time
from uuid import UUID

from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from accounts.delivery.models import Message

CODES, MAIL = "codes", "mail"
KINDS_OF_CODES = (Message.Kind.CODE, Message.Kind.EXPLANATION)

# A broker that hangs is asked once in this time by each process, so that a page waits for it once and not each time.
REST = 5.0  # seconds
HANGS = 0.25  # seconds; one that refuses is quicker, and is asked each time
_rests_until = 0.0


def queue_of(kind: str) -> str:
    return CODES if kind in KINDS_OF_CODES else MAIL


def tell(message_id: UUID, kind: str) -> bool:
    """Tell a worker of this message; False where the broker doesn't listen."""
    from accounts.delivery.tasks import hand_over

    if is_resting():
        return False
    queue = queue_of(kind)
    began = time.monotonic()
    try:
        hand_over.apply_async(
            (str(message_id),),
            queue=queue,
            expires=settings.CHALLENGE_LIFE.total_seconds() if queue == CODES else None,
            retry=False,
        )
    except (OperationalError, OSError):
        _leave_alone_if_it_hangs(began)
        return False
    return True


def held(queue: str) -> int | None:
    """How many tasks wait in the queue; None where the broker doesn't say."""
    global _rests_until
    began = time.monotonic()
    try:
        with current_app.connection_for_write() as connection:
            try:
                count = int(connection.default_channel.queue_declare(queue, passive=True).message_count)
            except connection.channel_errors:
                count = 0  # an empty one doesn't exist
    except (OperationalError, OSError):
        _leave_alone_if_it_hangs(began)
        return None
    _rests_until = 0.0
    return count


def is_resting() -> bool:
    return time.monotonic() < _rests_until


def _leave_alone_if_it_hangs(began: float) -> None:
    global _rests_until
    now = time.monotonic()
    if now - began > HANGS:
        _rests_until = now + REST
