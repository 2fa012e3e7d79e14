"""The cookie of a trusted browser. With https its name begins with __Host-, so no other host can have set it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.security.trust import Trust


def trust_cookie(request: HttpRequest) -> str:
    return request.COOKIES.get(settings.TRUST_COOKIE_NAME, "")


def set_trust_cookie(response: HttpResponse, trust: Trust) -> None:
    response.set_cookie(
        settings.TRUST_COOKIE_NAME,
        trust.token,
        expires=trust.expires_at,
        path="/",
        secure=settings.SECURE,
        httponly=True,
        samesite="Lax",
    )
