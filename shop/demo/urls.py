from django.urls import path

from shop.demo import views

app_name = "demo"
urlpatterns = [
    path("inbox/", views.inbox, name="inbox"),
    path("inbox/messages/", views.new_messages, name="messages"),
    path("inbox/codes/", views.codes, name="codes"),
    path("inbox/<uuid:message_id>/", views.html, name="html"),
]
