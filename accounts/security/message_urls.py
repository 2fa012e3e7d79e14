from django.urls import path

from accounts.security import message_views

app_name = "messages"
urlpatterns = [
    path("", message_views.message_list, name="list"),
    path("how-to-tell/", message_views.how_to_tell, name="how_to_tell"),
]
