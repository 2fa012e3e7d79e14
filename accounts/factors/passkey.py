"""Passkeys (WebAuthn): a key pair whose private half stays in the person's device, password manager or security key.

Registering and signing are read by py_webauthn; the credential's record is django-otp-webauthn's. Whom a signature
was made for comes from SITE_URL and never from a request. Source: https://www.w3.org/TR/webauthn-3/
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device
from django_otp_webauthn.models import AbstractWebAuthnCredential, WebAuthnUserHandle
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    bytes_to_base64url,
    decode_credential_public_key,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts.factors.base import Factor, NotVerified, Strength

LONGEST_ANSWER = 16_000  # characters; a browser's answer has some hundreds, with a certificate some thousands
_TIMEOUT = 5 * 60 * 1000  # ms in which the browser lets the person choose and touch; a hint

Result = TypeVar("Result")


class Refused(Exception):
    """Not a signature of a passkey that counts here, over what was to be signed. Which of it is wrong is not told."""


class AlreadyThere(Exception):
    """This passkey is registered already."""


class Passkey(AbstractWebAuthnCredential):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="passkeys")
    # The library's integer is too small for a count of 32 bits.
    sign_count = models.PositiveBigIntegerField(default=0, editable=False)
    # Whether its device has ever checked who holds it, by a PIN, a finger or a face. One that can't serves at sign-in
    # behind the password, and for nothing else (policy.py).
    user_verified = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("passkey")
        verbose_name_plural = _("passkeys")


@dataclass(frozen=True)
class Signed:
    """An accepted signature, with all that is needed to check it again."""

    passkey: Passkey
    verified: bool
    client_data: bytes
    authenticator_data: bytes
    signature: bytes


class PasskeyFactor(Factor):
    code = "passkey"
    verbose_name = _("Passkey")
    strength = Strength.PASSKEY
    model: ClassVar[type[Device]] = Passkey
    typed = False
    digits_only = False
    takes_any_device = True
    malformed = _("Your browser’s answer could not be read. Please try again; no attempt was taken.")

    def is_offered(self) -> bool:
        """Browsers know passkeys on secure pages only; the own machine counts as one."""
        return bool(settings.SECURE) or rp_id() == "localhost"

    def get_action(self, device: Device) -> str:
        return str(_("Use your passkey"))

    def normalise(self, code: str) -> str | None:
        try:
            _strictly(lambda: parse_authentication_credential_json(code[: LONGEST_ANSWER + 1]))
        except Refused:
            return None
        return code


def rp_id() -> str:
    return str(settings.SITE_HOST)


def origin() -> str:
    site = urlsplit(settings.SITE_URL)
    return f"{site.scheme}://{site.netloc}"


def registration_options(user: Any, asked: bytes) -> str:
    """What the browser is asked to make, as JSON."""
    name = user.email or str(user.phone)
    return options_to_json(
        generate_registration_options(
            rp_id=rp_id(),
            rp_name=settings.SHOP_NAME,
            user_id=WebAuthnUserHandle.get_handle_for_user(user),
            user_name=name,
            user_display_name=user.name or name,
            challenge=asked,
            timeout=_TIMEOUT,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
            ),
            exclude_credentials=Passkey.get_credential_descriptors_for_user(user),
        )
    )


def made_id(answer: str) -> str | None:
    """By which of our rows one would know the passkey in a browser's answer; None where it can't be read."""
    try:
        credential = _strictly(lambda: parse_registration_credential_json(answer))
    except Refused:
        return None
    return Passkey.get_credential_id_sha256(credential.raw_id)


def register(user: Any, answer: str, *, asked: bytes, name: str) -> Passkey:
    """Keep the passkey that a browser made. Raises Refused, AlreadyThere."""
    credential = _strictly(lambda: parse_registration_credential_json(answer))
    made = _strictly(
        lambda: verify_registration_response(
            credential=credential, expected_challenge=asked, expected_rp_id=rp_id(), expected_origin=origin()
        )
    )
    try:
        with transaction.atomic():
            return Passkey.objects.create(
                user=user,
                name=name,
                credential_id=made.credential_id,
                public_key=made.credential_public_key,
                sign_count=made.sign_count,
                aaguid=made.aaguid,
                transports=[each.value for each in credential.response.transports or []],
                discoverable=True,
                backup_eligible=made.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
                backup_state=made.credential_backed_up,
                user_verified=made.user_verified,
            )
    except IntegrityError:
        raise AlreadyThere from None


def signing_options(asked: bytes, *, passkeys: Any = None, must_verify: bool) -> str:
    """What the browser is asked to sign, as JSON; without `passkeys`, by any passkey it has for this shop."""
    wanted = UserVerificationRequirement.REQUIRED if must_verify else UserVerificationRequirement.PREFERRED
    return options_to_json(
        generate_authentication_options(
            rp_id=rp_id(),
            challenge=asked,
            timeout=_TIMEOUT,
            allow_credentials=passkeys.as_credential_descriptors() if passkeys is not None else None,
            user_verification=wanted,
        )
    )


def accept(
    answer: str, *, asked: bytes, among: Any, must_verify: bool, now: datetime, must_name: bool = False
) -> Signed:
    """Check what a browser signed, and move the passkey's count forward, by a conditional UPDATE.

    `among` are the passkeys that count; with `must_name` the answer has to say whose it is. In the caller's
    transaction. Raises Refused, NotVerified.
    """
    credential = _strictly(lambda: parse_authentication_credential_json(answer))
    known = Passkey.get_credential_id_sha256(credential.raw_id)
    passkey = among.filter(credential_id_sha256=known, confirmed=True).select_related("user").first()
    if passkey is None:
        raise Refused
    response = credential.response
    seen = _strictly(
        lambda: verify_authentication_response(
            credential=credential,
            expected_challenge=asked,
            expected_rp_id=rp_id(),
            expected_origin=origin(),
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=0,  # the UPDATE below decides
        )
    )
    if parse_client_data_json(response.client_data_json).cross_origin:
        raise Refused
    handle = response.user_handle
    if (must_name and not handle) or (handle and handle != WebAuthnUserHandle.get_handle_for_user(passkey.user)):
        raise Refused
    if must_verify and not seen.user_verified:
        raise NotVerified
    mine = Passkey.objects.filter(pk=passkey.pk, confirmed=True)
    # Many passkeys don't count at all: then it stays 0. One that went back has a copy somewhere.
    mine = mine.filter(sign_count__lt=seen.new_sign_count) if seen.new_sign_count else mine.filter(sign_count=0)
    news: dict[str, Any] = {"user_verified": True} if seen.user_verified else {}
    if not mine.update(
        sign_count=seen.new_sign_count, last_used_at=now, backup_state=seen.credential_backed_up, **news
    ):
        raise Refused
    return Signed(
        passkey, seen.user_verified, response.client_data_json, response.authenticator_data, response.signature
    )


def still_verifies(
    *, client_data: bytes, authenticator_data: bytes, signature: bytes, public_key: bytes, asked: bytes, site: str
) -> bool:
    """Check a kept signature again, years later perhaps: made for `site` over `asked`, by a person who was verified."""
    credential = {
        "id": "AA",
        "rawId": "AA",
        "type": "public-key",
        "response": {
            "clientDataJSON": bytes_to_base64url(client_data),
            "authenticatorData": bytes_to_base64url(authenticator_data),
            "signature": bytes_to_base64url(signature),
        },
    }
    try:
        _strictly(
            lambda: verify_authentication_response(
                credential=credential,
                expected_challenge=asked,
                expected_rp_id=str(urlsplit(site).hostname),
                expected_origin=site,
                credential_public_key=public_key,
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        )
    except Refused:
        return False
    return True


def algorithm_of(public_key: bytes) -> int:
    """The COSE number of the key's algorithm, such as -7 for ECDSA with SHA-256."""
    return int(decode_credential_public_key(public_key).alg)


def _strictly(read: Callable[[], Result]) -> Result:
    """What strangers post makes the parsers raise errors of every kind; each of them is one refusal."""
    try:
        return read()
    except Exception:
        raise Refused from None
