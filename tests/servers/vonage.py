"""A local Vonage: the part of its SMS API and of its delivery receipts that Countersign uses.

    with VonageServer() as server:
        server.answer_next(Status(1), Hang())       # then `server.behaviour`, which accepts
        ...                                         # VONAGE_API_URL=server.url
        [message] = server.wait_for(1)
        receipt = server.receipt(message, "delivered")   # fields, signed

Where the wire format comes from (developer.vonage.com): "SMS API Reference" (the form, `messages` in the answer),
"Troubleshooting SMS" (the statuses), "Delivery receipts" (their fields) and "Signing messages" (`sig`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from . import Behaviours, Log

API_KEY = "abcd1234"
API_SECRET = "test-api-secret"
SIGNATURE_SECRET = "test-signature-secret"
FROM = "Countersign"

ERRORS = {
    1: "Throughput Rate Exceeded - please wait [ 250 ] and retry",
    2: "Missing to param",
    3: "Invalid value for to param",
    4: "Bad Credentials",
    5: "Internal Error",
    6: "Unroutable message - rejected",
    7: "Number barred",
    8: "Partner account barred",
    9: "Quota Exceeded - rejected",
    15: "Illegal Sender Address - rejected",
}


@dataclass(frozen=True)
class Accept:
    """Status 0."""


@dataclass(frozen=True)
class Status:
    """200 with another status, as for everything that Vonage understood."""

    code: int


@dataclass(frozen=True)
class Http:
    """What a server in front of the API says; it has read nothing."""

    status: int
    retry_after: int | None = None
    body: str = "<html><body>Welcome to the hotel network</body></html>"
    accepted: bool = False


@dataclass(frozen=True)
class Hang:
    """Read the request and answer nothing. `accepted`: but take the message."""

    seconds: float = 60
    accepted: bool = False


@dataclass(frozen=True)
class Cut:
    """Close the connection without an answer, with the message taken or not."""

    accepted: bool = False


Behaviour = Accept | Status | Http | Hang | Cut


@dataclass(frozen=True)
class Message:
    id: str
    to: str
    text: str
    client_ref: str
    callback: str
    form: dict[str, str]
    at: datetime


@dataclass(frozen=True)
class Request:
    form: dict[str, str]
    at: datetime


class VonageServer:
    """Accepts messages for one account."""

    def __init__(self, *, port: int = 0, on_accept: Callable[[Message], None] | None = None) -> None:
        self._on_accept = on_accept
        self.behaviours: Behaviours[Behaviour] = Behaviours(Accept())
        self._messages: Log[Message] = Log("messages")
        self._requests: Log[Request] = Log("requests")
        self._released = threading.Event()
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.vonage = self
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> VonageServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), name="vonage", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def behaviour(self) -> Behaviour:
        """For every message without another one."""
        return self.behaviours.default

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self.behaviours.default = behaviour

    def answer_next(self, *behaviours: Behaviour) -> None:
        self.behaviours.queue(*behaviours)

    @property
    def messages(self) -> list[Message]:
        return self._messages.all()

    @property
    def requests(self) -> list[Request]:
        """All that were read, accepted or not."""
        return self._requests.all()

    def wait_for(self, count: int, timeout: float = 5) -> list[Message]:
        return self._messages.wait_for(count, timeout)

    def wait_for_requests(self, count: int, timeout: float = 5) -> list[Request]:
        return self._requests.wait_for(count, timeout)

    def receipt(
        self,
        message: Message,
        status: str,
        *,
        code: int = 0,
        secret: str = SIGNATURE_SECRET,
        at: float | None = None,
        **fields: str,
    ) -> dict[str, str]:
        """A signed delivery receipt; `fields` are signed as well."""
        at = time.time() if at is None else at
        receipt = {
            "msisdn": message.to,
            "to": FROM,
            "network-code": "26201",
            "messageId": message.id,
            "price": "0.07530000",
            "status": status,
            "scts": datetime.fromtimestamp(at, UTC).strftime("%y%m%d%H%M"),
            "err-code": str(code),
            "api-key": API_KEY,
            "client-ref": message.client_ref,
            "message-timestamp": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "timestamp": str(int(at)),
            "nonce": secrets.token_hex(16),
        } | fields
        return receipt | {"sig": sign(receipt, secret)}

    def accept(self, form: dict[str, str]) -> Message:
        message = Message(
            id=secrets.token_hex(8).upper(),
            to=form["to"],
            text=form["text"],
            client_ref=form.get("client-ref", ""),
            callback=form.get("callback", ""),
            form=form,
            at=datetime.now(UTC),
        )
        self._messages.add(message)
        if self._on_accept:
            self._on_accept(message)
        return message


def sign(fields: dict[str, str], secret: str) -> str:
    digest = hmac.new(secret.encode(), digestmod=hashlib.sha256)
    for name in sorted(fields):
        digest.update(f"&{name}=".encode() + fields[name].translate({ord("&"): "_", ord("="): "_"}).encode())
    return digest.hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    vonage: VonageServer


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_POST(self) -> None:
        vonage = self.server.vonage
        posted = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = {name: values[-1] for name, values in parse_qs(posted, keep_blank_values=True).items()}
        vonage._requests.add(Request(form, datetime.now(UTC)))
        if self.path != "/sms/json":
            return self._send(404, "Not found")
        if (form.get("api_key"), form.get("api_secret")) != (API_KEY, API_SECRET):
            return self._refuse(4)
        if any(not form.get(name) for name in ("from", "to", "text")):
            return self._refuse(2)
        if not form["to"].isdigit() or not 20_000 <= int(form.get("ttl", 259_200_000)) <= 604_800_000:
            return self._refuse(3)
        match vonage.behaviours.take(form["to"]):
            case Accept():
                self._accept(vonage.accept(form))
            case Status(code):
                self._refuse(code)
            case Http(status, retry_after, body, accepted):
                if accepted:
                    vonage.accept(form)
                self._send(status, body, retry_after)
            case Cut(accepted):
                if accepted:
                    vonage.accept(form)
            case Hang(seconds, accepted):
                if accepted:
                    vonage.accept(form)
                vonage._released.wait(seconds)

    def _accept(self, message: Message) -> None:
        self._messages(
            {
                "to": message.to,
                "message-id": message.id,
                "status": "0",
                "remaining-balance": "15.53590000",
                "message-price": "0.07530000",
                "network": "26201",
                "client-ref": message.client_ref,
            }
        )

    def _refuse(self, code: int) -> None:
        self._messages({"status": str(code), "error-text": ERRORS.get(code, "Refused")})

    def _messages(self, one: dict[str, Any]) -> None:
        self._send(200, json.dumps({"message-count": "1", "messages": [one]}), kind="application/json")

    def _send(self, status: int, body: str, retry_after: int | None = None, kind: str = "text/html") -> None:
        data = body.encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
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
