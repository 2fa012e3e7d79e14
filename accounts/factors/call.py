from django.utils.translation import gettext_lazy as _

from accounts.delivery.models import Channel
from accounts.delivery.providers import can_call
from accounts.factors.base import Strength
from accounts.factors.text import TextFactor
from accounts.phones import mask


class CallFactor(TextFactor):
    """The same phones, called: for landlines, and where texts don't come."""

    code = "call"
    verbose_name = _("Voice call")
    strength = Strength.TEXT
    channel = Channel.CALL
    shares_device_of = "text"

    def is_offered(self) -> bool:
        return can_call()

    def action_to(self, destination: str) -> str:
        return _("Call %(number)s and say a code") % {"number": mask(destination)}
