from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from accounts.factors.passkey import LONGEST_ANSWER
from accounts.models import User
from accounts.phones import is_landline, is_reached, parse_phone

# As for the password: what is longer is no name, and a password of a megabyte is only work for us.
LONGEST_NAME, LONGEST_PASSWORD = 254, 256


class SignInForm(forms.Form):
    """Nothing is checked here but that something was typed: whatever is wrong gets the same words (services.py)."""

    name = forms.CharField(
        label=_("E-mail or phone"),
        max_length=LONGEST_NAME,
        widget=forms.TextInput(
            attrs={"autocomplete": "username webauthn", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PasskeyForm(forms.Form):
    credential = forms.CharField(max_length=LONGEST_ANSWER, widget=forms.HiddenInput)  # filled in by passkeys.js


class ContactForm(forms.Form):
    """An e-mail address in lower case, or a phone number in its E.164 form."""

    contact = forms.CharField(
        label=_("E-mail or phone"),
        max_length=LONGEST_NAME,
        widget=forms.TextInput(attrs={"autocomplete": "email", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def clean_contact(self) -> str:
        typed: str = self.cleaned_data["contact"]
        if "@" in typed:
            try:
                validate_email(typed)
            except ValidationError:
                raise forms.ValidationError(
                    _("This does not look like an e-mail address. It should be like name@example.org.")
                ) from None
            return typed.lower()
        phone = parse_phone(typed)
        if phone is None:
            raise forms.ValidationError(
                _(
                    "We can't text this number. Type it with its country, like +49 1512 3456789; "
                    "service and premium numbers don't work. Or use an e-mail address."
                )
            )
        if not is_reached(phone):
            raise forms.ValidationError(
                _("We don’t text or call numbers of this country. Use an e-mail address, or another number.")
            )
        return phone


class PasswordForm(forms.Form):
    """A new password for `user`, whom it must not resemble."""

    password = forms.CharField(
        label=_("New password"),
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least ten characters. A few words in a row are good and easy to keep in mind."),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, self.user)
        return password


class SignUpForm(PasswordForm):
    name = forms.CharField(
        label=_("Your name"), max_length=120, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    field_order = ("name", "password")

    def clean_name(self) -> str:
        self.user.name = self.cleaned_data["name"]
        return self.user.name


class RecoveryForm(ContactForm):
    """The name of a lost account, of which nothing is checked, and where the person can be reached now."""

    name = forms.CharField(
        label=_("E-mail or phone of the account"),
        max_length=LONGEST_NAME,
        help_text=_("The one you sign in with."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    field_order = ("name", "contact")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["contact"].label = _("New e-mail or phone")
        self.fields["contact"].help_text = _(
            "One you can read now. It becomes the account’s, so not one you used here."
        )

    def clean_contact(self) -> str:
        contact = super().clean_contact()
        if is_landline(contact):
            raise forms.ValidationError(
                _("This looks like a landline, which gets no texts. Use a mobile or an e-mail.")
            )
        return contact
