from django.urls import path

from accounts.security import address_views

app_name = "addresses"
urlpatterns = [
    path("", address_views.address_list, name="list"),
    path("add/", address_views.add, name="add"),
    path("<int:address_id>/", address_views.change, name="change"),
    path("<int:address_id>/remove/", address_views.remove, name="remove"),
]
