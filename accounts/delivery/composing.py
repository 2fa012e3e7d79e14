"""What a message says, written when it is handed over and kept nowhere.

Each kind of message is written by the app that knows what it is about, which registers its writer when it is loaded;
so delivery knows nothing of challenges or orders.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from accounts.delivery.models import Message


@dataclass(frozen=True, repr=False)
class Content:
    """The words of one message. `valid_for` is the life that is left to them in seconds, None where they keep."""

    text: str
    subject: str = ""
    html: str = ""
    valid_for: int | None = None


@dataclass(frozen=True)
class Writer:
    """`compose` gives the words, or None when the message has become pointless and is to be dropped.

    `handed_over` is told the time at which the provider took the message, in the transaction that records it.
    Of a call, `compose` gives the greeting, which an answering machine may hear; `after_key` gives what is said when
    somebody has pressed a key.
    `again` queues the same once more for the provider of that name, where it is still waited for and may be sent.
    """

    compose: Callable[[Message, datetime], Content | None]
    handed_over: Callable[[Message, datetime], None] = lambda message, at: None
    after_key: Callable[[Message, datetime], Content | None] = lambda message, now: None
    again: Callable[[Message, str, datetime], bool] = lambda message, provider, now: False


_writers: dict[str, Writer] = {}


def register(kind: Message.Kind, writer: Writer) -> None:
    _writers[kind] = writer


def writer_of(message: Message) -> Writer:
    return _writers[message.kind]
