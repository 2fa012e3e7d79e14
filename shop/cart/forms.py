from django import forms
from django.utils.translation import gettext_lazy as _

from shop.cart.models import MOST_OF_ONE


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
    quantity = _quantity(least=1)


class UpdateForm(LineForm):
    quantity = _quantity(least=0)  # 0 takes the line out
