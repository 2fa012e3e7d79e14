"""Secrets at rest: an encrypted field, whose keys rotate through FIELD_KEYS."""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def fernet() -> MultiFernet:
    """Encrypts with the first key of FIELD_KEYS and opens what any of them encrypted."""
    return _fernet(tuple(settings.FIELD_KEYS))


def is_under_the_newest_key(token: bytes) -> bool:
    try:
        _fernet((settings.FIELD_KEYS[0],)).decrypt(token)
    except InvalidToken:
        return False
    return True


class EncryptedBytesField(models.BinaryField):
    """Bytes that the database holds only encrypted (Fernet: AES-128-CBC with HMAC-SHA256). Not searchable."""

    def get_prep_value(self, value: bytes | None) -> bytes | None:
        return None if value is None else fernet().encrypt(bytes(value))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> bytes | None:
        return None if value is None else fernet().decrypt(bytes(value))
