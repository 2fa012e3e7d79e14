from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    """Django's admin, on our site: behind an authenticator."""

    default_site = "accounts.stepup.admin_site.StaffAdminSite"
