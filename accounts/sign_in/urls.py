from django.urls import path

from accounts.sign_in import names_views, password_change_views, recovery_views, views

app_name = "sign_in"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-in/done/", views.done, name="done"),
    path("sign-in/passkey/", views.by_passkey, name="by_passkey"),
    path("sign-in/passkey/options/", views.passkey_options, name="passkey_options"),
    path("sign-in/code/", views.sign_in_by_code, name="by_code"),
    path("sign-in/code/done/", views.code_done, name="code_done"),
    path("forgot-name/", names_views.forgot_name, name="forgot_name"),
    path("sign-up/", views.sign_up, name="sign_up"),
    path("sign-up/done/", views.sign_up_done, name="sign_up_done"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("staff/", views.staff, name="staff"),
    path("password/", password_change_views.change_password, name="change_password"),
    path("reset/", views.reset, name="reset"),
    path("reset/password/", views.reset_password, name="reset_password"),
    path("recovery/", recovery_views.begin, name="recovery"),
    path("recovery/opened/", recovery_views.opened, name="recovery_opened"),
    path("recovery/cancel/<str:token>/", recovery_views.cancel, name="cancel_recovery"),
    path("recovery/finish/", recovery_views.finish, name="recovery_finish"),
    path("recovery/password/", recovery_views.password, name="recovery_password"),
]
