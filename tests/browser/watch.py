"""What no page may do, whatever it is about: complain in the console, break the content policy, fail."""

from playwright.sync_api import BrowserContext, ConsoleMessage, Response, WebError

# Chromium says so of every 4xx; which of those are wanted is the tests' business (`response` below).
_REFUSED = "Failed to load resource: the server responded with a status of 4"
# Pages that refuse something, and htmx's requests, may answer 4xx. A style sheet or a picture may not.
_MAY_BE_REFUSED = ("document", "xhr", "fetch")


class Watch:
    def __init__(self) -> None:
        self.problems: list[str] = []

    def over(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_REFUSED):
            self.problems.append(f"console on {message.location.get('url')}: {message.text}")

    def _error(self, error: WebError) -> None:
        self.problems.append(f"script error: {error.error}")

    def _response(self, response: Response) -> None:
        refused = response.status >= 400 and response.request.resource_type not in _MAY_BE_REFUSED
        if response.status >= 500 or refused:
            self.problems.append(f"{response.status} for {response.request.method} {response.url}")
