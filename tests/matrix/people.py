"""The people of the matrix, and what the policy table says about each of them, worked out a second time.

A new factor joins by a line in GIVE (and in PROVE, where people type a code for it); nothing else is by name.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import BackupCode, make_backup_codes
from accounts.factors.base import Strength
from accounts.factors.email import Mailbox
from accounts.factors.registry import all_factors
from accounts.factors.text import Phone
from accounts.models import User
from accounts.stepup import passkeys
from accounts.stepup.models import Purpose
from accounts.stepup.policy import POLICY, Person
from tests.accounts.sign_in.steps import app_code
from tests.codes import code_of
from tests.passkeys import passkey_of
from tests.people import PASSWORD
from tests.software_authenticator import SoftwareAuthenticator

_numbers = count(1)

LONG_AGO = timedelta(days=9)


def _phone(user: User) -> None:
    Phone.objects.get_or_create(
        user=user, number=user.phone, defaults={"approves_payments_from": timezone.now() - LONG_AGO}
    )


_papers: dict[int, str] = {}  # a backup code of each person
_keys: dict[int, SoftwareAuthenticator] = {}  # and a passkey


def _backup_codes(user: User) -> None:
    _papers[user.pk] = make_backup_codes(user)[0]


def _backup_code_again(user: User) -> str:
    """The same one, as if it had not been crossed out: ten are too few for the matrix."""
    BackupCode.objects.filter(set_id__in=user.backup_code_sets.values("pk")).update(used_at=None)
    return _papers[user.pk]


_keys: dict[int, SoftwareAuthenticator] = {}  # a passkey of each person


def _passkey(user: User) -> None:
    _keys[user.pk] = passkey_of(user)


def _signed(challenge: Any) -> str:
    return _keys[challenge.user_id].sign(passkeys.options_for(challenge))


# How a person gets each factor. A call and a text are one phone.
GIVE: dict[str, Callable[[User], Any]] = {
    "email": lambda user: Mailbox.objects.create(user=user, address=user.email),
    "text": _phone,
    "call": _phone,
    "authenticator": lambda user: Authenticator.objects.create(user=user, name="app"),
    "backup_code": _backup_codes,
    "passkey": _passkey,
}
COMES_WITH = {"text": {"call"}, "call": {"text"}}

# What a person types for each factor, or a passkey signs; `code_of` is the code that was sent.
PROVE: dict[str, Callable[[Any, datetime], str]] = {
    "email": lambda challenge, now: code_of(challenge),
    "text": lambda challenge, now: code_of(challenge),
    "call": lambda challenge, now: code_of(challenge),
    "authenticator": lambda challenge, now: app_code(challenge.user, now),
    "backup_code": lambda challenge, now: _backup_code_again(challenge.user),
    "passkey": lambda challenge, now: _signed(challenge),
}

FACTORS = tuple(GIVE)
STRENGTH = {factor.code: factor.strength for factor in all_factors()}


@dataclass(frozen=True)
class Someone:
    """A kind of person: what they own, and what happened to the account."""

    owns: frozenset[str]
    staff: bool = False
    # Something that happened: fields of the account, which of the factors rest, and for which purposes.
    happened: str = ""
    account: dict[str, Any] = field(default_factory=dict, hash=False)
    rests: frozenset[str] = frozenset()
    only_for: frozenset[str] = frozenset(Purpose.values)
    phone_pays_in: timedelta = -LONG_AGO
    least: dict[str, Strength] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        what = "everything" if self.owns == frozenset(FACTORS) else "+".join(sorted(self.owns)) or "nothing"
        return "-".join(filter(None, ["staff" if self.staff else "shopper", "with", what, self.happened]))

    def come(self) -> User:
        number = next(_numbers)
        user = User.objects.create_user(
            email=f"person{number}@example.org",
            phone=f"+4915120{number:06}",
            password=PASSWORD,
            is_staff=self.staff,
            is_superuser=self.staff,
            **self.account,
        )
        for code in sorted(self.owns):
            GIVE[code](user)
        Phone.objects.filter(user=user).update(approves_payments_from=timezone.now() + self.phone_pays_in)
        return user

    @property
    def kind(self) -> Person:
        return Person.STAFF if self.staff else Person.SHOPPER

    def needs(self, purpose: str) -> Strength | None:
        """The least strength that the table asks of this person; None where it has no row."""
        stated = POLICY.get((Purpose(purpose), self.kind))
        if stated is None:
            return None
        least = stated.least
        if stated.least_if_owned and any(STRENGTH[code] >= stated.least_if_owned for code in self.owns):
            least = max(least, stated.least_if_owned)
        return max(least, self.least.get(purpose, least))

    def may_use(self, purpose: str) -> set[str]:
        least = self.needs(purpose)
        if least is None:
            return set()
        resting = self.rests if purpose in self.only_for else set()
        return {code for code in self.owns if STRENGTH[code] >= least and code not in resting}


def owning(*codes: str) -> frozenset[str]:
    return frozenset(codes).union(*(COMES_WITH.get(code, set()) for code in codes))


EVERYTHING = frozenset(FACTORS)
_soon = timezone.now() + timedelta(days=2)


def _after_reset_by(factor: str, resting: set[str], **more: Any) -> dict[str, Any]:
    return {
        "happened": f"after-a-reset-by-{factor}",
        "account": {"reset_factor": factor, "reset_factor_rests_until": _soon},
        "rests": frozenset(resting),
    } | more


PEOPLE = [
    *(Someone(owning(code)) for code in FACTORS if code != "call"),
    Someone(frozenset()),
    Someone(owning("email", "text")),
    Someone(EVERYTHING),
    Someone(EVERYTHING, staff=True),
    Someone(owning("email"), staff=True),
    Someone(owning("email", "text"), staff=True),
    Someone(EVERYTHING, **_after_reset_by("email", {"email"})),
    Someone(owning("email"), **_after_reset_by("email", {"email"})),
    Someone(EVERYTHING, **_after_reset_by("text", {"text", "call"})),
    Someone(owning("text"), **_after_reset_by("text", {"text", "call"})),
    Someone(EVERYTHING, staff=True, **_after_reset_by("email", {"email"})),
    Someone(owning("email", "passkey"), staff=True),
    *(
        Someone(
            owns,
            happened="after-a-recovery",
            account={"strong_payments_until": _soon},
            rests=frozenset({"email", "text", "call", "backup_code"}),
            only_for=frozenset({Purpose.PAY}),
        )
        for owns in (owning("email", "text"), EVERYTHING)
    ),
    *(
        Someone(
            owns,
            happened="new-phone",
            phone_pays_in=timedelta(hours=71),
            rests=frozenset({"text", "call"}),
            only_for=frozenset({Purpose.PAY}),
        )
        for owns in (owning("text"), EVERYTHING)
    ),
]
