from django.urls import path

from accounts.security import account_views, browser_views, contact_views, passkey_views, recovery_views, views
from accounts.security.contacts import EMAIL, PHONE

app_name = "security"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("authenticator/", views.authenticator, name="authenticator"),
    path("authenticator/<int:device_id>/remove/", views.remove_authenticator, name="remove_authenticator"),
    path("passkeys/", passkey_views.add, name="add_passkey"),
    path("passkeys/<int:passkey_id>/remove/", passkey_views.remove, name="remove_passkey"),
    path("authenticator/<int:device_id>/rename/", views.rename_authenticator, name="rename_authenticator"),
    path("first/", views.prefer, name="prefer"),
    path("backup-codes/", views.backup_codes, name="backup_codes"),
    path("sessions/<uuid:handle>/end/", browser_views.end_session, name="end_session"),
    path("sessions/end-others/", browser_views.end_other_sessions, name="end_other_sessions"),
    path("trusted/<int:browser_id>/end/", browser_views.end_trust, name="end_trust"),
    path("trusted/end-all/", browser_views.end_all_trust, name="end_all_trust"),
    path("lock/<int:event_id>/", browser_views.lock, name="lock"),
    path("email/", contact_views.change, {"field": EMAIL}, name="change_email"),
    path("email/new/", contact_views.prove, {"field": EMAIL}, name="prove_email"),
    path("email/confirm/", contact_views.confirm, {"field": EMAIL}, name="confirm_email"),
    path("email/undo/<str:token>/", contact_views.undo_email, name="undo_email"),
    path("phone/", contact_views.change, {"field": PHONE}, name="change_phone"),
    path("phone/new/", contact_views.prove, {"field": PHONE}, name="prove_phone"),
    path("phone/confirm/", contact_views.confirm, {"field": PHONE}, name="confirm_phone"),
    path("data/", account_views.export_data, name="export_data"),
    path("close/", account_views.close_account, name="close_account"),
    path("recovery/cancel/", recovery_views.cancel_recovery, name="cancel_recovery"),
]
