from typing import Protocol

from accounts.delivery.composing import Content
from accounts.delivery.models import Message


class Refused(Exception):
    """The provider says no for good. `reason` is one of models.Reason, `code` is the provider's own."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.reason, self.code = reason, code


class NotAdmitted(Refused):
    """The provider refuses our credentials, so it will refuse every message."""


class NoCredit(NotAdmitted):
    """The provider carries nothing more before somebody pays."""


class NotTaken(Exception):
    """The provider surely did not take the message; it may be tried again after `retry_after` seconds."""

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__()
        self.retry_after = retry_after


class NotNow(NotTaken):
    """The same, and nothing is wrong with the provider: it has enough to do (429), or this one has to wait."""


class Unanswered(Exception):
    """The request left and no clear answer came: the message may have been taken, so it is not repeated."""


class Provider(Protocol):
    name: str

    def hand_over(self, message: Message, content: Content) -> str:
        """Give the message to the carrier and return the provider's id for it.

        Raises Refused, NotTaken or Unanswered; nothing else, and never with the content in the text.
        """
