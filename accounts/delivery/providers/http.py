"""What is true of every provider that is asked over HTTP with requests."""

from collections.abc import Mapping

import requests
from urllib3.exceptions import NewConnectionError


def retry_after(headers: Mapping[str, str] | None) -> float | None:
    """Retry-After, where it is a number of seconds, as theirs is."""
    asked = (headers or {}).get("Retry-After", "")
    return float(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else None


def never_connected(error: requests.exceptions.ConnectionError) -> bool:
    """Refused or unresolved: no byte of the message left. A line that was cut later is another matter."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)
