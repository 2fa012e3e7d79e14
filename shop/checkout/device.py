"""The browser a person pays from, told again after the session has ended.

A random secret in a cookie of its own; an order keeps its SHA-256. A browser is known to a person who paid an order
from it: the cookie alone says nothing of anybody, and it signs nobody in.
"""

import hashlib
import re
import secrets

from django.conf import settings
from django.http import HttpRequest, HttpResponse

LIFE = 400 * 24 * 3600  # seconds; browsers keep no cookie for longer
_SHAPE = re.compile(r"[\w-]{43}", re.ASCII)


def device_of(request: HttpRequest) -> str:
    """The hash of this browser's secret; "" for a browser that has none yet."""
    secret = _secret(request)
    return hashlib.sha256(secret.encode()).hexdigest() if secret else ""


def name_device(request: HttpRequest) -> str:
    """The same, with a secret for a browser that has none yet; `keep_device` sends it."""
    if not _secret(request):
        request.COOKIES[settings.DEVICE_COOKIE_NAME] = secrets.token_urlsafe(32)
    return device_of(request)


def keep_device(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let the browser keep its secret, from now on anew."""
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        _secret(request),
        max_age=LIFE,
        secure=settings.SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def _secret(request: HttpRequest) -> str:
    kept = request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
    return kept if _SHAPE.fullmatch(kept) else ""
