from django.urls import path

from shop.order import payment_views, views

app_name = "order"
urlpatterns = [
    path("", views.order_list, name="list"),
    path("<str:code>/", views.detail, name="detail"),
    path("<str:code>/payment/", payment_views.payment, name="payment"),
    path("<str:code>/statement/", payment_views.statement, name="statement"),
]
