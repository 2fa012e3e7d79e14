"""The telephone of a test: it is called by a `TwilioServer`, and walks the shop's TwiML as Twilio does.

    heard = Phone(twilio).takes(call, presses="5")      # over HTTP, to where the call's URL leads
    heard = Phone(twilio, through=by(client)).takes(call)   # by Django's test client, in this process

Source: Twilio docs, "TwiML Voice": verbs are run one after the other; a `<Gather>` that gets its digits posts them to
its action and goes on with that document, one that gets none falls through to the next verb; after the last verb, or
`<Hangup>`, the call is over. An answer that is no TwiML is an "application error" (11200, 12100), and ends it too.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .twilio import Call, TwilioServer, Webhook

Send = Callable[[Webhook], tuple[int, str]]


@dataclass
class Heard:
    """`before` and `after` the key: each thing said, "…" for a pause. `languages` of all of it."""

    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    languages: set[str] = field(default_factory=set)
    documents: list[str] = field(default_factory=list)
    error: int | None = None

    @property
    def digits(self) -> str:
        """What was said digit by digit."""
        return "".join(said for said in self.after if len(said) == 1 and said.isdigit())


def _over_http(webhook: Webhook) -> tuple[int, str]:
    response = webhook.send()
    return response.status_code, response.text


def by(client: Any, **more: Any) -> Send:
    """Webhooks go to Django's test client."""

    def send(webhook: Webhook) -> tuple[int, str]:
        assert webhook.method == "POST"
        answer = client.post("/" + webhook.url.split("/", 3)[3], webhook.form, headers=webhook.headers, **more)
        return answer.status_code, answer.content.decode()

    return send


class Phone:
    def __init__(self, server: TwilioServer, through: Send = _over_http) -> None:
        self.server, self.through = server, through

    def takes(self, call: Call, presses: str | None = None) -> Heard:
        """Somebody answers (a machine, if nothing is pressed) and listens until the end, which is reported."""
        heard = Heard()
        self.reports(call, "in-progress")
        said, action = heard.before, self._fetch(call, heard, None, call.url)
        while action is not None:
            action = self._listen(action, said, heard, presses)
            if action is not None:
                said, action = heard.after, self._fetch(call, heard, presses, action)
        self.reports(call, "completed")
        return heard

    def reports(self, call: Call, status: str, error_code: int | None = None) -> int:
        return self.through(self.server.status_webhook(call.sid, status, error_code=error_code))[0]

    def _fetch(self, call: Call, heard: Heard, digits: str | None, url: str | None) -> str | None:
        status, document = self.through(self.server.twiml_webhook(call, digits=digits, url=url))
        if status != 200:
            heard.error = 11200
            return None
        heard.documents.append(document)
        return document

    def _listen(self, document: str, said: list[str], heard: Heard, presses: str | None) -> str | None:
        """Run the verbs; the action of a Gather in which a key was pressed."""
        response = ET.fromstring(document)
        if response.tag != "Response":
            heard.error = 12100
            return None
        for verb in response:
            if verb.tag == "Gather":
                for nested in verb:
                    self._say(nested, said, heard)
                ends = verb.get("finishOnKey", "#")
                if presses and presses != ends:
                    assert verb.get("method", "POST") == "POST"
                    return verb.get("action")
            elif verb.tag == "Hangup":
                return None
            else:
                self._say(verb, said, heard)
        return None

    def _say(self, verb: ET.Element, said: list[str], heard: Heard) -> None:
        if verb.tag == "Pause":
            said.append("…")
        elif verb.tag == "Say":
            said.append(verb.text or "")
            heard.languages.add(verb.get("language", "en-US"))
        else:
            raise ValueError(f"a verb that nobody expected: {verb.tag}")
