from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from shop.cart.models import MOST_OF_ONE
from shop.product.models import Variant


def _quantity(least: int) -> forms.IntegerField:
    limits = {"least": least, "most": MOST_OF_ONE}
    words = _("Please give the quantity as a number from %(least)d to %(most)d.") % limits
    wrong = dict.fromkeys(("required", "invalid", "min_value", "max_value"), words)
    return forms.IntegerField(min_value=least, max_value=MOST_OF_ONE, error_messages=wrong)


class LineForm(forms.Form):
    """Which variant; whether there is such a one is the service's to say."""

    variant = forms.IntegerField(
        error_messages=dict.fromkeys(("required", "invalid"), _("Please choose what you want to buy."))
    )


class AddForm(LineForm):
    """The variant by its key; or a product with a value of each of its options, as a page with several posts it."""

    variant = forms.IntegerField(required=False, error_messages={"invalid": _("Please choose what you want to buy.")})
    product = forms.IntegerField(required=False)
    quantity = _quantity(least=1)

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if not self.errors and cleaned["variant"] is None:
            cleaned["variant"] = self._chosen(cleaned["product"])
        return cleaned

    def _chosen(self, product: int | None) -> int:
        values: list[str] = []
        while value := self.data.get(f"option-{len(values)}"):
            values.append(value)
        if product is None or not values:
            raise forms.ValidationError(_("Please choose what you want to buy."))
        variant = Variant.objects.on_sale().filter(product=product, option_values=values).first()
        if variant is None:
            raise forms.ValidationError(_("We don't make it like this. Please choose another combination."))
        return int(variant.pk)


class UpdateForm(LineForm):
    quantity = _quantity(least=0)  # 0 takes the line out
