from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.countries import COUNTRIES
from accounts.models import Address


class SavedAddressForm(forms.ModelForm):
    country = forms.ChoiceField(
        label=_("Country"),
        choices=sorted(COUNTRIES.items(), key=lambda item: item[0] != "DE"),
        widget=forms.Select(attrs={"autocomplete": "country"}),
    )

    class Meta:
        model = Address
        fields = ("name", "line1", "line2", "postcode", "city", "country")
        labels = {
            "name": _("Name"),
            "line1": _("Street and number"),
            "line2": _("Flat, floor, company"),
            "postcode": _("Postcode"),
            "city": _("Town"),
        }
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "line1": forms.TextInput(attrs={"autocomplete": "address-line1"}),
            "line2": forms.TextInput(attrs={"autocomplete": "address-line2"}),
            "postcode": forms.TextInput(attrs={"autocomplete": "postal-code"}),
            "city": forms.TextInput(attrs={"autocomplete": "address-level2"}),
        }
