"""How well an account is guarded, in plain words, and the one thing to do next."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from accounts.factors.backup_code import FEW


@dataclass(frozen=True)
class Step:
    code: str
    words: str
    why: str
    url_name: str


@dataclass(frozen=True)
class Standing:
    level: str  # basic, good or strong
    name: str
    says: str
    value: int  # of `most`, for the meter
    most: int
    next: Step | None


def standing(*, strong: int, codes_left: int, passkeys: int | None) -> Standing:
    """Of somebody with so many authenticators and passkeys together; `passkeys` is None where the shop has none."""
    steps = [(strong >= 1, _app()), (codes_left >= FEW, _codes(codes_left))]
    if passkeys is not None:
        steps.append((passkeys >= 1, _passkey()))
    steps.append((strong >= 2, _another()))
    value = 1 + sum(done for done, _step in steps) if strong else 1
    level, name, says = _words(strong, value > len(steps))
    return Standing(level, name, says, value, len(steps) + 1, next((step for done, step in steps if not done), None))


def _words(strong: int, complete: bool) -> tuple[str, str, str]:
    if not strong:
        return (
            "basic",
            _("Basic"),
            _("We send you codes. Somebody may read them on their way, or take over your number."),
        )
    if not complete:
        return "good", _("Good"), _("You can prove it is you with something that nobody reads on its way.")
    return "strong", _("Strong"), _("Nobody reads your proofs on their way, and if you lose one, another lets you in.")


def _app() -> Step:
    why = _("An authenticator app makes its codes on your phone, without a network. They are never sent.")
    return Step("authenticator", _("Set up an authenticator app"), why, "security:authenticator")


def _codes(left: int) -> Step:
    if left:
        return Step(
            "backup_code", _("Make new backup codes"), _("You have one backup code left."), "security:backup_codes"
        )
    why = _("Backup codes let you in when your phone is lost.")
    return Step("backup_code", _("Make backup codes"), why, "security:backup_codes")


def _passkey() -> Step:
    why = _("A passkey can’t be copied, and it can’t be typed into a false page.")
    return Step("passkey", _("Add a passkey"), why, "security:add_passkey")


def _another() -> Step:
    why = _("A second app, on another device, keeps you in when one is lost.")
    return Step("second", _("Set up a second authenticator app"), why, "security:authenticator")
