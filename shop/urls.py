from django.conf import settings
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("shop.product.urls")),
    path("cart/", include("shop.cart.urls")),
    path("checkout/", include("shop.checkout.urls")),
    path("orders/", include("shop.order.urls")),
    path("account/challenge/", include("accounts.stepup.urls")),
    path("account/security/", include("accounts.security.urls")),
    path("account/messages/", include("accounts.security.message_urls")),
    path("account/addresses/", include("accounts.security.address_urls")),
    path("account/", include("accounts.sign_in.urls")),
    path("support/", include("shop.support.urls")),
    path("hooks/", include("accounts.delivery.urls")),
    path("", include("shop.operations.urls")),
    path("admin/", admin.site.urls),
]
if settings.DEMO:
    urlpatterns.append(path("demo/", include("shop.demo.urls")))
