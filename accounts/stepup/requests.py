from django.http import HttpRequest

from accounts.models import User
from accounts.net import client_ip
from accounts.stepup.browser import browser_of
from accounts.stepup.challenges import Asker


def asker_of(request: HttpRequest, *, contact: str = "") -> Asker:
    """The visitor of this request: the signed-in person or, with `contact`, the guest who says to have it."""
    if contact:
        return Asker(browser=browser_of(request), contact=contact, ip=client_ip(request))
    if not request.user.is_authenticated:
        raise ValueError("a visitor without an account needs a contact")
    return Asker(browser=browser_of(request), user=request.user, ip=client_ip(request))


def signed_in(request: HttpRequest) -> User:
    """The person of a page that LoginRequiredMiddleware guards."""
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user
