from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device

from accounts.delivery.models import Channel
from accounts.factors.base import Factor, Strength
from accounts.phones import mask


class Mailbox(Device):
    """A proven e-mail address. A change of the account's e-mail replaces it (security/contacts.py)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mailboxes")
    address = models.EmailField(_("e-mail"))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        constraints = [models.UniqueConstraint(name="mailbox_once_a_user", fields=["user", "address"])]

    @property
    def destination(self) -> str:
        return self.address


class EmailFactor(Factor):
    code = "email"
    verbose_name = _("E-mail")
    strength = Strength.EMAIL
    channel = Channel.EMAIL
    model: ClassVar[type[Device]] = Mailbox

    def action_to(self, destination: str) -> str:
        return _("E-mail a code to %(address)s") % {"address": mask(destination)}
