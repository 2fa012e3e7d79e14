from django.apps import AppConfig


class StepupConfig(AppConfig):
    name = "accounts.stepup"
    label = "stepup"

    def ready(self) -> None:
        from accounts.delivery.composing import Writer, register
        from accounts.delivery.models import Message
        from accounts.stepup import messages

        register(Message.Kind.CODE, Writer(messages.compose_code, messages.handed_over, messages.speak_code))
        explanation = Writer(messages.compose_explanation, messages.handed_over, messages.speak_explanation)
        register(Message.Kind.EXPLANATION, explanation)
