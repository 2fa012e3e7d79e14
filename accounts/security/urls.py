from django.urls import path

from accounts.security import views

app_name = "security"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("authenticator/", views.authenticator, name="authenticator"),
    path("authenticator/<int:device_id>/remove/", views.remove_authenticator, name="remove_authenticator"),
    path("backup-codes/", views.backup_codes, name="backup_codes"),
]
