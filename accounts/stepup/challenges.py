"""Challenges: begun, sent, answered.

Each decision is one conditional UPDATE; the checks in Python only choose the words.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Least
from django.utils import timezone
from django.utils.translation import gettext as _
from django_otp.models import Device

from accounts import audit
from accounts.delivery import budgets
from accounts.delivery.models import Channel, Message
from accounts.delivery.models import State as MessageState
from accounts.delivery.services import queue_message
from accounts.factors.backup_code import few_left
from accounts.factors.base import Factor, NotVerified, Strength
from accounts.factors.notices import tell_owner
from accounts.factors.passkey import Refused, Signed
from accounts.factors.registry import factor as factor_of
from accounts.models import User
from accounts.stepup import attempts, codes, passkeys, policy
from accounts.stepup.credentials import credentials_of, credentials_under_each_key, has_kept_credentials
from accounts.stepup.models import Challenge, Grant, Purpose
from accounts.stepup.wrong_codes import tell_of_wrong_codes

logger = logging.getLogger(__name__)

State = Challenge.State

# So long a code may take to come; then the page offers another way, which need not wait for the cooldown either.
ANOTHER_WAY_AFTER = timedelta(seconds=25)

# What is asked by e-mail or phone, before anybody is known, and yet is about the account that has it.
ABOUT_AN_ACCOUNT = {Purpose.SIGN_UP, Purpose.SIGN_IN_BY_CODE, Purpose.RESET_PASSWORD, Purpose.RECOVER}


class ChallengeOver(Exception):
    """Passed already, replaced, out of time, or out of attempts: a new challenge is needed."""


class NotYours(Exception):
    """The challenge belongs to another browser, person, purpose or order. Costs its owner nothing."""


class MalformedCode(Exception):
    """What was typed can't be a code at all; no attempt is taken."""


class WrongCode(Exception):
    def __init__(self, attempts_left: int) -> None:
        super().__init__()
        self.attempts_left = attempts_left


class Unverified(WrongCode):
    """The right passkey, whose device did not check who holds it."""


class TooSoon(Exception):
    """The next send is possible at `at`."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at


class NoMoreSends(Exception):
    """The sends of this challenge are used up, or a budget says no (budgets.Why)."""

    def __init__(self, why: budgets.Why = budgets.Why.MANY) -> None:
        super().__init__()
        self.why = why


class NothingToSend(NoMoreSends):
    """The code of this factor is in an app or on paper; there is no message that could carry it."""


@dataclass(frozen=True)
class Asker:
    """Who asks, and from where: what a view knows of its visitor.

    A person with an account, or the contact that somebody without one typed. Both are set only where an account that
    has no factor yet proves its own e-mail or phone.
    """

    browser: str
    user: User | None = None
    contact: str = ""
    ip: str | None = None


def channel_of(contact: str) -> Channel:
    return Channel.EMAIL if "@" in contact else Channel.TEXT


def begin(
    *,
    asker: Asker,
    purpose: str,
    digest: bytes,
    next_path: str,
    summary: Mapping[str, str] | None = None,
    decoy: bool = False,
    factor: str | None = None,
    device_id: str = "",
    least: int | None = None,
    reasons: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
    without: str = "",
    now: datetime | None = None,
) -> Challenge:
    """The live challenge of this browser for exactly this, or a new one, whose code is then on its way.

    By `factor` and `device_id` where the person may use them, else by what is offered first.

    Any other live challenge of this browser for the purpose is superseded. Asking again (a reload, the back button, a
    second tab) gives the same challenge and sends nothing. `least` is the strength that this one needs beyond the
    policy table, with the reasons and the facts that said so; `without` is the phone or mailbox that took the place of
    the password. Raises policy.NoFactor.
    """
    now = now or timezone.now()
    policy.rule(purpose, asker.user)
    if asker.user and asker.user.locked_at:
        raise policy.Locked
    if asker.user and not asker.contact:
        offers = policy.offers(asker.user, purpose, now, least, without)
        of_factor = [offer for offer in offers if offer.factor.code == factor] or offers[:1]
        offer = next((offer for offer in of_factor if offer.device.persistent_id == device_id), of_factor[0])
        chosen, device_id = offer.factor.code, offer.device.persistent_id
        usable = [offer.device.persistent_id for offer in offers]
    else:  # a guest, or an account without a factor yet, which proves its own contact
        ways = [way.code for way in policy.contact_ways(asker.contact)]
        chosen, device_id = factor if factor in ways else ways[0], ""
        usable = [""]
    mine = Challenge.objects.filter(browser=asker.browser, purpose=purpose, state=State.LIVE)
    same = mine.filter(
        user=asker.user,
        contact=asker.contact,
        context_digest=digest,
        decoy=decoy,
        first_contact=without,
        least=least,
        # One that its person can no longer pass is replaced: the password was changed, or the device removed.
        credentials__in=credentials_under_each_key(asker.user),
        device_id__in=usable,
        expires_at__gt=now,
        attempts_left__gt=0,
    )
    with transaction.atomic():
        one_at_a_time(asker.browser, purpose)
        if alive := same.first():
            if alive.next_path != next_path:  # asked from another page: that is where the person wants to go
                same.update(next_path=next_path)
                alive.next_path = next_path
            return alive
        mine.update(state=State.SUPERSEDED)
        challenge = Challenge.objects.create(
            user=asker.user,
            contact=asker.contact,
            decoy=decoy,
            first_contact=without,
            browser=asker.browser,
            purpose=purpose,
            context_digest=digest,
            summary=dict(summary or {}),
            next_path=next_path,
            least=least,
            reasons=list(reasons),
            facts=facts,
            credentials=credentials_of(asker.user),
            factor=chosen,
            device_id=device_id,
            code_key=codes.current_key_id(),
            attempts_left=settings.CODE_ATTEMPTS,
            requested_at=now,
            expires_at=now + settings.CHALLENGE_LIFE,
        )
    if factor_of(chosen).channel:
        try:
            send(challenge, asker=asker, factor=chosen, now=now)
        except (TooSoon, NoMoreSends, ChallengeOver):
            pass  # the page says so, and offers what is left; it is over if another tab asked for something else
    return challenge


def send(
    challenge: Challenge,
    *,
    asker: Asker,
    factor: str,
    device_id: str = "",
    actor: User | None = None,
    reason: str = "",
    now: datetime | None = None,
) -> Message:
    """Send the challenge's code, the same one as before, by this factor; to this device, if the person has several.

    One conditional UPDATE takes the send, so a hundred presses give as many messages as the cooldown allows.
    Raises NotYours, ChallengeOver, TooSoon, NoMoreSends, policy.NoFactor.
    """
    now = now or timezone.now()
    _check_mine(challenge, asker)
    used, device = _usable(challenge, factor, now, device_id)
    if not used.channel:
        raise NothingToSend
    destination = device.destination if device else challenge.contact
    given: dict[str, Any] = {"reason": reason} if reason else {}
    other = _last_elsewhere(challenge, Channel(used.channel), destination, now)
    asked_for = challenge.sends - _unasked(challenge)
    gap = settings.SEND_GAPS[min(asked_for, len(settings.SEND_GAPS) - 1)]
    wanted = _asked_for(used.channel, destination, asker, proven=device is not None)
    with _within(wanted, now), transaction.atomic():
        taken = Challenge.objects.filter(
            _waited(other, now),
            pk=challenge.pk,
            state=State.LIVE,
            sends=challenge.sends,
            sends__lt=settings.SENDS_PER_CHALLENGE,
            attempts_left__gt=0,
            expires_at__gt=now,
        ).update(
            sends=F("sends") + 1,
            asked_at=now,
            next_send_at=now + gap,
            factor=used.code,
            device_id=device.persistent_id if device else "",
            # PostgreSQL's LEAST passes over NULL.
            weakest_sent=Least("weakest_sent", Value(int(used.strength))),
        )
        if not taken:
            raise _why_not_sent(challenge, other is not None, now)
        budgets.take(wanted, now)
        message = queue_message(
            kind=Message.Kind.EXPLANATION if challenge.decoy else Message.Kind.CODE,
            channel=Channel(used.channel),
            destination=destination,
            user=challenge.user or _account_of(challenge),
            challenge_id=challenge.pk,
            send_number=challenge.sends + 1,
        )
        audit.record(
            audit.Kind.CODE_RESENT_BY_SUPPORT if actor else audit.Kind.CODE_SENT,
            user=challenge.user,
            contact=challenge.contact,
            actor=actor,
            purpose=challenge.purpose,
            factor=used.code,
            to=message.masked_destination,
            **given,
        )
    challenge.refresh_from_db()
    return message


def send_instead(message: Message, provider: str, now: datetime) -> bool:
    """The same code unasked, by another provider, since nobody knows whether this message arrives (failover.py).

    It is one of the challenge's sends, and of its destination's; when the person may ask again stays as it was.
    Called in a transaction, which is rolled back if this gives False.
    """
    challenge = Challenge.objects.get(messages=message)
    taken = Challenge.objects.filter(
        pk=challenge.pk,
        state=State.LIVE,
        sends=challenge.sends,
        sends__lt=settings.SENDS_PER_CHALLENGE,
        attempts_left__gt=0,
        expires_at__gt=now,
    ).update(sends=F("sends") + 1)
    owner = Asker(browser=challenge.browser, user=challenge.user, contact=challenge.contact)
    if not taken or not within_budget(message.destination, owner, now, again=True):
        return False
    queue_message(
        kind=Message.Kind(message.kind),
        channel=Channel(message.channel),
        destination=message.destination,
        user=message.user,
        language=message.language,
        challenge_id=challenge.pk,
        send_number=challenge.sends + 1,
        instead_of=message,
        provider=provider,
    )
    audit.record(
        audit.Kind.CODE_SENT,
        user=challenge.user,
        contact=challenge.contact,
        purpose=challenge.purpose,
        factor=challenge.factor,
        to=message.masked_destination,
    )
    return True


def resend_for(challenge: Challenge, *, actor: User, reason: str, now: datetime | None = None) -> Message:
    """Support sends a live challenge's code again, to where it was going; the cooldown and the budgets hold.

    Raises what `send` raises.
    """
    owner = Asker(browser=challenge.browser, user=challenge.user, contact=challenge.contact)
    return send(challenge, asker=owner, factor=challenge.factor, actor=actor, reason=reason, now=now)


def choose(
    challenge: Challenge, *, asker: Asker, factor: str, device_id: str = "", now: datetime | None = None
) -> Message | None:
    """Go on with another factor or device: a code is sent, or the app or backup code is asked for on the page.

    A code that went there already needs no second send, so a person may come back to it at any time.
    Raises what `send` raises.
    """
    now = now or timezone.now()
    _check_mine(challenge, asker)
    used, device = _usable(challenge, factor, now, device_id)
    if used.channel:
        try:
            return send(challenge, asker=asker, factor=factor, device_id=device_id, now=now)
        except (TooSoon, NoMoreSends):
            if not _is_with(challenge, used, device.destination if device else challenge.contact):
                raise
    Challenge.objects.filter(pk=challenge.pk, state=State.LIVE).update(
        factor=used.code, device_id=device.persistent_id if device else ""
    )
    challenge.refresh_from_db()
    return None


def answer(
    challenge_id: UUID, *, asker: Asker, purpose: str, digest: bytes, code: str, now: datetime | None = None
) -> Grant:
    """Compare a typed code, or check a passkey's signature; if it is right, pass the challenge and write its grant.

    The attempt is paid for before the code is compared, and one more conditional UPDATE decides who passes; of twenty
    equal posts one wins. Raises NotYours, MalformedCode, ChallengeOver, attempts.FactorResting, WrongCode,
    Unverified.
    """
    now = now or timezone.now()
    challenge = Challenge.objects.select_related("user").filter(pk=challenge_id).first()
    if challenge is None or challenge.purpose != purpose or bytes(challenge.context_digest) != digest:
        raise NotYours
    _check_mine(challenge, asker)
    try:
        used, device = _usable(challenge, challenge.factor, now)
    except policy.NoFactor:
        raise ChallengeOver from None
    typed = used.normalise(code)
    if typed is None:
        raise MalformedCode
    paid = Challenge.objects.filter(pk=challenge.pk, state=State.LIVE, attempts_left__gt=0, expires_at__gt=now).update(
        attempts_left=F("attempts_left") - 1
    )
    if not paid:
        raise ChallengeOver
    try:
        counted = attempts.pay(challenge.subject, used.rests_as, now)
    except attempts.FactorResting:
        Challenge.objects.filter(pk=challenge.pk, state=State.LIVE).update(attempts_left=F("attempts_left") + 1)
        raise
    if used.channel and not _is_derived_code(challenge, typed):
        raise _wrong(challenge, used, asker.ip, now)
    signed, verified = None, True
    with transaction.atomic():
        won = Challenge.objects.filter(pk=challenge.pk, state=State.LIVE).update(state=State.PASSED, passed_at=now)
        matched = device
        if won and not used.typed:
            try:
                signed = passkeys.accept(challenge, typed, now)
            except Refused:
                pass
            except NotVerified:
                verified = False
            matched = signed.passkey if signed else None
        elif won and device and not used.channel:
            matched = used.verify(device, typed, now)
        if won and (used.channel or matched):
            challenge.refresh_from_db()
            if matched and matched.persistent_id != challenge.device_id:
                challenge.device_id = matched.persistent_id
                challenge.save(update_fields=["device_id"])
            strength = _worth(challenge, used, signed)
            grant = Grant.objects.create(
                challenge=challenge,
                user=challenge.user,
                contact=challenge.contact,
                browser=challenge.browser,
                purpose=purpose,
                context_digest=digest,
                factor=used.code,
                strength=strength,
                granted_at=now,
                expires_at=now + policy.rule(purpose, challenge.user).grant_life,
            )
            if signed:
                passkeys.keep(grant, signed)
            own_failures = settings.CODE_ATTEMPTS - challenge.attempts_left - 1
            attempts.passed(challenge.subject, counted, own_failures)
            audit.record(
                audit.Kind.PROOF_PASSED,
                user=challenge.user,
                contact=challenge.contact,
                purpose=purpose,
                factor=used.code,
                **({"name": matched.name} if used.takes_any_device and matched and matched.name else {}),
            )
            _tell_if_few_are_left(used, challenge.user)
            if used.channel in (Channel.TEXT, Channel.CALL):
                budgets.typed(challenge.messages.exclude(channel=Channel.EMAIL), ip=asker.ip, now=now)
            return grant
        transaction.set_rollback(True)
    if not won:
        attempts.not_compared(challenge.subject, counted)
        raise ChallengeOver
    wrong = _wrong(challenge, used, asker.ip, now)
    raise wrong if verified else Unverified(wrong.attempts_left)


def start_clock(challenge_id: UUID, handed_over_at: datetime) -> None:
    """The code's clock starts when the carrier has it, and never runs beyond the challenge's own life."""
    for challenge in Challenge.objects.filter(pk=challenge_id, state=State.LIVE).select_for_update():
        challenge.expires_at = min(
            handed_over_at + settings.CODE_LIFE, challenge.requested_at + settings.CHALLENGE_LIFE
        )
        challenge.save(update_fields=["expires_at"])


def end_all_of(user: User, now: datetime) -> None:
    """Nothing that this person asked for or has proven counts any more; a reset of the password under way neither.

    Challenges first: an answer at the same moment is either too late, or its grant is there to be voided.
    """
    contacts = [contact for contact in (user.email, user.phone.as_e164 if user.phone else None) if contact]
    theirs = Q(user=user) | Q(user=None, contact__in=contacts, purpose=Purpose.RESET_PASSWORD)
    Challenge.objects.filter(theirs, state=State.LIVE).update(state=State.SUPERSEDED)
    Grant.objects.filter(theirs, used_at=None, expires_at__gt=now).update(expires_at=now)


def is_over(challenge: Challenge, now: datetime) -> bool:
    return challenge.state != State.LIVE or challenge.expires_at <= now or challenge.attempts_left == 0


def one_at_a_time(browser: str, purpose: str) -> None:
    """A lock until the end of the transaction.

    Without it, of two requests at once the second sees no live challenge, waits for the first one's, replaces that,
    and sends another code; the constraint on live challenges does not stop it.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"challenge {purpose} {browser}"])


def _check_mine(challenge: Challenge, asker: Asker) -> None:
    same_person = challenge.user_id == (asker.user.pk if asker.user else None) and challenge.contact == asker.contact
    if challenge.browser != asker.browser or not same_person:
        raise NotYours
    if challenge.user and not (challenge.user.is_active and has_kept_credentials(challenge, challenge.user)):
        raise ChallengeOver


def _usable(challenge: Challenge, factor: str, now: datetime, device_id: str = "") -> tuple[Factor, Device | None]:
    """The factor and the device for this challenge, checked against the policy as it stands now.

    `device_id` is what the page posted: it has to be one of those that are offered to this person.
    """
    if challenge.contact:
        way = next((way for way in policy.contact_ways(challenge.contact) if way.code == factor), None)
        if way is None:
            raise NotYours
        return way, None
    allowed = policy.offers(challenge.user, challenge.purpose, now, challenge.least, challenge.first_contact)
    offers = [o for o in allowed if o.factor.code == factor]
    if not offers:
        raise ChallengeOver  # removed, or no longer enough
    by_id = {offer.device.persistent_id: offer for offer in offers}
    if device_id and device_id not in by_id:
        raise policy.NoFactor(_("That way is not one of yours any more. Please use another."))
    offer = by_id.get(device_id or challenge.device_id, offers[0])
    # The code of a challenge is with the device it was sent to; an app's code may be of any of one's apps.
    bound = challenge.factor == factor and not device_id and not offer.factor.takes_any_device
    if bound and offer.device.persistent_id != challenge.device_id:
        raise ChallengeOver
    return offer.factor, offer.device


def _unasked(challenge: Challenge) -> int:
    """How many of its sends were failover's."""
    return Message.objects.filter(challenge=challenge, instead_of__isnull=False).count() if challenge.sends else 0


def _is_with(challenge: Challenge, used: Factor, destination: str) -> bool:
    """Did the last message on this channel bring the code there?"""
    sent = Message.objects.filter(challenge=challenge, channel=used.channel).order_by("-send_number").first()
    return sent is not None and sent.destination == destination


def _account_of(challenge: Challenge) -> User | None:
    """The account a bare contact's challenge is about, so that its owner finds the message among those we sent.

    A guest has none, whoever else has the same number. Looked up for known and unknown contacts alike.
    """
    if challenge.purpose not in ABOUT_AN_ACCOUNT:
        return None
    try:
        return User.objects.get_by_natural_key(challenge.contact)
    except User.DoesNotExist:
        return None


def _is_derived_code(challenge: Challenge, typed: str) -> bool:
    try:
        code = codes.derive_code(challenge.code_key, challenge.pk, challenge.purpose, bytes(challenge.context_digest))
    except codes.UnknownCodeKey:
        raise ChallengeOver from None
    # A decoy, or a code that was never sent, can't be right, not even by a lucky guess.
    return codes.same(typed, code) and not challenge.decoy and challenge.sends > 0


def _tell_if_few_are_left(used: Factor, user: User | None) -> None:
    left = used.left(user)
    if user and left is not None and few_left(left):
        tell_owner(user, audit.record(audit.Kind.BACKUP_CODES_LOW, user=user, factor=used.code, left=left))


def _worth(challenge: Challenge, used: Factor, signed: Signed | None) -> Strength:
    if signed:
        return passkeys.worth(signed)
    return Strength(challenge.weakest_sent) if used.channel and challenge.weakest_sent else used.strength


def _wrong(challenge: Challenge, used: Factor, ip: str | None, now: datetime) -> WrongCode:
    """Count and record a wrong code, and close the challenge with its last attempt."""
    audit.record(
        audit.Kind.PROOF_FAILED,
        user=challenge.user,
        contact=challenge.contact,
        ip=ip,
        purpose=challenge.purpose,
        factor=used.code,
    )
    if challenge.user:
        tell_of_wrong_codes(challenge.user, ip=ip, now=now)
    if attempts.failed(challenge.subject, used.rests_as, now):
        event = audit.record(
            audit.Kind.FACTOR_RESTING, user=challenge.user, contact=challenge.contact, ip=ip, factor=used.code
        )
        if challenge.user:
            tell_owner(challenge.user, event)
    Challenge.objects.filter(pk=challenge.pk, state=State.LIVE, attempts_left=0).update(state=State.USED_UP)
    challenge.refresh_from_db()
    return WrongCode(challenge.attempts_left)


def _last_elsewhere(challenge: Challenge, channel: Channel, destination: str, now: datetime) -> Message | None:
    """The last message, if the cooldown still runs and this send would go another way than that one did."""
    if challenge.next_send_at is None or challenge.next_send_at <= now:
        return None
    last = Message.objects.filter(challenge=challenge).order_by("-send_number").first()
    return None if last is None or (last.channel, last.destination) == (channel, destination) else last


def _waited(other: Message | None, now: datetime) -> Q:
    """Whether the next send may leave, as a condition on the challenge's row.

    After the cooldown; by another way once nothing has come for a while, and at once where the other one failed, which
    it does for ever.
    """
    if other and other.state == MessageState.FAILED:
        return Q()
    waited = Q(next_send_at=None) | Q(next_send_at__lte=now)
    return waited | Q(asked_at__lte=now - ANOTHER_WAY_AFTER) if other else waited


def _why_not_sent(challenge: Challenge, another_way: bool, now: datetime) -> Exception:
    challenge.refresh_from_db()
    if is_over(challenge, now):
        return ChallengeOver()
    if challenge.sends >= settings.SENDS_PER_CHALLENGE:
        return NoMoreSends()
    at = challenge.next_send_at or now
    if another_way and challenge.asked_at:
        at = min(at, challenge.asked_at + ANOTHER_WAY_AFTER)
    return TooSoon(at)


def within_budget(destination: str, asker: Asker, now: datetime, *, again: bool = False) -> bool:
    """For a message that nobody asks for on a challenge's page. What was sent once may be sent `again` to a prefix that
    was stopped meanwhile."""
    try:
        wanted = _asked_for(channel_of(destination), destination, asker, proven=again)
        with _within(wanted, now):
            budgets.take(wanted, now)
    except NoMoreSends:
        return False
    return True


def _asked_for(channel: str, destination: str, asker: Asker, *, proven: bool) -> budgets.Send:
    account = asker.user.pk if asker.user else None
    return budgets.Send(channel, destination, account, asker.browser, asker.ip, proven)


@contextmanager
def _within(wanted: budgets.Send, now: datetime) -> Iterator[None]:
    """A refusal of the budgets in our words, and its alarm, when what is inside has been rolled back."""
    try:
        yield
    except budgets.NotToBeSent as refusal:
        budgets.ring(refusal, now)
        if refusal.alarms:
            logger.warning("A budget is used up (%s); asked for from %s.", ", ".join(refusal.alarms), wanted.ip)
        raise NoMoreSends(refusal.why) from None
