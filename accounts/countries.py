"""Where a saved address may be, and where the shop delivers to: ISO 3166 codes."""

from django.utils.translation import gettext_lazy as _

COUNTRIES = {
    "AT": _("Austria"),
    "BE": _("Belgium"),
    "DE": _("Germany"),
    "DK": _("Denmark"),
    "FR": _("France"),
    "LU": _("Luxembourg"),
    "NL": _("Netherlands"),
}
