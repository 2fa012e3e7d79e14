"""The codes that people of the tests read off their phones, made by hand and not by the code under test."""

import hashlib
import hmac
from datetime import datetime

from django.conf import settings

from accounts.factors.authenticator import Authenticator
from accounts.models import User
from accounts.stepup.models import Challenge


def code_of(challenge: Challenge) -> str:
    """What the text or mail of this challenge says; the key is the first of CODE_KEYS."""
    content = challenge.pk.bytes + challenge.purpose.encode() + b"\x00" + bytes(challenge.context_digest)
    mac = hmac.new(settings.CODE_KEYS[0].encode(), content, hashlib.sha256)
    return str(int(mac.hexdigest(), 16) % 10**6).zfill(6)


def wrong_code_of(challenge: Challenge, number: int = 1) -> str:
    return f"{(int(code_of(challenge)) + number) % 10**6:06d}"


def totp_of(user: User, now: datetime) -> str:
    """What the person's authenticator app shows (RFC 6238, RFC 4226 section 5.3)."""
    seed = bytes(Authenticator.objects.get(user=user).seed)
    mac = hmac.new(seed, (int(now.timestamp()) // 30).to_bytes(8, "big"), hashlib.sha1).digest()
    start = mac[-1] & 0xF
    return f"{(int.from_bytes(mac[start : start + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"
