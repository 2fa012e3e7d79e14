"""The shop's addresses as they are with DEMO=1."""

from django.urls import include, path

from shop.urls import urlpatterns as shop_urls

urlpatterns = [*shop_urls, path("demo/", include("shop.demo.urls"))]
