"""How often codes may be tried, over all challenges, factors and browsers of an account.

Ten wrong codes in an hour or a hundred in a row (NIST SP 800-63B-4, section 3.2.2, caps them at a hundred) bring an
account into slow mode: each factor then takes one try in fifteen minutes, so guessing is hopeless while the owner, who
types the right code, still gets in. A success gives back only what its own challenge spent: a thief's failures are not
cleared by the owner's daily sign-in. A hundred in a row last until the password is changed.
"""

from datetime import datetime, timedelta

from accounts import limits

HOUR = timedelta(hours=1)
REST = timedelta(minutes=15)
FOR_GOOD = timedelta(days=36500)
A_HOUR, IN_A_ROW = 10, 100
WORTH_A_NOTICE = 3


class FactorResting(Exception):
    """Too many wrong codes: this factor takes no more before `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.until = until


def pay(subject: str, factor: str, now: datetime) -> bool:
    """Take one attempt before anything is compared. False if it is the one of slow mode. Raises FactorResting."""
    if limits.take("codes an hour", subject, limit=A_HOUR, window=HOUR, now=now):
        if limits.take("codes in a row", subject, limit=IN_A_ROW, window=FOR_GOOD, now=now):
            return True
        limits.give_back("codes an hour", subject)
    key = f"{subject} {factor}"
    if not limits.take("codes while slow", key, limit=1, window=REST, now=now):
        raise FactorResting(limits.ends_at("codes while slow", key, window=REST) or now + REST)
    return False


def failed(subject: str, factor: str, now: datetime) -> bool:
    """Called for a wrong code. True if this one used up the account's attempts, so that the factor now rests."""
    if (
        limits.spent("codes an hour", subject, window=HOUR, now=now) < A_HOUR
        and limits.spent("codes in a row", subject, window=FOR_GOOD, now=now) < IN_A_ROW
    ):
        return False
    return limits.take("codes while slow", f"{subject} {factor}", limit=1, window=REST, now=now)


def owner_should_know(subject: str, now: datetime) -> bool:
    """Called for a wrong code. True for the third within an hour, and then for none in the hour that follows."""
    limits.take("wrong codes", subject, limit=A_HOUR, window=HOUR, now=now)
    return limits.spent("wrong codes", subject, window=HOUR, now=now) >= WORTH_A_NOTICE and limits.take(
        "notices of wrong codes", subject, limit=1, window=HOUR, now=now
    )


def passed(subject: str, counted: bool, own_failures: int) -> None:
    """Give back this success, and the failures of its own challenge. `counted` is what `pay` said.

    In slow mode no try was taken, and none is given back: it would be one more for whoever brought it on.
    """
    if counted:
        limits.give_back("codes an hour", subject)
        limits.give_back("codes in a row", subject, own_failures + 1)
    if own_failures:
        limits.give_back("wrong codes", subject, own_failures)


def not_compared(subject: str, counted: bool) -> None:
    """Another post of the same code was faster, and gave back what this one took in a row (as an own failure)."""
    if counted:
        limits.give_back("codes an hour", subject)


def forgive(subject: str) -> None:
    """The password was changed by its owner: a hundred wrong codes in a row are history."""
    limits.forget("codes in a row", subject)
