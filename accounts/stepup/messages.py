"""What a code's message says. The code is made here, in the worker, at the moment the carrier gets it."""

from datetime import datetime

from django.conf import settings
from django.template.loader import render_to_string

from accounts.delivery.composing import Content
from accounts.delivery.models import Channel, Message
from accounts.stepup import codes
from accounts.stepup.challenges import is_over, start_clock
from accounts.stepup.models import Challenge


def compose_code(message: Message, now: datetime) -> Content | None:
    challenge = message.challenge
    if challenge is None or is_over(challenge, now):
        return None
    try:
        code = codes.derive_code(challenge.code_key, challenge.pk, challenge.purpose, bytes(challenge.context_digest))
    except codes.UnknownCodeKey:
        return None
    return _render("code", message, challenge, now, code=code)


def compose_explanation(message: Message, now: datetime) -> Content | None:
    challenge = message.challenge
    if challenge is None or is_over(challenge, now):
        return None
    return _render("explanation", message, challenge, now)


def handed_over(message: Message, at: datetime) -> None:
    if message.challenge_id:
        start_clock(message.challenge_id, at)


def _render(name: str, message: Message, challenge: Challenge, now: datetime, **more: str) -> Content:
    ends = min(now + settings.CODE_LIFE, challenge.requested_at + settings.CHALLENGE_LIFE)
    seconds = int((ends - now).total_seconds())
    context = {
        "challenge": challenge,
        "summary": challenge.summary,
        "shop_name": settings.SHOP_NAME,
        "site_url": settings.SITE_URL,
        "site_host": settings.SITE_HOST,
        "minutes": max(seconds // 60, 1),
    } | more
    if message.channel == Channel.TEXT:
        return Content(text=render_to_string(f"stepup/{name}_text.txt", context).strip(), valid_for=seconds)
    return Content(
        subject=render_to_string(f"stepup/{name}_subject.txt", context).strip(),
        text=render_to_string(f"stepup/{name}_email.txt", context),
        html=render_to_string(f"stepup/{name}_email.html", context),
        valid_for=seconds,
    )
