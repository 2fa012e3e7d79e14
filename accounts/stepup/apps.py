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

        register(Message.Kind.CODE, Writer(messages.compose_code, messages.handed_over, messages.speak_code))
        explanation = Writer(messages.compose_explanation, messages.handed_over, messages.speak_explanation)
        register(Message.Kind.EXPLANATION, explanation)
