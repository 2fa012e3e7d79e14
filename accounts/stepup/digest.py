"""The context digest: what exactly is being approved, as 32 bytes."""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def context_digest(purpose: str, context: Mapping[str, Any]) -> bytes:
    """SHA-256 over the canonical form: UTF-8 JSON, keys sorted, no blanks, Decimals as plain strings.

    `context` holds strings, integers, booleans, None, Decimals, lists and mappings of these. Raises TypeError for
    anything else; a float is refused, since it has no one form.
    """
    text = json.dumps([purpose, _plain(context)], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def own_digest(purpose: str, user_id: int) -> bytes:
    """Of what concerns the person and nothing else: the whole account, or any change of that kind."""
    return context_digest(purpose, {"user": user_id})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        plain = {str(key): _plain(item) for key, item in value.items()}
        if len(plain) != len(value):
            raise TypeError("a mapping with both 1 and '1' has no canonical form")
        return plain
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} has no canonical form")
