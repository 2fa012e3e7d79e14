"""A local mail server (aiosmtpd) that keeps what it is given and can refuse, delay or drop it.

with SmtpServer() as server:
    server.answer_next(Refuse(451, "4.7.1 Greylisted, try again"))
    ...  # EMAIL_URL=server.url
    mail = server.wait_for(1)[0]

Replies are RFC 5321's: 4yz asks to try again, 5yz is final.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Literal

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from . import Behaviours, Log


@dataclass(frozen=True)
class Accept:
    """250."""


@dataclass(frozen=True)
class Refuse:
    """An error reply to the recipient (RCPT), or to the whole message (DATA)."""

    code: int
    text: str
    at: Literal["RCPT", "DATA"] = "RCPT"


@dataclass(frozen=True)
class Hang:
    """Read the message, answer nothing, drop it at the end (or on `release()`)."""

    seconds: float = 60


@dataclass(frozen=True)
class CutAfter:
    """Keep the message, then close the connection without an answer."""


Behaviour = Accept | Refuse | Hang | CutAfter

NO_SUCH_MAILBOX = Refuse(550, "5.1.1 No such mailbox")
TRY_LATER = Refuse(451, "4.3.0 Try again later", at="DATA")


@dataclass(frozen=True)
class Mail:
    """A message with the addresses of its envelope."""

    message: EmailMessage
    sender: str
    recipients: tuple[str, ...]
    at: datetime

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        """The plain text part, with "\\n" line ends."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""


class SmtpServer:
    def __init__(self, port: int = 0) -> None:
        self._behaviours: Behaviours[Behaviour] = Behaviours(Accept())
        self._mails: Log[Mail] = Log("mails")
        self._release = asyncio.Event()
        self._controller = _Controller(self, hostname="127.0.0.1", port=port)

    def __enter__(self) -> SmtpServer:
        self._controller.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()
        self._controller.stop()

    @property
    def port(self) -> int:
        return self._controller.port

    @property
    def url(self) -> str:
        """As EMAIL_URL."""
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def behaviour(self) -> Behaviour:
        """For every recipient without another one."""
        return self._behaviours.default

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviours.default = behaviour

    def answer_next(self, *behaviours: Behaviour) -> None:
        """For the next recipients, in this order."""
        self._behaviours.queue(*behaviours)

    def set_for(self, recipient: str, behaviour: Behaviour | None) -> None:
        """For one address, before the queue. None takes it back."""
        self._behaviours.set_for(recipient, behaviour)

    def release(self) -> None:
        """End every `Hang` that is under way."""
        self._controller.loop.call_soon_threadsafe(self._end_hanging)

    def reset(self) -> None:
        """Forget every mail and every behaviour set."""
        self._behaviours.reset()
        self.release()
        self._mails.clear()

    @property
    def messages(self) -> list[Mail]:
        return self._mails.all()

    def wait_for(self, count: int, timeout: float = 5) -> list[Mail]:
        """The mails kept, once there are `count`."""
        return self._mails.wait_for(count, timeout)

    def _end_hanging(self) -> None:
        self._release.set()
        self._release = asyncio.Event()

    # Called by aiosmtpd

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        behaviour = self._behaviours.take(address)
        if isinstance(behaviour, Refuse) and behaviour.at == "RCPT":
            return f"{behaviour.code} {behaviour.text}"
        envelope.rcpt_tos.append(address)
        envelope.behaviour = behaviour  # type: ignore[attr-defined]
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        behaviour: Behaviour = envelope.behaviour  # type: ignore[attr-defined]
        if isinstance(behaviour, Refuse):
            return f"{behaviour.code} {behaviour.text}"
        if isinstance(behaviour, Hang):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._release.wait(), behaviour.seconds)
            return await _drop(server)
        message = email.message_from_bytes(envelope.original_content or b"", policy=email.policy.default)
        recipients = tuple(address for address in envelope.rcpt_tos if address)
        self._mails.add(Mail(message, envelope.mail_from or "", recipients, datetime.now(UTC)))
        if isinstance(behaviour, CutAfter):
            return await _drop(server)
        return "250 OK"


async def _drop(server: SMTP) -> str:
    """Close the connection; aiosmtpd then cancels this task."""
    assert server.transport is not None
    server.transport.close()
    await asyncio.Event().wait()
    return ""


class _Controller(Controller):
    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        super()._trigger_server()  # type: ignore[no-untyped-call]
