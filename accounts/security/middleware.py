from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.http import HttpRequest, HttpResponse

from accounts.net import client_ip, user_agent_of
from accounts.security.session_engine import SessionStore


class SessionMiddleware(DjangoSessionMiddleware):
    """Django's, which also tells the session where it is used."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        if isinstance(request.session, SessionStore):
            request.session.ip, request.session.user_agent = client_ip(request), user_agent_of(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        session = getattr(request, "session", None)  # not there where a middleware before this one answered
        if isinstance(session, SessionStore) and response.status_code < 500:
            session.note_use()
        return response
