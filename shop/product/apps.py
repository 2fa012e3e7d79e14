from django.apps import AppConfig


class ProductConfig(AppConfig):
    name = "shop.product"
    label = "product"

    def ready(self) -> None:
        from shop.product import pictures  # noqa: F401
