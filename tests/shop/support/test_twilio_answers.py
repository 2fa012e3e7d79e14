"""All that Twilio may answer, from the hand-over to the pages.

What becomes of the message, whether and when it is tried again, what the shopper reads, and what support sees.
"""

import html
import re
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.delivery import textable
from accounts.delivery.models import Alarm, Message
from accounts.delivery.services import hand_over
from tests.accounts.delivery.conftest import fresh
from tests.accounts.sign_in.steps import challenge_of, type_password
from tests.codes import code_of
from tests.servers.twilio import Accept, CutAfter, CutBefore, Garbage, Hang, Refuse, ServerError, TooMany

OTHERWISE = "Call me instead"  # the one tap, where the text has failed
UNKNOWN = "It is not known whether it left. If nothing comes, ask for it again."


@dataclass(frozen=True)
class Seen:
    """`again`: after how many seconds it is tried once more. `reads` is on the shopper's page, `support` in the row."""

    state: str
    reads: str
    support: str
    reason: str = ""
    code: str = ""
    again: int | None = None
    alarm: str = ""
    untexted: bool = False  # the number gets no more texts


FAILED = "Could not be delivered: "
NO_NUMBER = "this number can't receive messages"
STOPPED = "this number answered STOP to us; text START to +15017122661 to get messages again"
COUNTRY = "we can't send texts to this country"
LANDLINE = "this looks like a landline, which can't receive texts"
CARRIER = "the carrier could not deliver it"
OURS = "our provider refused it"


def failed(words, code, reason, support="", **more):
    return Seen("failed", f"{FAILED}{words}. Use another way below.",
                f"not delivered {support or words} twilio: {code}".rstrip(": "), reason, code, **more)  # fmt: skip


def waits(seconds):
    return Seen("queued", "On its way", "waiting twilio not taken, 1 try; again at", again=seconds)


NOBODY_KNOWS = Seen("unknown", UNKNOWN, "not known whether it left twilio")
HANDED_OVER = Seen("handed_over", "Handed to the carrier", "handed to the carrier twilio")

ANSWERS = {
    "201": (Accept(), HANDED_OVER),
    "400 invalid number": (Refuse(21211), failed(NO_NUMBER, "21211", "bad_number", untexted=True)),
    "400 no mobile": (Refuse(21614), failed(NO_NUMBER, "21614", "bad_number", untexted=True)),
    "400 wrote STOP": (Refuse(21610), failed(STOPPED, "21610", "opted_out", untexted=True)),
    "400 country not allowed": (Refuse(21408), failed(COUNTRY, "21408", "country")),
    "400 no route": (Refuse(21612), failed(COUNTRY, "21612", "country")),
    "400 landline": (Refuse(21635), failed(LANDLINE, "21635", "landline", untexted=True)),
    "400 unheard of": (Refuse(99999), failed(OURS, "99999", "provider")),
    "401 credentials": (Refuse(20003), failed(OURS, "20003", "provider", alarm="credentials")),
    "404": (Refuse(20404, 404), failed(OURS, "20404", "provider")),
    "429, come back in 7": (TooMany(retry_after=7), waits(7)),
    "429": (TooMany(retry_after=None), waits(2)),
    "503, come back in 9": (ServerError(503, retry_after=9), waits(9)),
    "503": (ServerError(503), waits(2)),
    "500": (ServerError(500), NOBODY_KNOWS),
    "silence": (Hang(5), NOBODY_KNOWS),
    "cut before it was read": (CutBefore(), NOBODY_KNOWS),
    "cut after it was taken": (CutAfter(), NOBODY_KNOWS),
    "garbage": (Garbage(), NOBODY_KNOWS),
    "garbage, but taken": (Garbage(accepted=True), NOBODY_KNOWS),
    "a hotel's network": (Garbage(302), NOBODY_KNOWS),
}

REPORTS = {
    "sent": (None, Seen("sent", "Sent 0 s ago", "sent twilio")),
    "delivered": (None, Seen("delivered", "Delivered 0 s ago", "delivered twilio")),
    "undelivered": (30003, failed(CARRIER, "30003", "carrier")),
    "undelivered, blocked": (30004, failed(CARRIER, "30004", "carrier")),
    "undelivered, nobody has it": (30005, failed(NO_NUMBER, "30005", "bad_number")),
    "undelivered, landline": (30006, failed(LANDLINE, "30006", "landline")),
    "undelivered, filtered": (30007, failed(CARRIER, "30007", "carrier")),
    "failed, STOP": (21610, failed(STOPPED, "21610", "opted_out", untexted=True)),
    "failed": (None, failed(CARRIER, "", "carrier")),
}


@pytest.fixture
def seen_by(client, cleo, sam, as_staff):
    """What the two pages say of Cleo's newest code, as one reads it."""
    sam.user_permissions.add(Permission.objects.get(codename="support_people"))
    console = as_staff(sam)

    def read(answer, part):
        found = re.search(part, answer.content.decode(), re.S)
        assert found, part
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", found.group(1))).split())

    def seen_by():
        shopper = client.get(reverse("stepup:challenge", args=[challenge_of(client).pk]))
        support = console.get(reverse("support:person", args=[cleo.pk]))
        assert code_of(challenge_of(client)) not in support.content.decode()
        return read(shopper, r'<p class="delivery-state.*?<span>(.*?)</span>'), read(shopper, "(<main.*</main>)"), read(
            support, 'data-label="State">(.*?)</td>'
        )  # fmt: skip

    return seen_by


def check(expected, message, seen_by, cleo_s_number):
    message = fresh(message)
    assert (message.state, message.reason, message.provider_code) == (expected.state, expected.reason, expected.code)
    line, page, support = seen_by()
    assert re.sub(r" \d+ s ago", "", line) == re.sub(r" \d+ s ago", "", expected.reads)
    assert (OTHERWISE in page) == (expected.state == "failed")
    assert support.startswith(expected.support), support
    assert set(Alarm.objects.values_list("kind", flat=True)) == ({expected.alarm} if expected.alarm else set())
    assert (cleo_s_number in textable.reasons([cleo_s_number])) == expected.untexted


@pytest.mark.parametrize("name", ANSWERS)
def test_what_twilio_answers(client, cleo, deliver, twilio, settings, time_machine, seen_by, name):
    settings.PROVIDER_TIMEOUT = 0.3
    behaviour, expected = ANSWERS[name]
    twilio.answer_next(behaviour)
    type_password(client, "+4915187654321")
    message = Message.objects.get()
    time_machine.move_to(message.not_before, tick=False)
    deliver()
    check(expected, message, seen_by, "+4915187654321")
    requests = len(twilio.requests)
    assert requests == (0 if isinstance(behaviour, CutBefore) else 1)
    if expected.again is not None:  # not a moment earlier
        time_machine.move_to(message.not_before + timedelta(seconds=expected.again - 0.01), tick=False)
        hand_over(message.pk)
        assert len(twilio.requests) == requests
    time_machine.move_to(message.not_before + timedelta(seconds=expected.again or 60), tick=False)
    hand_over(message.pk)
    assert len(twilio.requests) == requests + (expected.again is not None)  # what may have been taken is not repeated
    assert fresh(message).state == ("handed_over" if expected.again is not None else expected.state)
    assert len({request.form["Body"] for request in twilio.requests}) <= 1  # the same code each time


@pytest.mark.parametrize("name", REPORTS)
def test_what_twilio_reports_later(client, cleo, deliver, twilio, seen_by, name):
    error_code, expected = REPORTS[name]
    type_password(client, "+4915187654321")
    deliver()
    message = Message.objects.get()
    webhook = twilio.status_webhook(message.provider_id, name.partition(",")[0], error_code=error_code)
    path = "/" + webhook.url.split("/", 3)[3]
    assert client.post(path, webhook.form, headers=webhook.headers).status_code == 204
    check(expected, message, seen_by, "+4915187654321")
