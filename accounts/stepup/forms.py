from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.factors.base import Factor
from accounts.factors.passkey import LONGEST_ANSWER


class CodeForm(forms.Form):
    """One field for six digits, however they are typed; the service decides what is a code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=64,
        strip=True,
        error_messages={"required": _("Enter the code."), "max_length": _("That is too long for a code.")},
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "autofocus": True,
                "spellcheck": "false",
                "autocapitalize": "characters",
            }
        ),
    )

    def describe_for(self, factor: Factor) -> None:
        """Fit the keyboard to the factor."""
        field = self.fields["code"]
        field.widget.attrs.pop("maxlength", None)
        if not factor.digits_only:
            field.widget.attrs |= {"inputmode": "text", "autocomplete": "off"}


class PasskeyForm(CodeForm):
    """What a passkey signed, filled in by passkeys.js."""

    code = forms.CharField(
        max_length=LONGEST_ANSWER,
        error_messages={
            "required": _("Please press the button, and confirm with your passkey."),
            "max_length": _("Your browser’s answer could not be read. Please try again; no attempt was taken."),
        },
        widget=forms.HiddenInput,
    )
