"""Which messages are ours: the ones we sent you, and how to tell."""

from email.utils import parseaddr

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.delivery.providers import can_call, texts_from
from accounts.security.messages import example_text, lines_of, messages_to
from accounts.stepup.requests import signed_in

MESSAGES_A_PAGE = 20


@never_cache
@require_GET
def message_list(request: HttpRequest) -> HttpResponse:
    page = Paginator(messages_to(signed_in(request)), MESSAGES_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "security/messages.html", {"page_obj": page, "lines": lines_of(page)})


@login_not_required
@require_GET
def how_to_tell(request: HttpRequest) -> HttpResponse:
    """Of everybody's business: guests get codes too, and so does a mistyped number."""
    context = {
        "site_host": settings.SITE_HOST,
        "support_email": settings.SUPPORT_EMAIL,
        "texts_from": texts_from(),
        "calls_from": settings.TWILIO_FROM if can_call() else "",
        "mails_from": parseaddr(settings.DEFAULT_FROM_EMAIL)[1],
        "example": example_text(shop=settings.SHOP_NAME, site_host=settings.SITE_HOST),
    }
    return render(request, "security/how_to_tell.html", context)
