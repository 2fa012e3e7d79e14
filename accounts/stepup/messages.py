"""What a code's message says. The code is made here, in the worker, at the moment the carrier gets it."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.views.decorators.debug import sensitive_variables

from accounts.delivery import gsm
from accounts.delivery.composing import Content
from accounts.delivery.models import Channel, Message
from accounts.stepup import codes
from accounts.stepup.challenges import is_over, start_clock
from accounts.stepup.models import Challenge, Purpose


def compose_code(message: Message, now: datetime) -> Content | None:
    challenge = message.challenge
    if challenge is None or is_over(challenge, now):
        return None
    if message.channel == Channel.CALL:
        return _render("code", message, challenge, now)
    return _with_code(message, challenge, now)


def speak_code(message: Message, now: datetime) -> Content | None:
    """A call's code is made later than others: somebody has answered, and pressed a key."""
    challenge = message.challenge
    if challenge is None or is_over(challenge, now):
        return None
    return _with_code(message, challenge, now, after_key=True)


def speak_explanation(message: Message, now: datetime) -> Content | None:
    challenge = message.challenge
    if challenge is None or is_over(challenge, now):
        return None
    return _render("explanation", message, challenge, now, after_key=True)


@sensitive_variables("code")
def _with_code(message: Message, challenge: Challenge, now: datetime, after_key: bool = False) -> Content | None:
    try:
        code = codes.derive_code(challenge.code_key, challenge.pk, challenge.purpose, bytes(challenge.context_digest))
    except codes.UnknownCodeKey:
        return None
    return _render("code", message, challenge, now, after_key=after_key, code=code, digits=" ".join(code))


def compose_explanation(message: Message, now: datetime) -> Content | None:
    challenge = message.challenge
    if challenge is None or is_over(challenge, now):
        return None
    return _render("explanation", message, challenge, now)


def handed_over(message: Message, at: datetime) -> None:
    if message.challenge_id:
        start_clock(message.challenge_id, at)


@sensitive_variables("more", "context")
def _render(
    name: str, message: Message, challenge: Challenge, now: datetime, after_key: bool = False, **more: str
) -> Content:
    ends = min(now + settings.CODE_LIFE, challenge.requested_at + settings.CHALLENGE_LIFE)
    seconds = int((ends - now).total_seconds())
    context = {
        "challenge": challenge,
        "purpose": challenge.get_purpose_display(),
        "amount": challenge.summary.get("amount", "") if challenge.purpose == Purpose.PAY else "",
        "shop": challenge.summary.get("shop") or settings.SHOP_NAME,
        "shop_name": settings.SHOP_NAME,
        "site_url": settings.SITE_URL,
        "site_host": settings.SITE_HOST,
        "minutes": max(seconds // 60, 1),
    } | more
    if message.channel == Channel.TEXT:
        return Content(text=_one_segment(f"stepup/{name}_text.txt", context), valid_for=seconds)
    if message.channel == Channel.CALL:
        part = "spoken" if after_key else "greeting"
        return Content(text=render_to_string(f"stepup/{name}_{part}.txt", context).strip(), valid_for=seconds)
    return Content(
        subject=" ".join(render_to_string(f"stepup/{name}_subject.txt", context).split()),
        text=render_to_string(f"stepup/{name}_email.txt", context).strip() + "\n",
        html=render_to_string(f"stepup/{name}_email.html", context),
        valid_for=seconds,
    )


def _one_segment(template: str, context: dict[str, Any]) -> str:
    """A text costs and may be lost by the segment: what is too long loses the end of the shop's name, then the
    warning, then the name itself; never a digit of the amount or of the code.
    """
    shop = gsm.plain(context["shop"]).strip() or context["site_host"]
    for brief, least in ((False, 12), (True, 0)):
        text = gsm.plain(render_to_string(template, context | {"shop": shop, "brief": brief})).strip()
        over = gsm.septets(text) - gsm.SEGMENT
        if over <= 0:
            return text
        room = gsm.septets(shop) - over
        if room >= least:
            shop = gsm.cut(shop, room)
            break
    else:
        shop = ""
    return gsm.plain(render_to_string(template, context | {"shop": shop, "brief": brief})).strip()
