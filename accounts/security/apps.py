from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "accounts.security"
    label = "security"
