from django.urls import path

from shop.operations import health, metrics, views

app_name = "operations"
urlpatterns = [
    path("health/live", health.live, name="live"),
    path("health/ready", health.ready, name="ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/numbers/", views.numbers, name="numbers"),
    path("admin/numbers/<str:table>.csv", views.numbers_csv, name="numbers_csv"),
]
