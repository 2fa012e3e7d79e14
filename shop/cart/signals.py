from typing import Any

from django.contrib import messages
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from shop.cart import services


@receiver(user_logged_in)
def merge_at_sign_in(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """What a guest picked is not lost when the guest turns out to be somebody. The rule: services.merge."""
    merged = services.merge(session=request.session, user=user)
    if merged.moved:
        words = ngettext(
            "We put the %(n)d thing you picked before signing in into your cart.",
            "We put the %(n)d things you picked before signing in into your cart.",
            merged.moved,
        )
        messages.info(request, words % {"n": merged.moved}, fail_silently=True)
    if merged.left_out:
        words = _("There is less of something than you picked altogether, so please look through your cart.")
        messages.warning(request, words, fail_silently=True)
