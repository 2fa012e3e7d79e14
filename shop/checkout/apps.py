from django.apps import AppConfig


class CheckoutConfig(AppConfig):
    name = "shop.checkout"
    label = "checkout"

    def ready(self) -> None:
        from accounts.security.closing import account_closed
        from accounts.security.export import register_export
        from shop.checkout import people

        register_export("cart", people.cart_of)
        account_closed.connect(people.forget)
