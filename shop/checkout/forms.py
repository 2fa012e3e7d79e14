from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.countries import COUNTRIES
from accounts.phones import is_reached, parse_phone
from shop.checkout.delivery import METHODS
from shop.checkout.models import Checkout
from shop.money import format_money
from shop.payment.demo import APPROVES


def _filled(autocomplete: str, **attrs: str) -> dict[str, str]:
    return {"autocomplete": autocomplete} | attrs


class AddressForm(forms.ModelForm):
    """Where to deliver, and how to reach the shopper. A guest proves the phone, or else the e-mail, at payment."""

    country = forms.ChoiceField(label=_("Country"), choices=sorted(COUNTRIES.items(), key=lambda item: item[0] != "DE"))

    class Meta:
        model = Checkout
        fields = ("name", "line1", "line2", "postcode", "city", "country", "email", "phone")
        labels = {
            "name": _("Name"),
            "line1": _("Street and number"),
            "line2": _("Flat, floor, company"),
            "postcode": _("Postcode"),
            "city": _("Town"),
            "email": _("E-mail"),
            "phone": _("Mobile phone"),
        }
        widgets = {
            "name": forms.TextInput(attrs=_filled("name")),
            "line1": forms.TextInput(attrs=_filled("address-line1")),
            "line2": forms.TextInput(attrs=_filled("address-line2")),
            "postcode": forms.TextInput(attrs=_filled("postal-code")),
            "city": forms.TextInput(attrs=_filled("address-level2")),
            "email": forms.EmailInput(attrs=_filled("email", inputmode="email")),
            "phone": forms.TextInput(attrs=_filled("tel", inputmode="tel", type="tel")),
        }

    def __init__(self, *args: Any, guest: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.guest = guest
        for name in ("name", "line1", "postcode", "city"):
            self.fields[name].required = True
        self.fields["country"].widget.attrs["autocomplete"] = "country"
        self.fields["email"].help_text = _("For the confirmation of your order.")
        if guest:
            self.fields["phone"].help_text = _(
                "To approve the payment with a code. Without it, the code goes by e-mail."
            )

    def clean_email(self) -> str:
        return self.cleaned_data["email"].strip().lower()

    def clean_phone(self) -> str:
        typed = self.cleaned_data["phone"].strip()
        if not typed:
            return ""
        phone = parse_phone(typed)
        if phone is None:
            raise forms.ValidationError(
                _("We can't text this number. Write it with its country code, like +49 1512 3456789.")
            )
        if self.guest and not is_reached(phone):
            raise forms.ValidationError(
                _("We don’t text or call numbers of this country. Leave it out, and the code comes by e-mail.")
            )
        return phone

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.errors and not data.get("email") and not data.get("phone"):
            self.add_error("email", _("Enter an e-mail address or a phone number, so that we can reach you."))
        return data


class DeliveryForm(forms.Form):
    """The views render it from `methods`, with fees."""

    delivery_method = forms.ChoiceField(
        label=_("Delivery"),
        choices=[(code, method.name) for code, method in METHODS.items()],
        error_messages={"required": _("Choose how we deliver."), "invalid_choice": _("Choose one of these.")},
    )


class CardForm(forms.Form):
    """The demo card. No real card belongs here, and none is kept."""

    card = forms.CharField(
        label=_("Card number"),
        max_length=30,
        error_messages={
            "required": _("Enter the card number."),
            "max_length": _("That is too long for a card number."),
        },
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "inputmode": "numeric",
                "placeholder": " ".join(APPROVES[i : i + 4] for i in range(0, 16, 4)),
            }
        ),
    )
    attempt_token = forms.UUIDField(widget=forms.HiddenInput)
    attempt = forms.IntegerField(min_value=1, max_value=50, widget=forms.HiddenInput)

    def clean_card(self) -> str:
        number = self.cleaned_data["card"].replace(" ", "").replace("-", "")
        if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19):
            raise forms.ValidationError(_("A card number has 12 to 19 digits. Check what you typed."))
        return number


def method_choices(subtotal: Any) -> list[dict[str, Any]]:
    return [
        {
            "code": method.code,
            "name": method.name,
            "detail": method.detail,
            "fee": format_money(method.fee_for(subtotal)) if method.fee_for(subtotal) else _("free"),
        }
        for method in METHODS.values()
    ]
