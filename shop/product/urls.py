from django.urls import path, re_path

from shop.product import views

app_name = "product"
urlpatterns = [
    path("", views.home, name="home"),
    path("products/", views.listing, name="list"),
    path("products/<slug:slug>/", views.detail, name="detail"),
    path("products/<slug:slug>/choose/", views.choose, name="choose"),
    re_path(r"^media/(?P<name>products/[0-9a-f]{16}/[0-9]{2,4}\.(?:avif|webp))$", views.picture, name="picture"),
]
