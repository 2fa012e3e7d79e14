"""The box "Don't ask for a code here": kept in the session from the answer to the end of the sign-in."""

from django.http import HttpRequest

from accounts.stepup.models import Challenge, Purpose

FIELD = "trust"
_KEY = "trust_wish"


def may_wish(challenge: Challenge) -> bool:
    """Shoppers at sign-in. Never for staff, a payment or a change of the account."""
    return challenge.purpose == Purpose.SIGN_IN and challenge.user is not None and not challenge.user.is_staff


def note(request: HttpRequest, challenge: Challenge) -> None:
    """Called with every answer to a challenge, whatever its factor; the latest counts."""
    if may_wish(challenge) and request.POST.get(FIELD):
        request.session[_KEY] = str(challenge.pk)
    elif _KEY in request.session:
        del request.session[_KEY]


def wished(request: HttpRequest, challenge: Challenge) -> bool:
    return may_wish(challenge) and request.session.get(_KEY) == str(challenge.pk)


def forget(request: HttpRequest) -> None:
    request.session.pop(_KEY, None)
