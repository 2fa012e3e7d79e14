from django.urls import path

from shop.product import views

app_name = "product"
urlpatterns = [
    path("", views.home, name="home"),
    path("products/", views.listing, name="list"),
    path("products/<slug:slug>/", views.detail, name="detail"),
]
