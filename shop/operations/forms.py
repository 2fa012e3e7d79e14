from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

LONGEST = 92  # days: what is counted is bounded, and a quarter fits in


class PeriodForm(forms.Form):
    """Days of the shop's time zone, both ends included."""

    period = forms.ChoiceField(
        label=_("Period"),
        choices=[
            ("today", _("today")),
            ("7", _("the last 7 days")),
            ("30", _("the last 30 days")),
            ("custom", _("from … to …")),
        ],
        initial="7",
    )
    first = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    last = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("period") == "custom" and not self.errors:
            first, last = cleaned.get("first"), cleaned.get("last")
            if not first or not last:
                raise forms.ValidationError(_("Choose the first and the last day."))
            if last < first:
                raise forms.ValidationError(_("The last day is before the first."))
            if (last - first).days >= LONGEST:
                raise forms.ValidationError(_("Choose at most %(days)s days."), params={"days": LONGEST})
            if not 2000 <= first.year <= last.year < 9999:
                raise forms.ValidationError(_("Choose days of this century."))
        return cleaned

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """From the first moment of the first day to the first moment after the last one."""
        last = timezone.localdate()
        chosen = self.cleaned_data["period"]
        if chosen == "custom":
            first, last = self.cleaned_data["first"], self.cleaned_data["last"]
        else:
            first = last - timedelta(days=0 if chosen == "today" else int(chosen) - 1)
        midnight, zone = time(0), timezone.get_current_timezone()
        return datetime.combine(first, midnight, zone), datetime.combine(last + timedelta(days=1), midnight, zone)
