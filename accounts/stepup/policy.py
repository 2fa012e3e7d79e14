"""What is enough for what. The table is the policy; the functions below only apply it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django_otp.models import Device

from accounts.delivery import breaker, textable
from accounts.delivery.providers import providers_for
from accounts.factors.base import Factor, Strength
from accounts.factors.passkey import Passkey
from accounts.factors.registry import all_factors
from accounts.factors.registry import factor as factor_of
from accounts.factors.text import Phone
from accounts.phones import is_landline
from accounts.stepup.models import Purpose


class Person(StrEnum):
    GUEST = "guest"  # no account, or not yet: proves the contact that was typed
    SHOPPER = "shopper"
    STAFF = "staff"


@dataclass(frozen=True)
class Rule:
    least: Strength
    # How long a passed challenge may wait for its use.
    grant_life: timedelta
    # Whoever owns a factor of this strength has to use one of at least this strength.
    least_if_owned: Strength | None = None
    # A proof at sign-in that is strong enough and younger than this is enough; None asks every time.
    recent: timedelta | None = None


MINUTE = timedelta(minutes=1)

# Changes of the account: by whatever is at least as strong as a text, for whoever has such a factor.
_CHANGE = Rule(Strength.EMAIL, grant_life=10 * MINUTE, least_if_owned=Strength.TEXT)
_CHANGE_BY_STAFF = Rule(Strength.EMAIL, grant_life=10 * MINUTE, least_if_owned=Strength.AUTHENTICATOR)
# The same, where a proof of the last ten minutes is enough.
_LOOK = replace(_CHANGE, recent=10 * MINUTE)
_LOOK_BY_STAFF = replace(_CHANGE_BY_STAFF, recent=10 * MINUTE)

POLICY: dict[tuple[Purpose, Person], Rule] = {
    (Purpose.SIGN_UP, Person.GUEST): Rule(Strength.EMAIL, grant_life=30 * MINUTE),
    (Purpose.RESET_PASSWORD, Person.GUEST): Rule(Strength.EMAIL, grant_life=15 * MINUTE),
    # Instead of a password: the factor that is asked for afterwards is another one, where the person has one.
    # It is used up together with that one, for which a text may have to be waited for.
    (Purpose.SIGN_IN_BY_CODE, Person.GUEST): Rule(Strength.EMAIL, grant_life=15 * MINUTE),
    (Purpose.RECOVER, Person.GUEST): Rule(Strength.EMAIL, grant_life=15 * MINUTE),
    (Purpose.SIGN_IN, Person.SHOPPER): Rule(Strength.EMAIL, grant_life=2 * MINUTE),
    # Staff without an authenticator yet: in as a shopper, to enrol one; the admin and the console stay shut.
    (Purpose.SIGN_IN, Person.STAFF): Rule(Strength.EMAIL, grant_life=2 * MINUTE),
    (Purpose.STAFF_SIGN_IN, Person.STAFF): Rule(Strength.AUTHENTICATOR, grant_life=2 * MINUTE),
    (Purpose.CONFIRM_RECOVERY, Person.STAFF): Rule(Strength.AUTHENTICATOR, grant_life=5 * MINUTE),
    (Purpose.PAY, Person.GUEST): Rule(Strength.EMAIL, grant_life=15 * MINUTE),
    (Purpose.PAY, Person.SHOPPER): Rule(Strength.EMAIL, grant_life=15 * MINUTE),
    (Purpose.PAY, Person.STAFF): Rule(Strength.EMAIL, grant_life=15 * MINUTE, least_if_owned=Strength.AUTHENTICATOR),
    (Purpose.MANAGE_FACTORS, Person.SHOPPER): _LOOK,
    (Purpose.MANAGE_FACTORS, Person.STAFF): _LOOK_BY_STAFF,
    # The new e-mail or phone proves itself; the change of it has a proof of its own.
    (Purpose.NEW_CONTACT, Person.SHOPPER): Rule(Strength.EMAIL, grant_life=10 * MINUTE),
    (Purpose.NEW_CONTACT, Person.STAFF): Rule(Strength.EMAIL, grant_life=10 * MINUTE),
    (Purpose.CHANGE_EMAIL, Person.SHOPPER): _CHANGE,
    (Purpose.CHANGE_EMAIL, Person.STAFF): _CHANGE_BY_STAFF,
    (Purpose.CHANGE_PHONE, Person.SHOPPER): _CHANGE,
    (Purpose.CHANGE_PHONE, Person.STAFF): _CHANGE_BY_STAFF,
    (Purpose.CHANGE_PASSWORD, Person.SHOPPER): _CHANGE,
    (Purpose.CHANGE_PASSWORD, Person.STAFF): _CHANGE_BY_STAFF,
    (Purpose.CHANGE_ADDRESSES, Person.SHOPPER): _LOOK,
    (Purpose.CHANGE_ADDRESSES, Person.STAFF): _LOOK_BY_STAFF,
    (Purpose.VIEW_PAYMENT_DETAILS, Person.SHOPPER): _LOOK,
    (Purpose.VIEW_PAYMENT_DETAILS, Person.STAFF): _LOOK_BY_STAFF,
    # A guest's own order, by the contact that approved its payment.
    (Purpose.VIEW_PAYMENT_DETAILS, Person.GUEST): Rule(Strength.EMAIL, grant_life=10 * MINUTE),
    (Purpose.EXPORT_DATA, Person.SHOPPER): _CHANGE,
    (Purpose.EXPORT_DATA, Person.STAFF): _CHANGE_BY_STAFF,
    (Purpose.CLOSE_ACCOUNT, Person.SHOPPER): _CHANGE,
    (Purpose.CLOSE_ACCOUNT, Person.STAFF): _CHANGE_BY_STAFF,
    # What payments are asked for: beside the right to change it, a fresh proof.
    (Purpose.CHANGE_POLICY, Person.STAFF): Rule(Strength.AUTHENTICATOR, grant_life=10 * MINUTE, recent=10 * MINUTE),
}

STAFF_LEVEL_LIFE = timedelta(hours=12)  # how long a staff sign-in opens the admin and the support console
NEW_PHONE_REST = timedelta(hours=72)  # a phone added to a living account does not approve payments for so long
STRONG_PAYMENTS_AFTER_RECOVERY = timedelta(hours=24)  # payments need an authenticator or a passkey for so long
REST_AFTER_RESET = timedelta(hours=72)  # nor does the factor that reset the password prove anything for so long
STRONG_PAYMENT = Strength.AUTHENTICATOR  # what a payment needs for a while after a recovery


class NoFactor(Exception):
    """The person has no factor that is enough for the purpose now. The text says why, and what to do."""


class Locked(NoFactor):
    """The owner locked the account: nothing is proven to it until a new password was chosen."""

    def __init__(self) -> None:
        super().__init__(_("This account is locked by its owner. Choose a new password to open it again."))


@dataclass(frozen=True)
class Offer:
    """One factor that a person may use now."""

    factor: Factor
    device: Device

    @property
    def destination(self) -> str:
        """Where its codes go; "" for an app or a backup code."""
        return getattr(self.device, "destination", "")

    @property
    def key(self) -> str:
        return key_of(self.factor, self.device.persistent_id)


def key_of(factor: Factor, device_id: str) -> str:
    """A way as User.preferred_device names it: a phone is texted or called, so the device alone would not tell.

    Each place to which a code may be sent is a way of its own; of what takes any device, one stands for all.
    """
    return factor.code if factor.takes_any_device else f"{factor.code}:{device_id}"


def person(user: Any) -> Person:
    if user is None:
        return Person.GUEST
    return Person.STAFF if user.is_staff else Person.SHOPPER


def rule(purpose: str, user: Any) -> Rule:
    """Raises KeyError for a purpose that this kind of person has no business with: unstated is refused."""
    return POLICY[Purpose(purpose), person(user)]


def must_verify(purpose: str) -> bool:
    """Must a passkey's device check who holds it? Only behind a password that was just typed it need not."""
    return purpose != Purpose.SIGN_IN


def owns_strong(user: Any, purpose: str) -> bool:
    """Has the person an authenticator, or a passkey that is good for this purpose?"""
    return any(offer.factor.strength >= Strength.AUTHENTICATOR for offer in _fitting(user, purpose))


def needed_strength(purpose: str, user: Any) -> Strength:
    stated = rule(purpose, user)
    having = _fitting(user, purpose) if user else []
    best = max((offer.factor.strength for offer in having), default=stated.least)
    if stated.least_if_owned and best >= stated.least_if_owned:
        return max(stated.least, stated.least_if_owned)
    return stated.least


def offers(user: Any, purpose: str, now: datetime, at_least: int | None = None, without: str = "") -> list[Offer]:
    """The factors this person may use for this purpose now, in the order in which they are offered: what the person
    prefers, if it is allowed at all, then the strongest; last what goes by a provider that is failing now, and texts to
    a number that gets none.

    `at_least` is what this one challenge asks for beyond the table (Challenge.least); `without` is the phone or mailbox
    that has proven something already (Challenge.first_contact). Raises NoFactor with the reason where there is none.
    """
    least = max(needed_strength(purpose, user), at_least or Strength.EMAIL)
    others = [offer for offer in _fitting(user, purpose) if not without or offer.destination != without]
    fitting = [offer for offer in others if offer.factor.strength >= least]
    allowed = []
    rests = ""
    for offer in fitting:
        if why := _rests(offer, user, purpose, now):
            rests = why
        else:
            allowed.append(offer)
    if not allowed:
        why = rests or _after_recovery(user, purpose, now)
        raise NoFactor(why or _("You have nothing set up yet that is strong enough for this."))
    failing = breaker.left_alone(now)
    untexted = textable.reasons((offer.destination for offer in allowed if offer.factor.code == "text"), now)
    return sorted(
        in_order(allowed, user.preferred_device),
        key=lambda offer: (
            offer.factor.code == "text" and offer.destination in untexted,
            bool(failing and offer.factor.channel) and _fails(offer.factor, failing),
        ),
    )


def _fails(factor: Factor, failing: set[str]) -> bool:
    """All who could carry its codes do."""
    return all(provider.name in failing for provider in providers_for(factor.channel or ""))


def in_order(offers: list[Offer], preferred: str) -> list[Offer]:
    """What the person prefers, then the strongest."""
    return sorted(
        offers,
        key=lambda offer: (
            offer.key != preferred,
            _texts_a_landline(offer.factor, offer.destination),
        ),
    )


def contact_ways(contact: str) -> list[Factor]:
    """The factors that prove a bare contact, in the order in which they are offered."""
    codes = ("email",) if "@" in contact else ("text", "call")
    ways = [factor for factor in map(factor_of, codes) if factor.is_offered()]
    untexted = textable.reasons([] if "@" in contact else [contact])
    return sorted(ways, key=lambda way: way.code == "text" and (contact in untexted or is_landline(contact)))


def _texts_a_landline(factor: Factor, destination: str) -> bool:
    """Comes last: hardly a landline gets texts, and it can be called."""
    return factor.code == "text" and is_landline(destination)


def owned(user: Any) -> list[Offer]:
    """All that this person has, whatever it is good for."""
    return [Offer(factor, device) for factor in all_factors() for device in factor.get_devices(user)]


def _fitting(user: Any, purpose: str) -> list[Offer]:
    """Without the passkeys whose device checks nobody, where that is needed."""
    return [
        offer
        for offer in owned(user)
        if not (isinstance(offer.device, Passkey) and must_verify(purpose) and not offer.device.user_verified)
    ]


def _rests(offer: Offer, user: Any, purpose: str, now: datetime) -> str:
    """Why this factor, strong enough as it is, does not serve at the moment; "" where it does."""
    if user.rests_after_reset(offer.factor.rests_as, now):
        words = {
            "email": _(
                "Your password was reset by e-mail, so a code by e-mail is not enough until %(time)s. "
                "Use another way, or wait until then."
            ),
            "text": _(
                "Your password was reset by text or call, so a code to your phone is not enough until %(time)s. "
                "Use another way, or wait until then."
            ),
        }
        return words[offer.factor.rests_as] % {"time": _time(user.reset_factor_rests_until)}
    if offer.factor.strength < STRONG_PAYMENT and (why := _after_recovery(user, purpose, now)):
        return why
    if isinstance(offer.device, Phone) and purpose == Purpose.PAY and offer.device.approves_payments_from > now:
        return _(
            "Your phone number is new here. To keep swapped SIM cards out, it can approve payments from %(time)s on. "
            "Until then, use another way."
        ) % {"time": _time(offer.device.approves_payments_from)}
    return ""


def _after_recovery(user: Any, purpose: str, now: datetime) -> str:
    """Why a payment needs a strong factor for now, "" where it doesn't."""
    until = user.strong_payments_until
    if purpose != Purpose.PAY or until is None or until <= now:
        return ""
    return _(
        "Your account was recovered lately, so until %(time)s a payment needs an authenticator app or a passkey. "
        "Use one of them, or wait until then. You can set one up under Account, Security."
    ) % {"time": _time(until)}


def _time(moment: datetime) -> str:
    return date_format(localtime(moment), "j F Y, H:i")
