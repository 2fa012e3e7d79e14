"""What a call says, as TwiML: a greeting, and the rest when a key was pressed, so that no answering machine hears it.

Nothing of it is kept. A line of single digits is said digit by digit, with a pause after each.
Source: Twilio docs, "TwiML Voice: <Say>" (its languages) and "<Gather>".
"""

import re
from datetime import datetime

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from twilio.twiml.voice_response import Gather, VoiceResponse

from accounts.delivery.composing import Content, writer_of
from accounts.delivery.models import Message, State
from accounts.delivery.providers.twilio import voice_url
from accounts.delivery.services import move

# The voices we ask for; in a language without one, the call speaks English.
VOICES = {
    "da": "da-DK", "de": "de-DE", "en": "en-GB", "en-us": "en-US", "es": "es-ES", "fi": "fi-FI", "fr": "fr-FR",
    "it": "it-IT", "nb": "nb-NO", "nl": "nl-NL", "pl": "pl-PL", "pt": "pt-PT", "pt-br": "pt-BR", "sv": "sv-SE",
}  # fmt: skip

KEY_WITHIN = 8  # seconds after the greeting
_DIGITS = re.compile(r"[0-9]( [0-9])+")


def greet(message: Message | None, now: datetime | None = None) -> str:
    """The first words, to whoever or whatever answered. A key posts to the same address again."""
    now = now or timezone.now()
    with translation.override(_language(message)):
        content = writer_of(message).compose(message, now) if message else None
        if message is None or content is None:
            return _over(message)
        move(message.pk, State.SENT, sent_at=now)
        twiml = VoiceResponse()
        # No finishOnKey: else the # would end the gathering instead of being any key.
        key = twiml.gather(action=voice_url(message), method="POST", num_digits=1, finish_on_key="", timeout=KEY_WITHIN)
        _say(key, content.text)
        if message.kind == Message.Kind.NOTICE:
            _say(twiml, _("No key was pressed, so we say no more. It is all on the page too. Goodbye."))
        else:
            _say(twiml, _("No key was pressed, so we say no code. You can ask for another call on the page. Goodbye."))
    return _ended(twiml)


def tell(message: Message | None, now: datetime | None = None) -> str:
    """What was announced, to a person who pressed a key. It is said once a call: a repeated request gets nothing."""
    now = now or timezone.now()
    with translation.override(_language(message)):
        content = after_key(message, now) if message else None
        if message is None or content is None or not move(message.pk, State.DELIVERED, delivered_at=now):
            return _over(message)
        twiml = VoiceResponse()
        _say(twiml, content.text)
    return _ended(twiml)


def after_key(message: Message, now: datetime) -> Content | None:
    with translation.override(_language(message)):
        return writer_of(message).after_key(message, now)


def _language(message: Message | None) -> str:
    language = (message.language if message else settings.LANGUAGE_CODE).lower()
    return next((each for each in (language, language.partition("-")[0]) if each in VOICES), "en")


def _over(message: Message | None) -> str:
    twiml = VoiceResponse()
    if message and message.kind == Message.Kind.NOTICE:
        _say(twiml, _("This is over, or was said already. It is all on the page too. Goodbye."))
    else:
        _say(twiml, _("This code is over, or was said already. Please ask for a new one on the page. Goodbye."))
    return _ended(twiml)


@sensitive_variables("text", "line", "digit")
def _say(to: VoiceResponse | Gather, text: str) -> None:
    voice = VOICES.get(translation.get_language() or "", VOICES["en"])
    for line in filter(None, map(str.strip, text.splitlines())):
        if _DIGITS.fullmatch(line):
            for digit in line.split():
                to.say(digit, language=voice)
                to.pause(length=1)
        else:
            to.say(line, language=voice)


def _ended(twiml: VoiceResponse) -> str:
    twiml.hangup()
    return str(twiml)
