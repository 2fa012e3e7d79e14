from django import forms
from django.utils.translation import gettext_lazy as _


class SearchForm(forms.Form):
    q = forms.CharField(
        label=_("E-mail, phone, name or order"),
        max_length=120,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "autofocus": True}),
    )


class IdentifiedForm(forms.Form):
    reason = forms.CharField(
        label=_("How do you know that it is this person, or that it isn’t?"),
        min_length=15,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
        help_text=_("What you asked, and what was answered. No passwords, no codes, no numbers of cards or passports."),
        error_messages={"min_length": _("Please say a little more: somebody may have to understand it in a year.")},
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
