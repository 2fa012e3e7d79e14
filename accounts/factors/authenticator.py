"""Authenticator apps: time-based one-time passwords.

RFC 6238 with SHA-1, steps of 30 seconds, six digits, and one step of tolerance.
"""

import base64
import secrets
from datetime import datetime
from io import BytesIO
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import qrcode
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device
from django_otp.oath import TOTP
from qrcode.image.svg import SvgPathImage

from accounts.crypto import EncryptedBytesField
from accounts.factors.base import Factor, Strength

STEP = 30  # seconds
TOLERANCE = 1  # steps before and after now


def new_seed() -> bytes:
    """160 bits, the length that RFC 4226 recommends (section 4, R6)."""
    return secrets.token_bytes(20)


class Authenticator(Device):
    """An authenticator app. Unconfirmed until a right code proved that the app has the seed."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="authenticators")
    seed = EncryptedBytesField(default=new_seed, editable=False)
    # The last accepted time step: it only moves forward, so no code is accepted twice, whatever it was used for.
    last_step = models.BigIntegerField(default=-1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("authenticator app")
        verbose_name_plural = _("authenticator apps")

    @property
    def typed_key(self) -> str:
        """The seed as a person types it into an app: base32 in groups of four."""
        text = base64.b32encode(self.seed).decode().rstrip("=")
        return " ".join(text[i : i + 4] for i in range(0, len(text), 4))

    @property
    def key_uri(self) -> str:
        """The otpauth URI of the QR code.

        Source: "Key URI Format" of the google-authenticator wiki.
        """
        issuer = settings.SHOP_NAME
        label = quote(f"{issuer}:{self.user.email or self.user.phone}")
        key = base64.b32encode(self.seed).decode().rstrip("=")
        return f"otpauth://totp/{label}?{urlencode({'secret': key, 'issuer': issuer})}"

    def qr_svg(self) -> str:
        """The QR code as an SVG element, made here so that the seed is in no URL and no cache."""
        picture = qrcode.make(self.key_uri, image_factory=SvgPathImage, border=2)
        out = BytesIO()
        picture.save(out)
        svg = out.getvalue().decode()
        return svg[svg.index("<svg") :]


class AuthenticatorFactor(Factor):
    code = "authenticator"
    verbose_name = _("Authenticator app")
    strength = Strength.AUTHENTICATOR
    takes_any_device = True
    model: ClassVar[type[Device]] = Authenticator

    def get_action(self, device: Device) -> str:
        return str(_("Use the code in your authenticator app"))

    def verify(self, device: Any, code: str, now: datetime) -> Device | None:
        """Any of the person's apps will do: the page asks for "your authenticator app", not for one of two.

        All are compared, whichever matches first; a code that two of them happen to show is used up on both.
        """
        matched = [each for each in self.get_devices(device.user_id) if accept(each, code, now)]
        return matched[0] if matched else None


def accept(device: Authenticator, code: str, now: datetime) -> bool:
    """True once for a right code: the last accepted step moves forward by a conditional UPDATE."""
    totp = TOTP(device.seed, step=STEP)
    totp.time = now.timestamp()
    step = totp.t()
    matching = [t for t in range(step - TOLERANCE, step + TOLERANCE + 1) if _matches(device.seed, t, code)]
    if not matching:
        return False
    return bool(
        Authenticator.objects.filter(pk=device.pk, last_step__lt=max(matching)).update(
            last_step=max(matching), last_used_at=now
        )
    )


def _matches(seed: bytes | memoryview, step: int, code: str) -> bool:
    totp = TOTP(seed, step=STEP)
    totp.time = step * STEP
    return secrets.compare_digest(f"{totp.token():06d}", code)
