from django import forms
from django.utils.translation import gettext_lazy as _


class SearchForm(forms.Form):
    q = forms.CharField(
        label=_("E-mail, phone, name or order"),
        max_length=120,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "autofocus": True}),
    )


class ResendForm(forms.Form):
    reason = forms.ChoiceField(
        label=_("Why?"),
        choices=[
            ("", _("Choose a reason")),
            ("not_arrived", _("It did not arrive")),
            ("deleted", _("The person deleted it")),
            ("over", _("It came too late")),
            ("other_device", _("The phone was off or out of reach")),
        ],
        error_messages={"required": _("Choose a reason.")},
    )
