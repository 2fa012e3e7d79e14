from django.apps import AppConfig


class FactorsConfig(AppConfig):
    name = "accounts.factors"
    label = "factors"

    def ready(self) -> None:
        from two_factor.plugins.registry import registry

        from accounts.delivery.composing import Writer, register
        from accounts.delivery.models import Message
        from accounts.factors.authenticator import AuthenticatorFactor
        from accounts.factors.backup_code import BackupCodeFactor
        from accounts.factors.call import CallFactor
        from accounts.factors.email import EmailFactor
        from accounts.factors.notices import compose_notice, speak_notice
        from accounts.factors.passkey import PasskeyFactor
        from accounts.factors.text import TextFactor

        register(Message.Kind.NOTICE, Writer(compose_notice, after_key=speak_notice))
        registry.unregister("generator")  # the stock app's, which keeps seeds in plain text
        # In the order in which the challenge page offers them.
        first = PasskeyFactor(), AuthenticatorFactor()
        for factor in (*first, TextFactor(), CallFactor(), EmailFactor(), BackupCodeFactor()):
            registry.register(factor)
