from django.urls import path

from accounts.stepup import views

app_name = "stepup"
urlpatterns = [
    path("<uuid:challenge_id>/", views.challenge, name="challenge"),
    path("<uuid:challenge_id>/send/", views.resend, name="resend"),
    path("<uuid:challenge_id>/again/", views.again, name="again"),
    path("<uuid:challenge_id>/state/", views.delivery_state, name="delivery_state"),
]
