"""Signing in with a code instead of a password, where the shop allows it (SIGN_IN_BY_CODE).

The code takes the place of the password, not of the second proof: who has another factor is asked for that as well,
and not for one on the same phone or mailbox.
"""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.delivery.models import Channel
from accounts.factors.email import Mailbox
from accounts.factors.registry import factor as factor_of
from accounts.factors.text import Phone
from accounts.models import User
from accounts.stepup import grants, policy
from accounts.stepup.challenges import Asker, begin, channel_of
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Challenge, Grant, Purpose


def begin_by_code(*, asker: Asker, next_path: str) -> Challenge:
    """Prove the e-mail or phone of an account. Where it may not sign in so, an explanation goes out, and no code.

    Raises ChallengeOver.
    """
    return begin(
        asker=asker,
        purpose=Purpose.SIGN_IN_BY_CODE,
        digest=_code_digest(asker.contact),
        next_path=next_path,
        decoy=person_by_code(asker.contact) is None,
    )


def person_by_code(contact: str, now: datetime | None = None) -> User | None:
    """The shopper who may sign in with a code to this contact: their own name, proven, and not resting after a reset.

    Nobody of staff, no closed and no locked account. Looked up in one way for known and unknown contacts.
    """
    now = now or timezone.now()
    by_mail = channel_of(contact) == Channel.EMAIL
    devices = Mailbox.objects.filter(address=contact) if by_mail else Phone.objects.filter(number=contact)
    names = {"user__email": contact} if by_mail else {"user__phone": contact}
    found = devices.filter(confirmed=True, user__is_active=True, user__is_staff=False, user__locked_at=None, **names)
    device = found.select_related("user").first()
    if device is None or device.user.rests_after_reset(factor_of("email" if by_mail else "text").rests_as, now):
        return None
    return device.user


def find_code_grant(*, contact: str, browser: str) -> Grant | None:
    return grants.find(browser=browser, purpose=Purpose.SIGN_IN_BY_CODE, digest=_code_digest(contact), contact=contact)


def has_another_factor(user: User, contact: str) -> bool:
    """Anything that is not on the phone or in the mailbox that the code went to, even if it rests just now."""
    return any(getattr(offer.device, "destination", "") != contact for offer in policy.owned(user))


def finish_by_code(*, contact: str, browser: str, ip: str | None, now: datetime | None = None) -> tuple[User, Grant]:
    """Sign in by the code alone somebody who has nothing else. Raises grants.NoGrant."""
    now = now or timezone.now()
    with transaction.atomic():
        grant = use_code(contact=contact, browser=browser, now=now)
        user = person_by_code(contact, now)
        if user is None or has_another_factor(user, contact):
            raise grants.NoGrant
        audit.record(audit.Kind.SIGNED_IN, user=user, ip=ip, purpose=Purpose.SIGN_IN_BY_CODE, factor=grant.factor)
    return user, grant


def use_code(*, contact: str, browser: str, now: datetime) -> Grant:
    """Use the code's grant up, in the transaction that signs in. Raises grants.NoGrant."""
    return grants.use(
        browser=browser,
        purpose=Purpose.SIGN_IN_BY_CODE,
        digest=_code_digest(contact),
        contact=contact,
        now=now,
    )


def _code_digest(contact: str) -> bytes:
    return context_digest(Purpose.SIGN_IN_BY_CODE, {"contact": contact})
