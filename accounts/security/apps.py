from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "accounts.security"
    label = "security"

    def ready(self) -> None:
        from django.utils.translation import gettext_lazy as _

        from accounts.delivery.composing import Writer, register
        from accounts.delivery.models import Message
        from accounts.factors.notices import WayBack, offer_way_back
        from accounts.models import SecurityEvent
        from accounts.security.contacts import undo_path
        from accounts.security.recovery import WAY_TO_CANCEL
        from accounts.security.recovery_messages import compose_recovery

        offer_way_back(SecurityEvent.Kind.EMAIL_CHANGED, WayBack(_("Put this e-mail address back:"), undo_path))
        offer_way_back(SecurityEvent.Kind.RECOVERY_OPENED, WAY_TO_CANCEL)
        register(Message.Kind.RECOVERY, Writer(compose_recovery))
