from django.apps import AppConfig


class SupportConfig(AppConfig):
    name = "shop.support"
    label = "support"
