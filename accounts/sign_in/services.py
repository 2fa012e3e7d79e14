"""Signing in, opening an account, choosing a new password: each uses a grant up in the transaction it allows."""

from dataclasses import replace
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit
from accounts.delivery.models import Channel
from accounts.factors.email import Mailbox
from accounts.factors.notices import tell_owner
from accounts.factors.registry import all_factors, device_of
from accounts.factors.registry import factor as factor_of
from accounts.factors.text import Phone
from accounts.models import User
from accounts.security.lock import unlock
from accounts.sign_in import by_code, passwords
from accounts.stepup import attempts, grants, policy
from accounts.stepup.challenges import Asker, begin, channel_of
from accounts.stepup.credentials import has_kept_credentials
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Challenge, Grant, Purpose

# How long after the password a sign-in may be finished, however many codes were asked for in between.
SIGN_IN_LIFE = timedelta(minutes=30)


class SignInOver(Exception):
    """The password was typed too long ago, or is no longer the account's, or the account was closed meanwhile."""


class ContactTaken(Exception):
    """Somebody who can read the same messages opened an account with this contact a moment ago."""


# --- sign in ---------------------------------------------------------------------------------------------------------


def begin_sign_in(*, asker: Asker, next_path: str, first_contact: str = "") -> Challenge:
    """Ask for the second proof of a person whose password was right, or who is signed in and wants the staff's level;
    or whose code to `first_contact` was right, which serves for nothing more then.

    An account without any factor yet, such as a fresh superuser's, proves its own e-mail or phone.
    Raises policy.NoFactor, ChallengeOver.
    """
    user = asker.user
    if user is None:
        raise ValueError("a sign-in needs a person")
    if first_contact:
        digest = context_digest(Purpose.SIGN_IN, {"user": user.pk, "after": first_contact})
        return begin(asker=asker, purpose=Purpose.SIGN_IN, digest=digest, next_path=next_path, without=first_contact)
    purpose = Purpose.STAFF_SIGN_IN if user.is_staff and has_strong_factor(user) else Purpose.SIGN_IN
    digest = context_digest(purpose, {"user": user.pk})
    try:
        return begin(asker=asker, purpose=purpose, digest=digest, next_path=next_path)
    except policy.Locked:
        raise
    except policy.NoFactor:
        if _has_factor(user):
            raise
    own = user.email or user.phone.as_e164
    return begin(asker=replace(asker, contact=own), purpose=purpose, digest=digest, next_path=next_path)


def finish_sign_in(
    *, begun: Challenge, browser: str, ip: str | None, now: datetime | None = None
) -> tuple[User, Grant]:
    """Use the grant of a sign-in up. `begun` is the challenge that followed the password, or the code in its place,
    which is used up here too.

    Raises grants.NoGrant, SignInOver.
    """
    now = now or timezone.now()
    with transaction.atomic():
        user = User.objects.filter(challenges=begun, is_active=True).first()
        if user is None or not has_kept_credentials(begun, user) or now - begun.requested_at > SIGN_IN_LIFE:
            raise SignInOver
        if begun.first_contact:
            by_code.use_code(contact=begun.first_contact, browser=browser, now=now)
            if by_code.person_by_code(begun.first_contact, now) != user:
                raise SignInOver
        grant = grants.use(
            browser=browser,
            purpose=begun.purpose,
            digest=bytes(begun.context_digest),
            user=user,
            contact=begun.contact,
            now=now,
        )
        if begun.contact:
            _keep_contact(user, begun.contact)
        purpose = Purpose.SIGN_IN_BY_CODE if begun.first_contact else begun.purpose
        audit.record(audit.Kind.SIGNED_IN, user=user, ip=ip, purpose=purpose, factor=grant.factor)
    return user, grant


def has_strong_factor(user: User) -> bool:
    """An authenticator, or a passkey whose device checks who holds it: what opens the staff's rooms."""
    return policy.owns_strong(user, Purpose.STAFF_SIGN_IN)


# --- open an account -------------------------------------------------------------------------------------------------


def begin_sign_up(*, asker: Asker, next_path: str) -> Challenge:
    """Prove a new person's e-mail or phone. Where an account has it already, an explanation goes out, and no code.

    Raises ChallengeOver.
    """
    return begin(
        asker=asker,
        purpose=Purpose.SIGN_UP,
        digest=_contact_digest(Purpose.SIGN_UP, asker.contact),
        next_path=next_path,
        decoy=_owner(asker.contact) is not None,
    )


def find_contact_grant(*, purpose: Purpose, contact: str, browser: str) -> Grant | None:
    return grants.find(browser=browser, purpose=purpose, digest=_contact_digest(purpose, contact), contact=contact)


def new_user(contact: str) -> User:
    """A person not yet kept, who has nothing but the proven contact."""
    return User(phone=contact) if channel_of(contact) == Channel.TEXT else User(email=contact)


def open_account(
    *, contact: str, name: str, password: str, browser: str, ip: str | None, now: datetime | None = None
) -> tuple[User, Grant]:
    """Make the account whose contact was proven in this browser. Raises grants.NoGrant, ContactTaken."""
    now = now or timezone.now()
    user = new_user(contact)
    user.name = name
    user.set_password(password)  # slow on purpose, so before the transaction
    with transaction.atomic():
        grant = grants.use(
            browser=browser,
            purpose=Purpose.SIGN_UP,
            digest=_contact_digest(Purpose.SIGN_UP, contact),
            contact=contact,
            now=now,
        )
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError:
            raise ContactTaken from None
        _keep_contact(user, contact)
        audit.record(audit.Kind.SIGNED_UP, user=user, ip=ip, factor=grant.factor)
    return user, grant


# --- choose a new password -------------------------------------------------------------------------------------------


def begin_reset(*, asker: Asker, next_path: str) -> Challenge:
    """Prove the e-mail or phone of an account. Where there is none, an explanation goes out, and no code.

    Raises ChallengeOver.
    """
    return begin(
        asker=asker,
        purpose=Purpose.RESET_PASSWORD,
        digest=_contact_digest(Purpose.RESET_PASSWORD, asker.contact),
        next_path=next_path,
        decoy=resetting_user(asker.contact) is None,
    )


def resetting_user(contact: str) -> User | None:
    user = _owner(contact)
    return user if user and user.is_active else None


def set_new_password(*, contact: str, password: str, browser: str, ip: str | None, now: datetime | None = None) -> User:
    """Set the password of the account whose contact was proven in this browser; nobody is signed in by that.

    All its sessions end, since Django ties them to the password. Raises grants.NoGrant.
    """
    now = now or timezone.now()
    with transaction.atomic():
        grant = grants.use(
            browser=browser,
            purpose=Purpose.RESET_PASSWORD,
            digest=_contact_digest(Purpose.RESET_PASSWORD, contact),
            contact=contact,
            now=now,
        )
        user = resetting_user(contact)
        if user is None:
            raise grants.NoGrant
        if not _has_factor(user):
            _keep_contact(user, contact)  # now proven; and so the policy knows that it rests
        user.set_password(password)
        # A phone is one thing, however its code came: a reset by call rests texts too.
        user.reset_factor = factor_of(grant.factor).rests_as
        user.reset_factor_rests_until = now + policy.REST_AFTER_RESET
        user.save(update_fields=["password", "reset_factor", "reset_factor_rests_until"])
        unlock(user=user, ip=ip)
        attempts.forgive(f"user:{user.pk}")
        passwords.forgive(user)
        event = audit.record(audit.Kind.PASSWORD_CHANGED, user=user, ip=ip, factor=grant.factor)
        tell_owner(user, event, everywhere=True)
    return user


def _contact_digest(purpose: Purpose, contact: str) -> bytes:
    return context_digest(purpose, {"contact": contact})


def _owner(contact: str) -> User | None:
    try:
        return User.objects.get_by_natural_key(contact)
    except User.DoesNotExist:
        return None


def _has_factor(user: User) -> bool:
    return any(device_of(user, factor.code) for factor in all_factors())


def _keep_contact(user: User, contact: str) -> None:
    """The account's own e-mail or phone was proven, so it is a factor from now on."""
    if channel_of(contact) == Channel.EMAIL:
        Mailbox.objects.update_or_create(user=user, address=contact, defaults={"confirmed": True, "name": "e-mail"})
    else:
        Phone.objects.update_or_create(user=user, number=contact, defaults={"confirmed": True, "name": "phone"})
