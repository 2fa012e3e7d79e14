"""The e-mail and the phone of an account: changed, added, and a change of e-mail undone.

The person first proves the change itself (bound to the new address, so the proof is good for no other), then the new
address proves itself by a code to it. One transaction uses both grants up and makes the change.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core import signing
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.delivery.models import Message
from accounts.factors.email import Mailbox
from accounts.factors.notices import tell_owner
from accounts.factors.text import Phone
from accounts.models import EmailChange, SecurityEvent, User
from accounts.phones import mask
from accounts.security.models import Session
from accounts.stepup import grants, policy
from accounts.stepup.challenges import Asker, begin
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Challenge, Purpose

UNDO_LIFE = timedelta(hours=72)
_UNDO = signing.Signer(salt="undo a change of e-mail")


class ContactTaken(Exception):
    """Another account has this e-mail or phone. Only who has proven it is told."""


class NothingToUndo(Exception):
    """The link is not ours, too old, or was used."""


@dataclass(frozen=True)
class Field:
    """What is being changed: `email` or `phone`."""

    name: str
    purpose: Purpose
    event: SecurityEvent.Kind


EMAIL = Field("email", Purpose.CHANGE_EMAIL, SecurityEvent.Kind.EMAIL_CHANGED)
PHONE = Field("phone", Purpose.CHANGE_PHONE, SecurityEvent.Kind.PHONE_CHANGED)


def own(user: User, field: Field) -> str:
    """What the account has now, or ""."""
    return (user.email or "") if field is EMAIL else str(user.phone.as_e164 if user.phone else "")


def is_allowed(*, asker: Asker, field: Field, new: str) -> bool:
    """Has this person proven, in this browser, that they want exactly this change?"""
    digest = _change_digest(field, asker.user, new)
    return grants.find(browser=asker.browser, purpose=field.purpose, digest=digest, user=asker.user) is not None


def is_proven(*, asker: Asker, field: Field, new: str) -> bool:
    """Is all there that `change` uses up?"""
    return is_allowed(asker=asker, field=field, new=new) and (
        grants.find(
            browser=asker.browser,
            purpose=Purpose.NEW_CONTACT,
            digest=_new_digest(asker.user, new),
            user=asker.user,
            contact=new,
        )
        is not None
    )


def begin_change(*, asker: Asker, field: Field, new: str, next_path: str) -> Challenge:
    """Ask for the proof of the change itself. Raises policy.NoFactor, ChallengeOver."""
    digest = _change_digest(field, asker.user, new)
    return begin(asker=asker, purpose=field.purpose, digest=digest, next_path=next_path)


def begin_proof_of_new(*, asker: Asker, field: Field, new: str, next_path: str) -> Challenge:
    """Send a code to the new address. Where another account has it, an explanation goes there, and no code.

    Raises grants.NoGrant where the change itself is not proven, and ChallengeOver.
    """
    if not is_allowed(asker=asker, field=field, new=new):
        raise grants.NoGrant
    return begin(
        asker=Asker(browser=asker.browser, user=asker.user, contact=new, ip=asker.ip),
        purpose=Purpose.NEW_CONTACT,
        digest=_new_digest(asker.user, new),
        next_path=next_path,
        decoy=User.objects.filter(**{field.name: new}).exists(),
    )


def change(*, asker: Asker, field: Field, new: str, now: datetime | None = None) -> None:
    """Use both proofs up and make the change. Raises grants.NoGrant, ContactTaken."""
    now = now or timezone.now()
    if asker.user is None:
        raise ValueError("a change needs a person")
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=asker.user.pk)
        mine: dict[str, Any] = {"browser": asker.browser, "user": user, "now": now}
        grants.use(purpose=field.purpose, digest=_change_digest(field, user, new), **mine)
        grants.use(purpose=Purpose.NEW_CONTACT, digest=_new_digest(user, new), contact=new, **mine)
        old = own(user, field)
        _rename(user, field, new)
        event = audit.record(field.event, user=user, ip=asker.ip, to=mask(new))
        if field is PHONE:
            _move_phone(user, old, new, now)
        else:
            _move_mailbox(user, old, new)
            if old:
                EmailChange.objects.create(
                    user=user, event=event, old_email=old, changed_at=now, undo_until=now + UNDO_LIFE
                )
        # The new one has just proven itself, and would be a thief's.
        tell_owner(user, event, everywhere=True, without=[new], also=[old] if old else [])


def undo_path(event: SecurityEvent, message: Message) -> str:
    """For the notice to whom had the e-mail until now: the page on which the change can be undone. Else ""."""
    undoable = EmailChange.objects.filter(event=event, old_email=message.destination, undone_at=None).first()
    return reverse("security:undo_email", args=[_UNDO.sign(str(undoable.pk))]) if undoable else ""


def open_change(token: str, now: datetime | None = None) -> EmailChange:
    """The change of e-mail that a link may undo. Raises NothingToUndo."""
    try:
        pk = UUID(_UNDO.unsign(token))
    except (signing.BadSignature, ValueError):
        raise NothingToUndo from None
    still = {"undone_at": None, "undo_until__gt": now or timezone.now(), "user__is_active": True}
    found = EmailChange.objects.filter(pk=pk, **still).select_related("user").first()
    if found is None:
        raise NothingToUndo
    return found


def undo_email_change(token: str, *, ip: str | None, now: datetime | None = None) -> User:
    """Put the old address back, end all sessions, and make the password void: whoever changed the address knew it.

    Nobody is signed in by that. Later changes are undone with it, so that a thief's own link does not bring them back.
    Raises NothingToUndo, ContactTaken.
    """
    now = now or timezone.now()
    undone = open_change(token, now)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=undone.user_id)
        of_user = EmailChange.objects.filter(user=user, undone_at=None)
        if not of_user.filter(pk=undone.pk, undo_until__gt=now).update(undone_at=now):
            raise NothingToUndo
        of_user.filter(changed_at__gte=undone.changed_at).update(undone_at=now)
        current = own(user, EMAIL)
        user.set_unusable_password()
        user.save(update_fields=["password"])
        Session.objects.filter(user=user).delete()
        _rename(user, EMAIL, undone.old_email)
        _move_mailbox(user, current, undone.old_email)
        event = audit.record(audit.Kind.EMAIL_CHANGE_UNDONE, user=user, ip=ip)
        tell_owner(user, event, everywhere=True, also=[current] if current else [])
    return user


def _rename(user: User, field: Field, new: str) -> None:
    """The unique constraint decides whose it is."""
    setattr(user, field.name, new)
    try:
        with transaction.atomic():
            user.save(update_fields=[field.name])
    except IntegrityError:
        raise ContactTaken from None


def _move_mailbox(user: User, old: str, new: str) -> None:
    """A new row and not a changed one: a challenge that went to the old address dies with its device."""
    Mailbox.objects.filter(user=user, address__in=[old, new]).delete()
    Mailbox.objects.create(user=user, address=new, name="e-mail")


def _move_phone(user: User, old: str, new: str, now: datetime) -> None:
    Phone.objects.filter(user=user, number__in=[number for number in (old, new) if number]).delete()
    Phone.objects.create(user=user, number=new, name="phone", approves_payments_from=now + policy.NEW_PHONE_REST)


def _change_digest(field: Field, user: User | None, new: str) -> bytes:
    return context_digest(field.purpose, {"user": user.pk if user else None, "new": new})


def _new_digest(user: User | None, new: str) -> bytes:
    return context_digest(Purpose.NEW_CONTACT, {"user": user.pk if user else None, "contact": new})
