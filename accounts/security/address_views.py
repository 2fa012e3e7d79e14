"""The address book: seen by whoever is signed in, changed with a proof."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import Address
from accounts.net import client_ip
from accounts.security import addresses
from accounts.security.address_forms import SavedAddressForm
from accounts.stepup.decorators import step_up
from accounts.stepup.models import Purpose
from accounts.stepup.requests import signed_in


@never_cache
@require_GET
def address_list(request: HttpRequest) -> HttpResponse:
    saved = Address.objects.filter(user=signed_in(request)).order_by("-pk")
    return render(request, "addresses/list.html", {"addresses": saved})


@never_cache
@require_http_methods(["GET", "POST"])
@step_up(Purpose.CHANGE_ADDRESSES)
def add(request: HttpRequest) -> HttpResponse:
    form = SavedAddressForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            addresses.add_address(user=signed_in(request), fields=form.cleaned_data, ip=client_ip(request))
        except addresses.AlreadySaved:
            messages.info(request, _("You have saved this address already."))
        except addresses.TooMany:
            messages.info(request, _("You have twenty addresses already. Remove one before you add another."))
        else:
            messages.success(request, _("The address is saved."))
        return redirect("addresses:list")
    return render(request, "addresses/form.html", {"form": form}, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "POST"])
@step_up(Purpose.CHANGE_ADDRESSES)
def change(request: HttpRequest, address_id: int) -> HttpResponse:
    address = _own(request, address_id)
    form = SavedAddressForm(request.POST if request.method == "POST" else None, instance=address)
    if form.is_valid():
        try:
            addresses.change_address(
                user=signed_in(request), address_id=address_id, fields=form.cleaned_data, ip=client_ip(request)
            )
        except addresses.AlreadySaved:
            messages.info(request, _("You have saved this address already."))
        except Address.DoesNotExist:
            raise Http404 from None  # removed in another tab
        else:
            messages.success(request, _("The address is changed."))
        return redirect("addresses:list")
    return render(
        request, "addresses/form.html", {"form": form, "address": address}, status=422 if form.errors else 200
    )


@never_cache
@require_http_methods(["GET", "POST"])
@step_up(Purpose.CHANGE_ADDRESSES)
def remove(request: HttpRequest, address_id: int) -> HttpResponse:
    """Ask whether it is meant, and remove it."""
    if request.method == "POST":
        addresses.remove_address(user=signed_in(request), address_id=address_id, ip=client_ip(request))
        messages.success(request, _("The address is removed."))
        return redirect("addresses:list")
    return render(request, "addresses/remove.html", {"address": _own(request, address_id)})


def _own(request: HttpRequest, address_id: int) -> Address:
    return get_object_or_404(Address, user=signed_in(request), pk=address_id)
