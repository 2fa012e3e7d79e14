"""The person's password as a keyed hash: it tells nothing, and what began under it does not outlive its change."""

import hashlib

from accounts.models import User
from accounts.stepup.models import Challenge


def credentials_of(user: User | None) -> str:
    """Changes with the password; "" for somebody without an account."""
    return credentials_under_each_key(user)[0]


def has_kept_credentials(challenge: Challenge, user: User | None) -> bool:
    """Is the person's password still the one with which the challenge began?"""
    return challenge.credentials in credentials_under_each_key(user)


def credentials_under_each_key(user: User | None) -> list[str]:
    """Newest first: a challenge outlives a change of SECRET_KEY, as long as the old one is in SECRET_KEY_FALLBACKS."""
    if user is None:
        return [""]
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return [hashlib.sha256(each.encode()).hexdigest() for each in hashes]
