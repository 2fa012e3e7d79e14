"""A passkey made of Python: what a browser and a security key do together, written from the WebAuthn text.

Source: https://www.w3.org/TR/webauthn-3/, sections 5.8.1 (client data), 6.1 (authenticator data), 6.5 (attestation).
"""

import base64
import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def data(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


class SoftwareAuthenticator:
    """One key for one site; `verifies` is whether it asks for a finger or a PIN, `counts` whether it counts."""

    def __init__(
        self,
        *,
        origin: str = "http://localhost:8000",
        rp_id: str = "localhost",
        verifies: bool = True,
        counts: bool = True,
        synced: bool = False,
    ) -> None:
        self.origin, self.rp_id, self.verifies, self.counts, self.synced = origin, rp_id, verifies, counts, synced
        self.key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(16)
        self.user_handle = b""
        self.count = 0

    def make(self, options: str | dict[str, Any]) -> str:
        """What `navigator.credentials.create()` gives, as JSON."""
        asked = json.loads(options) if isinstance(options, str) else options
        self.user_handle = data(asked["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        # COSE_Key in CBOR: {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        cose = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose
        auth_data = self._auth_data(AT) + attested
        # {"fmt": "none", "attStmt": {}, "authData": bytes}
        made = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58" + bytes([len(auth_data)]) + auth_data
        response = {
            "clientDataJSON": text(self._client_data("webauthn.create", challenge=asked["challenge"])),
            "attestationObject": text(made),
            "transports": ["internal", "hybrid"],
        }
        return self._answer(response)

    def sign(self, options: str | dict[str, Any], *, named: bool = True, **client_data: Any) -> str:
        """What `navigator.credentials.get()` gives, as JSON."""
        asked = json.loads(options) if isinstance(options, str) else options
        if self.counts:
            self.count += 1
        auth_data = self._auth_data(0)
        said = self._client_data("webauthn.get", **{"challenge": asked["challenge"]} | client_data)
        signature = self._signature(auth_data + hashlib.sha256(said).digest())
        response = {
            "clientDataJSON": text(said),
            "authenticatorData": text(auth_data),
            "signature": text(signature),
        }
        if named:
            response["userHandle"] = text(self.user_handle)
        return self._answer(response)

    def _signature(self, over: bytes) -> bytes:
        if isinstance(self.key, Ed25519PrivateKey):  # as a browser's passkey may be
            return self.key.sign(over)
        return self.key.sign(over, ec.ECDSA(hashes.SHA256()))

    def _auth_data(self, more: int) -> bytes:
        flags = UP | more | (UV if self.verifies else 0) | (BE | BS if self.synced else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client_data(self, kind: str, **more: Any) -> bytes:
        said = {"type": kind, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | more).encode()

    def _answer(self, response: dict[str, Any]) -> str:
        return json.dumps({"id": text(self.id), "rawId": text(self.id), "type": "public-key", "response": response})
