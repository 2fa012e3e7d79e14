from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device
from phonenumber_field.modelfields import PhoneNumberField

from accounts.delivery.models import Channel
from accounts.factors.base import Factor, Strength
from accounts.phones import mask


class Phone(Device):
    """A proven phone number that gets texts and calls."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="phones")
    number = PhoneNumberField(_("number"))
    # A number that was added to a living account does not approve payments before this time (policy.py): a thief
    # with a swapped SIM or a stolen session has to wait, and the owner has been told.
    approves_payments_from = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("phone")
        verbose_name_plural = _("phones")
        constraints = [models.UniqueConstraint(name="phone_once_a_user", fields=["user", "number"])]

    @property
    def destination(self) -> str:
        return str(self.number.as_e164)


class TextFactor(Factor):
    code = "text"
    verbose_name = _("Text message")
    strength = Strength.TEXT
    channel = Channel.TEXT
    model: ClassVar[type[Device]] = Phone

    def action_to(self, destination: str) -> str:
        return _("Text a code to %(number)s") % {"number": mask(destination)}
