from django.urls import path

from accounts.delivery import esp_views, views, vonage_views

app_name = "delivery"
urlpatterns = [
    path("email/<slug:esp>/", esp_views.email_events, name="email_events"),
    path("twilio/status/", views.twilio_status, name="twilio_status"),
    path("twilio/incoming/", views.twilio_incoming, name="twilio_incoming"),
    path("twilio/voice/<uuid:message_id>/", views.twilio_voice, name="twilio_voice"),
    path("vonage/status/", vonage_views.vonage_status, name="vonage_status"),
]
