"""A local e-mail service: the part of Postmark's and of Mailgun's API and webhooks that Countersign uses.

    with EspServer("postmark") as server:
        server.answer_next(Inactive(), TooMany(retry_after=3))      # then `server.behaviour`, which accepts
        ...                                                         # EMAIL_ESP_API_URL=server.url
        mail = server.wait_for(1)[0]
        server.report(mail, "bounced")                              # a Webhook, as of a local Twilio

Where the wire formats come from: postmarkapp.com/developer, "Email API", "API error codes", "Delivery webhook", "Bounce
webhook", "Spam complaint webhook"; documentation.mailgun.com, "Sending messages", "Webhooks" (payload and signature).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs

from . import Behaviours, Log

KEY, SECRET, SIGNING_KEY = "test-esp-key", "hooks:test-webhook-secret", "test-signing-key"

Name = Literal["postmark", "mailgun"]
Event = Literal["delivered", "bounced", "deferred", "rejected", "complained", "opened", "clicked", "unsubscribed"]


@dataclass(frozen=True)
class Accept:
    """200."""


@dataclass(frozen=True)
class Inactive:
    """The address bounced before, or complained: Postmark says so at once, Mailgun by a report only."""


@dataclass(frozen=True)
class Invalid:
    """No address that could exist."""


@dataclass(frozen=True)
class Status:
    """An HTTP status, with an error of the service's kind."""

    status: int
    code: int = 0
    retry_after: int | None = None


@dataclass(frozen=True)
class Hang:
    """Read the request, answer nothing, close at the end (or on `release()`)."""

    seconds: float = 60


@dataclass(frozen=True)
class CutAfter:
    """Accept, then close the connection without an answer."""


@dataclass(frozen=True)
class Garbage:
    """A success that is none of the service's, as from a proxy on the way."""

    body: str = "<html>Welcome to the hotel network</html>"


Behaviour = Accept | Inactive | Invalid | Status | Hang | CutAfter | Garbage


@dataclass(frozen=True)
class Mail:
    id: str
    to: str
    subject: str
    text: str
    html: str
    metadata: dict[str, str]
    fields: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Webhook:
    """A report, to be posted by Django's test client."""

    body: str
    headers: dict[str, str]


class EspServer:
    def __init__(self, name: Name) -> None:
        self.name = name
        self._behaviours: Behaviours[Behaviour] = Behaviours(Accept())
        self._mails: Log[Mail] = Log("mails")
        self._requests: Log[dict[str, Any]] = Log("requests")
        self._released = threading.Event()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.esp = self
        path = "/v3/" if name == "mailgun" else "/"
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    def __enter__(self) -> EspServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), name=self.name, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def behaviour(self) -> Behaviour:
        return self._behaviours.default

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._behaviours.default = behaviour

    def answer_next(self, *behaviours: Behaviour) -> None:
        self._behaviours.queue(*behaviours)

    @property
    def mails(self) -> list[Mail]:
        return self._mails.all()

    @property
    def requests(self) -> list[dict[str, Any]]:
        return self._requests.all()

    def wait_for(self, count: int, timeout: float = 5) -> list[Mail]:
        return self._mails.wait_for(count, timeout)

    def report(
        self,
        mail: Mail,
        event: Event,
        *,
        said: str = "smtp; 550 5.1.1 The email account does not exist",
        secret: str | None = SECRET,
        signing_key: str = SIGNING_KEY,
        **changed: Any,
    ) -> Webhook:
        """What the service posts of a mail; `changed` fields in place of the true ones."""
        body = (_postmark_report if self.name == "postmark" else _mailgun_report)(mail, event, said)
        body = body | changed
        if self.name == "mailgun":
            stamp, token = str(int(time.time())), secrets.token_hex(25)
            signature = hmac.new(signing_key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
            body = {"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": body}
        headers = {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"} if secret is not None else {}
        return Webhook(json.dumps(body), headers)

    def _accept(self, mail: Mail) -> None:
        self._mails.add(mail)


def _postmark_report(mail: Mail, event: Event, said: str) -> dict[str, Any]:
    base = {"MessageID": mail.id, "Metadata": mail.metadata, "ServerID": 23, "MessageStream": "outbound", "Tag": ""}
    at = "2026-11-25T12:00:00Z"
    bounce = {"RecordType": "Bounce", "Email": mail.to, "ID": 42, "BouncedAt": at, "Details": said, "Inactive": True}
    kinds = {"bounced": ("HardBounce", 1), "deferred": ("Transient", 2), "rejected": ("Blocked", 100006)}
    if event in kinds:
        return base | bounce | {"Type": kinds[event][0], "TypeCode": kinds[event][1], "Description": "A bounce."}
    return (
        base
        | {
            "delivered": {"RecordType": "Delivery", "Recipient": mail.to, "DeliveredAt": at, "Details": "250 OK"},
            "complained": bounce | {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 512},
            "opened": {"RecordType": "Open", "Recipient": mail.to, "ReceivedAt": at, "FirstOpen": True},
            "clicked": {"RecordType": "Click", "Recipient": mail.to, "ReceivedAt": at, "OriginalLink": "https://x"},
            "unsubscribed": {
                "RecordType": "SubscriptionChange", "Recipient": mail.to, "ChangedAt": at, "SuppressSending": True,
                "SuppressionReason": "ManualSuppression",
            },
        }[event]
    )  # fmt: skip


def _mailgun_report(mail: Mail, event: Event, said: str) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        "bounced": {"event": "failed", "severity": "permanent", "reason": "bounce"},
        "deferred": {"event": "failed", "severity": "temporary", "reason": "generic"},
        "rejected": {"event": "rejected", "reject": {"reason": "Sandbox subdomains are for test purposes only."}},
    }
    status = {"message": said, "code": 550} if event in ("bounced", "deferred") else {"message": "OK", "code": 250}
    return {
        "event": event,
        "timestamp": 1795608000.5,
        "id": "Ase7i2zsRYeDXztHGENqRA",
        "recipient": mail.to,
        "message": {"headers": {"message-id": mail.id.strip("<>"), "to": mail.to}},
        "user-variables": mail.metadata,
        "tags": [],
        "delivery-status": status,
    } | kinds.get(event, {})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    esp: EspServer


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_POST(self) -> None:
        esp = self.server.esp
        posted = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        (self._postmark if esp.name == "postmark" else self._mailgun)(posted)

    def _postmark(self, posted: bytes) -> None:
        if self.path != "/email":
            return self._answer(404, {"ErrorCode": 404, "Message": "Not found"})
        if self.headers.get("X-Postmark-Server-Token") != KEY:
            return self._answer(401, {"ErrorCode": 10, "Message": "Bad or missing Server or user API token."})
        asked = json.loads(posted)
        mail = Mail(
            id=secrets.token_hex(16),
            to=asked["To"],
            subject=asked["Subject"],
            text=asked["TextBody"],
            html=asked.get("HtmlBody", ""),
            metadata=asked.get("Metadata", {}),
            fields=asked,
        )
        taken = {"ErrorCode": 0, "Message": "OK", "MessageID": mail.id, "To": mail.to}
        inactive = {
            "ErrorCode": 406,
            "Message": "You tried to send to recipient(s) that have been marked as inactive.\n"
            f"Found inactive addresses: {mail.to}.\n"
            "Inactive recipients are ones that have generated a hard bounce or a spam complaint.",
        }
        invalid = {"ErrorCode": 300, "Message": f"Invalid 'To' address: '{mail.to}'."}
        self._do(mail, taken, (422, inactive), (422, invalid), lambda code: {"ErrorCode": code, "Message": "An error"})

    def _mailgun(self, posted: bytes) -> None:
        expected = base64.b64encode(f"api:{KEY}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            return self._answer(401, "Forbidden")
        if not self.path.startswith("/v3/") or not self.path.endswith("/messages"):
            return self._answer(404, {"message": "Domain not found"})
        asked = _form(self.headers.get("Content-Type", ""), posted)
        mail = Mail(
            id=asked.get("h:Message-Id", f"<{secrets.token_hex(8)}@example.org>"),
            to=asked["to"],
            subject=asked["subject"],
            text=asked["text"],
            html=asked.get("html", ""),
            metadata={name[2:]: value for name, value in asked.items() if name.startswith("v:")},
            fields=asked,
        )
        taken = {"id": mail.id, "message": "Queued. Thank you."}
        invalid = (400, {"message": "to parameter is not a valid address. please check documentation"})
        self._do(mail, taken, (200, taken), invalid, lambda code: {"message": "An error"})

    def _do(self, mail: Mail, taken: Any, inactive: Any, invalid: Any, error: Any) -> None:
        esp = self.server.esp
        esp._requests.add(mail.fields)
        match esp._behaviours.take(mail.to):
            case Accept():
                esp._accept(mail)
                self._answer(200, taken)
            case Inactive():
                self._answer(*inactive)
            case Invalid():
                self._answer(*invalid)
            case Status(status, code, retry_after):
                self._answer(status, error(code), retry_after)
            case Hang(seconds):
                esp._released.wait(seconds)
            case CutAfter():
                esp._accept(mail)
            case Garbage(body):
                self._answer(200, body)

    def _answer(self, status: int, body: Any, retry_after: int | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Connection", "close")
            if retry_after is not None:
                self.send_header("Retry-After", str(retry_after))
            self.end_headers()
            self.wfile.write(data)
        except ConnectionError:
            pass  # the client gave up waiting

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _form(content_type: str, posted: bytes) -> dict[str, str]:
    """Mailgun takes multipart forms and plain ones."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        return {name: ", ".join(values) for name, values in parse_qs(posted.decode()).items()}
    whole = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + posted, policy=HTTP)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True).decode()
        for part in whole.iter_parts()
    }
