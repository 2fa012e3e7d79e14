"""Getting an account back when all factors are lost: slow on purpose, told to the owner, confirmed by two of staff.

What an opening does is the same for a name that is known and one that is not; whatever differs is done by the task.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy

from accounts import audit, limits
from accounts.delivery.models import Channel, Message
from accounts.delivery.services import queue_message
from accounts.factors.email import Mailbox
from accounts.factors.notices import WayBack, tell_owner
from accounts.factors.registry import all_factors
from accounts.factors.text import Phone
from accounts.models import EmailChange, SecurityEvent, User
from accounts.phones import mask, parse_phone
from accounts.security.lock import unlock
from accounts.security.models import Confirmation, Recovery, Session, TrustedBrowser
from accounts.stepup import attempts, grants, policy
from accounts.stepup.challenges import Asker, begin, channel_of, end_all_of
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Challenge, Grant, Purpose

State = Recovery.State

DELAY = timedelta(hours=72)  # how long the owner has to say that it isn't meant
LIFE = timedelta(days=14)
CONFIRMATIONS = 2
# Openings for one name, known or not: (limit, window). Each is told to the owner on all channels.
OPENINGS_A_NAME = (3, timedelta(days=7))

_signer = Signer(salt="accounts.security.recovery.cancel")


class NotReady(Exception):
    """There is no recovery of this contact that may be finished now."""


class ContactTaken(Exception):
    """The new contact belongs to an account already."""


class RecoveryOver(Exception):
    """Cancelled, refused, done, or too old."""


class AlreadyConfirmed(Exception):
    """This member of staff has confirmed it; another one has to."""


class OwnAccount(Exception):
    """Nobody confirms the recovery of their own account, or one that would be theirs."""


# --- open ------------------------------------------------------------------------------------------------------------


def begin_opening(*, asker: Asker, name: str, next_path: str) -> Challenge:
    """Prove the new contact of somebody who says to own the account of this name. Raises ChallengeOver."""
    key = _key(name)
    return begin(
        asker=asker,
        purpose=Purpose.RECOVER,
        digest=_opening_digest(key, asker.contact),
        next_path=next_path,
        summary={"account": key},
    )


def open_recovery(*, begun: Challenge, browser: str, ip: str | None, now: datetime | None = None) -> Recovery:
    """Open the recovery for which the new contact was proven. Raises grants.NoGrant, ContactTaken.

    ContactTaken is said before the account's name is looked at, to somebody who has proven the contact.
    """
    now = now or timezone.now()
    name, contact = begun.summary.get("account", ""), begun.contact
    with transaction.atomic():
        grants.use(
            browser=browser, purpose=Purpose.RECOVER, digest=_opening_digest(name, contact), contact=contact, now=now
        )
        limit, window = OPENINGS_A_NAME
        within = limits.take("recoveries for a name", name, limit=limit, window=window, now=now)
        if _is_taken(contact):
            raise ContactTaken
        user = _recoverable(name)
        opened = _insert(user if within else None, contact, now)
        audit.record(
            audit.Kind.RECOVERY_OPENED,
            user=opened.user,
            contact="" if opened.user else contact,
            ip=ip,
            to=mask(contact),
            recovery=opened.pk.hex,
        )
    return opened


def _insert(user: User | None, contact: str, now: datetime) -> Recovery:
    def create(owner: User | None) -> Recovery:
        return Recovery.objects.create(
            user=owner,
            contact=contact,
            language=translation.get_language() or "en",
            opened_at=now,
            effective_at=now + DELAY,
            expires_at=now + LIFE,
        )

    try:
        with transaction.atomic():
            return create(user)
    except IntegrityError:
        return create(None)  # one is open already; whoever asks learns nothing of it


# --- cancel ----------------------------------------------------------------------------------------------------------


def cancel_token(recovery: Recovery) -> str:
    """What the link in the notice carries: good for cancelling this recovery, and for nothing else."""
    return _signer.sign(urlsafe_b64encode(recovery.pk.bytes).decode().rstrip("="))


def recovery_of_token(token: str) -> Recovery | None:
    try:
        pk = UUID(bytes=urlsafe_b64decode(_signer.unsign(token) + "=="))
    except BadSignature:
        return None
    return Recovery.objects.filter(pk=pk).exclude(user=None).select_related("user").first()


def _way_to_cancel(event: SecurityEvent, message: Message) -> str:
    found = Recovery.objects.filter(pk=event.detail.get("recovery"), state=State.OPEN).first()
    return reverse("sign_in:cancel_recovery", args=[cancel_token(found)]) if found else ""


WAY_TO_CANCEL = WayBack(gettext_lazy("If it isn't you, cancel it:"), _way_to_cancel)


def open_recovery_of(user: User) -> Recovery | None:
    return Recovery.objects.filter(user=user, state=State.OPEN, expires_at__gt=timezone.now()).first()


def cancel(recovery: Recovery, *, ip: str | None = None, now: datetime | None = None) -> bool:
    """The owner says that it isn't meant. Of many at once one cancels. False where it was over already."""
    return _end(recovery, State.CANCELLED, actor=None, reason="", ip=ip, now=now or timezone.now())


def refuse(recovery: Recovery, *, actor: User, reason: str, ip: str | None = None, now: datetime | None = None) -> bool:
    """Staff don't believe it: one is enough. False where it was over already."""
    return _end(recovery, State.REFUSED, actor=actor, reason=reason, ip=ip, now=now or timezone.now())


def _end(
    recovery: Recovery, state: Recovery.State, *, actor: User | None, reason: str, ip: str | None, now: datetime
) -> bool:
    with transaction.atomic():
        if not Recovery.objects.filter(pk=recovery.pk, state=State.OPEN).update(state=state, ended_at=now):
            return False
        given: dict[str, Any] = {"reason": reason} if reason else {}
        event = audit.record(audit.Kind.RECOVERY_CANCELLED, user=recovery.user, actor=actor, ip=ip, **given)
        _tell_everywhere(recovery.user, event)
        _tell_contact(recovery, "over")
    return True


# --- confirm ---------------------------------------------------------------------------------------------------------


def confirmation_digest(recovery: Recovery, reason: str) -> bytes:
    return context_digest(Purpose.CONFIRM_RECOVERY, {"recovery": str(recovery.pk), "reason": reason})


def check_may_confirm(recovery: Recovery, staff: User, now: datetime | None = None) -> None:
    """Raises RecoveryOver, OwnAccount, AlreadyConfirmed."""
    if recovery.user is None or recovery.state != State.OPEN or recovery.expires_at <= (now or timezone.now()):
        raise RecoveryOver
    if recovery.user == staff or recovery.contact in _contacts_of(staff):
        raise OwnAccount
    if Confirmation.objects.filter(recovery=recovery, staff=staff).exists():
        raise AlreadyConfirmed


def confirm(
    recovery: Recovery, *, staff: User, reason: str, browser: str, ip: str | None = None, now: datetime | None = None
) -> None:
    """One member of staff's word, with a proof made for this recovery and this reason.

    Raises grants.NoGrant, RecoveryOver, OwnAccount, AlreadyConfirmed.
    """
    now = now or timezone.now()
    check_may_confirm(recovery, staff, now)
    with transaction.atomic():
        digest = confirmation_digest(recovery, reason)
        grants.use(browser=browser, purpose=Purpose.CONFIRM_RECOVERY, digest=digest, user=staff, now=now)
        try:
            with transaction.atomic():
                Confirmation.objects.create(recovery=recovery, staff=staff, reason=reason, at=now)
        except IntegrityError:
            raise AlreadyConfirmed from None
        alive = Recovery.objects.filter(pk=recovery.pk, state=State.OPEN, expires_at__gt=now)
        if not alive.update(confirmations=F("confirmations") + 1):
            raise RecoveryOver
        event = audit.record(audit.Kind.RECOVERY_CONFIRMED, user=recovery.user, actor=staff, ip=ip, reason=reason)
        _tell_everywhere(recovery.user, event)


# --- finish ----------------------------------------------------------------------------------------------------------


def begin_finishing(*, asker: Asker, next_path: str) -> Challenge:
    """Prove the new contact once more, when everything else is done. Raises ChallengeOver."""
    return begin(asker=asker, purpose=Purpose.RECOVER, digest=_finishing_digest(asker.contact), next_path=next_path)


def find_finishing_grant(*, contact: str, browser: str) -> Grant | None:
    return grants.find(browser=browser, purpose=Purpose.RECOVER, digest=_finishing_digest(contact), contact=contact)


def ready_recovery(contact: str, now: datetime | None = None) -> Recovery | None:
    """The recovery that whoever has proven this contact may finish now."""
    now = now or timezone.now()
    found = Recovery.objects.filter(_ready(now), contact=contact).select_related("user").order_by("opened_at").first()
    return found if found and _may_be_recovered(found.user) else None


def finish(*, contact: str, password: str, browser: str, ip: str | None, now: datetime | None = None) -> User:
    """The account is the new contact's, with a new password and no other way in. Nobody is signed in by that.

    Its sessions, trust and all that is under way end. Raises grants.NoGrant, NotReady, ContactTaken.
    """
    now = now or timezone.now()
    found = ready_recovery(contact, now)
    if found is None or found.user_id is None:
        raise NotReady
    with transaction.atomic():
        grants.use(
            browser=browser, purpose=Purpose.RECOVER, digest=_finishing_digest(contact), contact=contact, now=now
        )
        user = User.objects.select_for_update(no_key=True).get(pk=found.user_id)
        if not _may_be_recovered(user):
            raise NotReady
        if not Recovery.objects.filter(_ready(now), pk=found.pk).update(state=State.DONE, ended_at=now):
            raise NotReady
        event = audit.record(audit.Kind.RECOVERY_DONE, user=user, ip=ip, to=mask(contact))
        _tell_everywhere(user, event)  # before the channels are gone
        _end_what_was(user, now)
        _make_only_way(user, contact, now)
        user.set_password(password)
        unlock(user=user, ip=ip)
        user.reset_factor, user.reset_factor_rests_until, user.preferred_device = "", None, ""
        user.strong_payments_until = now + policy.STRONG_PAYMENTS_AFTER_RECOVERY
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError:
            raise ContactTaken from None
        attempts.forgive(f"user:{user.pk}")
    return user


def _end_what_was(user: User, now: datetime) -> None:
    """Nothing that anybody holds or has begun leads in any more: the link that undoes a change of e-mail neither."""
    end_all_of(user, now)
    Session.objects.filter(user=user).delete()
    TrustedBrowser.objects.filter(user=user, revoked_at=None).update(revoked_at=now)
    EmailChange.objects.filter(user=user, undone_at=None, undo_until__gt=now).update(undo_until=now)
    for factor in all_factors():
        factor.model._default_manager.filter(user=user).delete()


def _make_only_way(user: User, contact: str, now: datetime) -> None:
    """The old name goes as well: whoever has the lost phone or mailbox could reset the password with it."""
    if channel_of(contact) == Channel.EMAIL:
        user.email, user.phone = contact, None
        Mailbox.objects.create(user=user, address=contact, name="e-mail")
    else:
        user.email, user.phone = None, contact
        Phone.objects.create(
            user=user, number=contact, name="phone", approves_payments_from=now + policy.NEW_PHONE_REST
        )


# --- what the task does ----------------------------------------------------------------------------------------------


def advance(now: datetime | None = None) -> None:
    """Tell owners of what was opened, tell new contacts of what is ready, and close what is too old."""
    now = now or timezone.now()
    for recovery in Recovery.objects.filter(state=State.OPEN, told_at=None).exclude(user=None).select_related("user"):
        with transaction.atomic():
            if Recovery.objects.filter(pk=recovery.pk, state=State.OPEN, told_at=None).update(told_at=now):
                event = SecurityEvent.objects.get(
                    kind=audit.Kind.RECOVERY_OPENED, user=recovery.user, detail__recovery=recovery.pk.hex
                )
                _tell_everywhere(recovery.user, event)
    for recovery in Recovery.objects.filter(_ready(now), announced_at=None):
        with transaction.atomic():
            if Recovery.objects.filter(_ready(now), pk=recovery.pk, announced_at=None).update(announced_at=now):
                _tell_contact(recovery, "ready")
    Recovery.objects.filter(state=State.OPEN, expires_at__lte=now).update(state=State.EXPIRED, ended_at=now)


def _ready(now: datetime) -> Q:
    # Of its own columns only: a join would become a subquery, which PostgreSQL does not look at again after a wait.
    return Q(
        state=State.OPEN,
        user__isnull=False,
        confirmations__gte=CONFIRMATIONS,
        told_at__isnull=False,
        effective_at__lte=now,
        expires_at__gt=now,
    )


def _tell_everywhere(user: User | None, event: SecurityEvent) -> None:
    if user:
        tell_owner(user, event, everywhere=True, also=_names_of(user))


def _tell_contact(recovery: Recovery, step: str) -> None:
    queue_message(
        kind=Message.Kind.RECOVERY,
        channel=channel_of(recovery.contact),
        destination=recovery.contact,
        language=recovery.language,
        reference=f"{step} {recovery.pk.hex}",
    )


def _names_of(user: User) -> set[str]:
    return {name for name in (user.email, user.phone.as_e164 if user.phone else None) if name}


def _contacts_of(user: User) -> set[str]:
    mailboxes = {box.destination for box in Mailbox.objects.filter(user=user)}
    phones = {phone.destination for phone in Phone.objects.filter(user=user)}
    return _names_of(user) | mailboxes | phones


def _recoverable(name: str) -> User | None:
    try:
        user = User.objects.get_by_natural_key(name)
    except User.DoesNotExist:
        return None
    return user if _may_be_recovered(user) else None


def _may_be_recovered(user: User | None) -> bool:
    """Not staff: they get a new authenticator from somebody with access to the server (manage.py enrol_staff)."""
    return user is not None and user.is_active and not user.is_staff


def _is_taken(contact: str) -> bool:
    return User.objects.filter(Q(email=contact) if "@" in contact else Q(phone=contact)).exists()


def _key(name: str) -> str:
    """One key for all forms in which one name is typed."""
    typed = name.strip().lower()
    return typed if "@" in typed else parse_phone(typed) or typed


def _opening_digest(name: str, contact: str) -> bytes:
    return context_digest(Purpose.RECOVER, {"step": "open", "account": name, "contact": contact})


def _finishing_digest(contact: str) -> bytes:
    return context_digest(Purpose.RECOVER, {"step": "finish", "contact": contact})
