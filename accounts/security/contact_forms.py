from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.phones import is_reached, parse_phone
from accounts.security.contacts import EMAIL, PHONE, Field, own


class _NewContactForm(forms.Form):
    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user


class NewEmailForm(_NewContactForm):
    new = forms.EmailField(
        label=_("New e-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"invalid": _("This does not look like an e-mail address. It should be like name@example.org.")},
    )

    def clean_new(self) -> str:
        new: str = self.cleaned_data["new"].lower()
        if new == own(self.user, EMAIL):
            raise forms.ValidationError(_("This is the e-mail of your account already."))
        return new


class NewPhoneForm(_NewContactForm):
    new = forms.CharField(
        label=_("New phone number"),
        max_length=32,
        widget=forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel", "type": "tel"}),
    )

    def clean_new(self) -> str:
        new = parse_phone(self.cleaned_data["new"])
        if new is None:
            raise forms.ValidationError(
                _(
                    "We can't text this number. Type it with its country, like +49 1512 3456789; "
                    "service and premium numbers don't work."
                )
            )
        if not is_reached(new):
            raise forms.ValidationError(
                _("We don’t text or call numbers of this country. Use a number of another country, or keep to e-mail.")
            )
        if new == own(self.user, PHONE):
            raise forms.ValidationError(_("This is the phone of your account already."))
        return new


def form_for(field: Field) -> type[NewEmailForm] | type[NewPhoneForm]:
    return NewEmailForm if field is EMAIL else NewPhoneForm
