from django.apps import AppConfig


class OrderConfig(AppConfig):
    name = "shop.order"
    label = "order"

    def ready(self) -> None:
        from accounts.delivery.composing import Writer, register
        from accounts.delivery.models import Message
        from accounts.security.export import register_export
        from shop.order.export import orders_of
        from shop.order.messages import compose_order

        register(Message.Kind.ORDER, Writer(compose_order))
        register_export("orders", orders_of)
