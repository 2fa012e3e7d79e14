from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StepupConfig(AppConfig):
    name = "accounts.stepup"
    label = "stepup"
    verbose_name = _("Proofs")

    def ready(self) -> None:
        from accounts.delivery.composing import Writer, register
        from accounts.delivery.models import Message
        from accounts.stepup import messages
        from accounts.stepup.challenges import send_instead

        code = Writer(messages.compose_code, messages.handed_over, messages.speak_code, send_instead)
        register(Message.Kind.CODE, code)
        explanation = Writer(
            messages.compose_explanation, messages.handed_over, messages.speak_explanation, send_instead
        )
        register(Message.Kind.EXPLANATION, explanation)
