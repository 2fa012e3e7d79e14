from django.apps import AppConfig


class ProductConfig(AppConfig):
    name = "shop.product"
    label = "product"
