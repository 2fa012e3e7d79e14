from django.urls import path

from shop.support import views

app_name = "support"
urlpatterns = [
    path("", views.home, name="home"),
    path("people/<int:user_id>/", views.person, name="person"),
    path("guests/<uuid:challenge_id>/", views.guest, name="guest"),
    path("challenges/<uuid:challenge_id>/resend/", views.resend, name="resend"),
]
