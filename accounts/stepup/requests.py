"""What a view knows of its visitor."""

from django.http import HttpRequest

from accounts.models import User
from accounts.net import client_ip
from accounts.stepup.browser import browser_of
from accounts.stepup.challenges import Asker


def signed_in(request: HttpRequest) -> User:
    """The signed-in person; views that need one are behind the sign-in, so anybody else is a mistake of ours."""
    if not request.user.is_authenticated:
        raise ValueError("nobody is signed in")
    return request.user


def asker_of(request: HttpRequest, *, contact: str = "") -> Asker:
    """The visitor of this request: the signed-in person or, with `contact`, the guest who says to have it."""
    user = None if contact else signed_in(request)
    return Asker(browser=browser_of(request), user=user, contact=contact, ip=client_ip(request))
