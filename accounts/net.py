"""Where a request comes from."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str | None:
    """The visitor's address; of X-Forwarded-For only what our own proxies wrote is believed (TRUSTED_PROXIES)."""
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    depth = settings.TRUSTED_PROXIES
    address = hops[-depth] if depth and len(hops) >= depth else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ip_address(address.partition("%")[0]))  # without an IPv6 zone, which the database refuses
    except ValueError:
        return None


def user_agent_of(request: HttpRequest) -> str:
    """What the browser says of itself, cut to what is kept of it."""
    return request.headers.get("User-Agent", "").replace("\x00", "")[:300]
