"""One-time codes are derived when they are needed and stored nowhere."""

import hashlib
import hmac
import secrets
from uuid import UUID

from django.conf import settings


class UnknownCodeKey(Exception):
    """The key with which a challenge began is no longer in CODE_KEYS, so its code can't be made any more."""


def current_key_id() -> str:
    return _key_id(settings.CODE_KEYS[0])


def derive_code(key_id: str, challenge_id: UUID, purpose: str, digest: bytes) -> str:
    """HMAC-SHA256(key, challenge id, purpose, context digest) as six digits of text, leading zeros kept.

    The 256-bit value modulo 10^6 is uniform to within 2^-236. Raises UnknownCodeKey.
    """
    for key in settings.CODE_KEYS:
        if _key_id(key) == key_id:
            message = challenge_id.bytes + purpose.encode() + b"\x00" + digest
            value = int.from_bytes(hmac.digest(key.encode(), message, "sha256"), "big")
            return f"{value % 1_000_000:06d}"
    raise UnknownCodeKey(key_id)


def same(typed: str, code: str) -> bool:
    """Compared in constant time."""
    return secrets.compare_digest(typed, code)


def _key_id(key: str) -> str:
    return hashlib.sha256(b"code key id:" + key.encode()).hexdigest()[:16]
