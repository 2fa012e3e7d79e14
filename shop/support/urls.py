from django.urls import path

from shop.support import recoveries, views

app_name = "support"
urlpatterns = [
    path("", views.home, name="home"),
    path("people/<int:user_id>/", views.person, name="person"),
    path("guests/<uuid:challenge_id>/", views.guest, name="guest"),
    path("challenges/<uuid:challenge_id>/resend/", views.resend, name="resend"),
    path("recoveries/", recoveries.waiting, name="recoveries"),
    path("recoveries/<uuid:recovery_id>/", recoveries.detail, name="recovery"),
    path("recoveries/<uuid:recovery_id>/confirm/", recoveries.confirm, name="confirm_recovery"),
    path("recoveries/<uuid:recovery_id>/refuse/", recoveries.refuse, name="refuse_recovery"),
]
