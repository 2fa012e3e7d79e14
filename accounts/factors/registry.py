"""The factors a person has, out of django-two-factor-auth's registry."""

from typing import Any

from django_otp.models import Device
from two_factor.plugins.registry import registry

from accounts.factors.base import Factor, Strength


def factor(code: str) -> Factor:
    """Raises two_factor's MethodNotFoundError (a LookupError) for an unknown code."""
    return registry.get_method(code)


def all_factors() -> list[Factor]:
    return list(registry.get_methods())


def device_of(user: Any, code: str, persistent_id: str = "") -> Device | None:
    """The confirmed device with which this person uses the factor: this one, if it is still there, or the first."""
    devices = list(factor(code).get_devices(user))
    named = (device for device in devices if device.persistent_id == persistent_id)
    return next(named, devices[0] if devices else None)


def has_strong_factor(user: Any, beside: Device | None = None) -> bool:
    """Has the person, `beside` this device, an authenticator or a passkey? Backup codes stand in for these."""
    strong = (each for each in all_factors() if each.strength >= Strength.AUTHENTICATOR)
    return any(device != beside for each in strong for device in each.get_devices(user))


def has_factor_beside_email(user: Any) -> bool:
    return any(device_of(user, each.code) for each in all_factors() if each.code != "email")
