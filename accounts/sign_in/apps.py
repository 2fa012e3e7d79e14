from django.apps import AppConfig


class SignInConfig(AppConfig):
    name = "accounts.sign_in"
    label = "sign_in"

    def ready(self) -> None:
        from accounts.delivery.composing import Writer, register
        from accounts.delivery.models import Message
        from accounts.sign_in.names import compose_names

        register(Message.Kind.NAMES, Writer(compose_names))
