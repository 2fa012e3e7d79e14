from django.urls import path

from shop.order import views

app_name = "order"
urlpatterns = [
    path("", views.order_list, name="list"),
    path("<str:code>/", views.detail, name="detail"),
]
