from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.factors.passkey import LONGEST_ANSWER


class AuthenticatorNameForm(forms.Form):
    name = forms.CharField(
        label=_("Name of this app"),
        max_length=40,
        required=False,
        help_text=_("To tell it from another one later, such as “my phone”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class AuthenticatorForm(AuthenticatorNameForm):
    device = forms.IntegerField(min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)
    code = forms.CharField(
        label=_("The six digits the app shows now"),
        max_length=64,
        error_messages={"required": _("Enter the code."), "max_length": _("That is too long for a code.")},
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "spellcheck": "false",
                "enterkeyhint": "done",
                "data-code": "6",  # the sixth digit sends the form, so the name stands above it
            }
        ),
    )

    def shown(self) -> int | None:
        """The app whose QR code the person has seen."""
        return getattr(self, "cleaned_data", {}).get("device")


class PasskeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name of this passkey"),
        max_length=40,
        required=False,
        help_text=_("To tell it from another one later, such as “my laptop”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    credential = forms.CharField(  # filled in by passkeys.js
        max_length=LONGEST_ANSWER,
        widget=forms.HiddenInput,
        error_messages={"required": _("Please press the button, and confirm on your device.")},
    )

    def made(self) -> str:
        """What the browser made."""
        return str(getattr(self, "cleaned_data", {}).get("credential", ""))
