from datetime import datetime
from enum import IntEnum
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device
from two_factor.plugins.registry import MethodBase


class Strength(IntEnum):
    """How much a proof is worth; a stronger one serves where a weaker one is asked for."""

    EMAIL = 1
    TEXT = 2
    AUTHENTICATOR = 3
    PASSKEY = 4


class NotVerified(Exception):
    """The right passkey, but its device did not check who holds it, which this purpose needs."""


class Factor(MethodBase):
    """A way a person proves who they are, in django-two-factor-auth's registry.

    A factor with a `channel` has its codes derived by the challenge and sent; one without verifies codes itself.
    """

    code: ClassVar[str]
    verbose_name: ClassVar[str | Promise]
    strength: ClassVar[Strength]
    channel: ClassVar[str] = ""
    # The factor whose device it shares: they rest together, after too many wrong codes and after a reset.
    shares_device_of: ClassVar[str] = ""
    # Whether the page asks for the factor and not for one device of it: a code of any of them will do.
    takes_any_device: ClassVar[bool] = False
    # Whether a person may ask to be asked for it first; not for what is used up by it.
    may_come_first: ClassVar[bool] = True
    model: ClassVar[type[Device]]
    # False where the answer is made by the browser, and not typed.
    typed: ClassVar[bool] = True
    digits_only: ClassVar[bool] = True
    malformed: ClassVar[str | Promise] = _("A code has six digits. Check what you typed; no attempt was taken.")

    @property
    def rests_as(self) -> str:
        return self.shares_device_of or self.code

    def is_offered(self) -> bool:
        """Whether this shop can use it at all."""
        return True

    def get_devices(self, user: Any) -> Any:
        devices = self.model._default_manager
        return devices.filter(user=user, confirmed=True).order_by("pk") if self.is_offered() else devices.none()

    def recognize_device(self, device: Device) -> bool:
        return isinstance(device, self.model)

    def get_action(self, device: Device) -> str:
        """What the person presses to choose this factor; destinations masked."""
        return self.action_to(device.destination)

    def action_to(self, destination: str) -> str:
        """The same of a bare contact, for a factor with a channel."""
        raise TypeError(f"{type(self).__name__} does not do this")

    def left(self, user: Any) -> int | None:
        """How many of the person's codes are left, for a factor whose codes are numbered."""
        return None

    def normalise(self, code: str) -> str | None:
        """The code as it is compared, or None where it can't be one (full-width digits, signs, 10 kB)."""
        return six_digits(code)

    def verify(self, device: Device, code: str, now: datetime) -> Device | None:
        """The device whose code it is, for one caller and one code only: a conditional UPDATE uses it up in the
        caller's transaction. None for a wrong code.
        """
        raise TypeError(f"{type(self).__name__} does not do this")


def six_digits(text: str) -> str | None:
    """Six ASCII digits out of what a person types or pastes: blanks and dashes between them are fine.

    >>> six_digits("123 456"), six_digits("012-345"), six_digits("+12345"), six_digits("12345")
    ('123456', '012345', None, None)
    """
    if len(text) > 32:
        return None
    digits = text.translate({ord(" "): None, ord("-"): None, ord("\u00a0"): None, ord("\u2009"): None})
    return digits if len(digits) == 6 and digits.isascii() and digits.isdigit() else None
