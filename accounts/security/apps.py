from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "accounts.security"
    label = "security"

    def ready(self) -> None:
        from django.utils.translation import gettext_lazy as _

        from accounts.factors.notices import WayBack, offer_way_back
        from accounts.models import SecurityEvent
        from accounts.security.contacts import undo_path

        offer_way_back(SecurityEvent.Kind.EMAIL_CHANGED, WayBack(_("Put this e-mail address back:"), undo_path))
