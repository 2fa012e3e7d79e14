"""What a passkey signs for a challenge, and what is kept of it with the grant."""

import hashlib
from datetime import datetime
from uuid import UUID

from accounts.factors import passkey as passkeys
from accounts.factors.base import Strength
from accounts.factors.passkey import Passkey, Signed
from accounts.models import SecurityEvent, User
from accounts.stepup import policy
from accounts.stepup.models import Assertion, Challenge, Grant

_DOMAIN = b"countersign passkey challenge 1\x00"


def to_sign(challenge_id: UUID, nonce: bytes, purpose: str, digest: bytes) -> bytes:
    """The WebAuthn challenge, made from what is approved: the signature covers the order, and no other."""
    content = _DOMAIN + challenge_id.bytes + nonce + purpose.encode() + b"\x00" + digest
    return hashlib.sha256(content).digest()


def signed_for(challenge: Challenge) -> bytes:
    return to_sign(challenge.pk, bytes(challenge.nonce), challenge.purpose, bytes(challenge.context_digest))


def options_for(challenge: Challenge) -> str:
    """What the browser is asked to sign for this challenge, by which passkeys, as JSON."""
    must_verify = policy.must_verify(challenge.purpose)
    mine = Passkey.objects.filter(user=challenge.user, confirmed=True)
    if must_verify:
        mine = mine.filter(user_verified=True)
    return passkeys.signing_options(signed_for(challenge), passkeys=mine, must_verify=must_verify)


def accept(challenge: Challenge, answer: str, now: datetime) -> Signed:
    """Any of the person's passkeys will do. Raises Refused, NotVerified."""
    return passkeys.accept(
        answer,
        asked=signed_for(challenge),
        among=Passkey.objects.filter(user=challenge.user),
        must_verify=policy.must_verify(challenge.purpose),
        now=now,
    )


def worth(signed: Signed) -> Strength:
    """One whose device checked nobody is a thing that can be stolen, as a phone's card can."""
    return Strength.PASSKEY if signed.verified else Strength.TEXT


def keep(grant: Grant, signed: Signed) -> None:
    """With the grant, so that what was approved can be proven later, also when the passkey is gone."""
    key = bytes(signed.passkey.public_key)
    Assertion.objects.create(
        grant=grant,
        site=passkeys.origin(),
        client_data=signed.client_data,
        authenticator_data=signed.authenticator_data,
        signature=signed.signature,
        public_key=key,
        algorithm=passkeys.algorithm_of(key),
    )


def verifies(assertion: Assertion, digest: bytes) -> bool:
    """Was exactly this signed for the purpose of the grant, by a person whom the device had verified?"""
    challenge = assertion.grant.challenge
    return passkeys.still_verifies(
        client_data=bytes(assertion.client_data),
        authenticator_data=bytes(assertion.authenticator_data),
        signature=bytes(assertion.signature),
        public_key=bytes(assertion.public_key),
        asked=to_sign(challenge.pk, bytes(challenge.nonce), assertion.grant.purpose, digest),
        site=assertion.site,
    )


def fingerprint(public_key: bytes) -> str:
    """Kept in the sealed security event that tells of the passkey, so that no other key can be put in its place."""
    return hashlib.sha256(bytes(public_key)).hexdigest()


def registered_at(user: User | None, public_key: bytes) -> datetime | None:
    """When the person's security events say that this key was added."""
    added = SecurityEvent.objects.filter(
        user=user, kind=SecurityEvent.Kind.FACTOR_ADDED, detail__key=fingerprint(public_key)
    )
    return added.order_by("at").values_list("at", flat=True).first() if user else None
