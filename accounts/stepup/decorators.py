from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from accounts.stepup import grants, levels, policy
from accounts.stepup.browser import browser_of
from accounts.stepup.challenges import ChallengeOver, begin
from accounts.stepup.digest import own_digest
from accounts.stepup.requests import asker_of, signed_in

View = Callable[..., HttpResponse]


def step_up(purpose: str) -> Callable[[View], View]:
    """Let the view run only with a proof for `purpose` that the policy finds strong and fresh enough.

    Where the policy lets a recent sign-in count, that serves; else the person is led through a challenge and comes
    back: to the same page, which for that answers GET too where it takes POST. The digest of such a purpose is over
    the purpose and the person alone. A purpose that asks every time leaves its grant to the view, whose service uses
    it up (`grants.use` with `own_digest`) in the transaction of what it allows.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if levels.has_recent_proof(request, purpose) or _has_grant(request, purpose):
                return view(request, *args, **kwargs)
            try:
                challenge = begin(
                    asker=asker_of(request),
                    purpose=purpose,
                    digest=own_digest(purpose, signed_in(request).pk),
                    next_path=request.get_full_path()[:200],
                )
            except policy.NoFactor as why:
                messages.error(request, str(why))
                return redirect("security:overview")
            except ChallengeOver:  # two tabs at the same moment
                messages.info(request, _("Please try again."))
                return redirect("security:overview")
            return redirect("stepup:challenge", challenge.pk)

        guarded.stepup_purpose = purpose  # type: ignore[attr-defined]
        return guarded

    return decorate


def _has_grant(request: HttpRequest, purpose: str) -> bool:
    if policy.rule(purpose, request.user).recent is not None:
        return False
    user = signed_in(request)
    digest = own_digest(purpose, user.pk)
    return grants.find(browser=browser_of(request), purpose=purpose, digest=digest, user=user) is not None


def staff_only(view: View) -> View:
    """For staff who proved it with an authenticator. Others of the staff are led to it; strangers get 404."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_staff:
            raise Http404
        if not levels.has_staff_level(request):
            return redirect(f"{reverse('sign_in:staff')}?{urlencode({'next': request.get_full_path()})}")
        return view(request, *args, **kwargs)

    guarded.staff_only = True  # type: ignore[attr-defined]
    return guarded
