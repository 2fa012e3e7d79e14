"""The browser session, told apart by a secret that survives the changes of the session key."""

import hashlib
import secrets

from django.http import HttpRequest

_KEY = "browser"


def browser_of(request: HttpRequest) -> str:
    """The SHA-256 (hex) of this session's secret, which is made at the first call and ends with the session."""
    if _KEY not in request.session:
        request.session[_KEY] = secrets.token_urlsafe(32)
    return hashlib.sha256(request.session[_KEY].encode()).hexdigest()
