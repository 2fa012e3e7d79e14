"""“Forgot which e-mail?”: the page tells a stranger nothing; the answer is read where the contact's messages are."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.phones import is_landline
from accounts.sign_in import names
from accounts.sign_in.forms import ContactForm
from accounts.stepup.requests import asker_of


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def forgot_name(request: HttpRequest) -> HttpResponse:
    """Send the answer to the contact that was typed. The page says the same in any case."""
    form = ContactForm(request.POST if request.method == "POST" else None)
    status = 0
    if form.is_valid():
        contact = form.cleaned_data["contact"]
        if is_landline(contact):
            form.add_error("contact", _("This looks like a landline, which gets no texts."))
        else:
            try:
                names.send_names(asker=asker_of(request, contact=contact), now=timezone.now())
            except names.NoMoreAnswers:
                form.add_error(None, _("We have sent as many answers as we may for now. Please try again tomorrow."))
                status = 429
            else:
                said = _("The answer is on its way to %(contact)s. Read it there.") % {"contact": contact}
                messages.success(request, said)
                return redirect("sign_in:forgot_name")
    return render(request, "sign_in/forgot_name.html", {"form": form}, status=status or (422 if form.errors else 200))
