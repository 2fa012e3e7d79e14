import re

import pytest

from accounts import audit
from accounts.delivery.gsm import SEGMENT, plain, septets
from accounts.delivery.models import Channel, DemoMessage, Message, State
from accounts.factors import notices
from accounts.factors.email import Mailbox
from accounts.factors.notices import NOT_TOLD, SENTENCES, WayBack, tell_owner
from accounts.factors.text import Phone
from accounts.models import SecurityEvent
from tests.servers.phone import Phone as Telephone
from tests.servers.phone import by

Kind = SecurityEvent.Kind
LANDLINE = "+493012345678"


def tell(user, kind=Kind.PASSWORD_CHANGED, ip=None, **how):
    event = audit.record(kind, user=user, ip=ip)
    tell_owner(user, event, **how)
    return event


def told():
    return set(Message.objects.filter(kind=Message.Kind.NOTICE).values_list("channel", "destination"))


EMAIL, TEXT = ("email", "ada@example.org"), ("text", "+4915112345678")


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_told_or_known_to_need_no_notice(kind):
    """Fails for a new kind until somebody decides."""
    assert (kind in SENTENCES) != (kind in NOT_TOLD)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, {EMAIL}),
        ({"everywhere": True}, {EMAIL, TEXT}),
        ({"without": ["ada@example.org"]}, {TEXT}),
        ({"without": [Channel.EMAIL]}, {TEXT}),
        ({"everywhere": True, "without": ["+4915112345678"]}, {EMAIL}),
        ({"everywhere": True, "without": [Channel.TEXT, Channel.CALL]}, {EMAIL}),
        ({"also": ["old@example.org"]}, {EMAIL, ("email", "old@example.org")}),
        ({"also": ["+4915100000001"]}, {EMAIL, ("text", "+4915100000001")}),
        ({"without": ["ada@example.org"], "also": ["ada@example.org"]}, {TEXT, EMAIL}),
        ({"also": ["ada@example.org"]}, {EMAIL}),
    ],
)  # fmt: skip
def test_it_tells_the_channels_that_did_not_change_and_those_no_longer_on_the_account(ada, how, expected):
    tell(ada, **how)
    assert told() == expected


def test_it_tells_no_channel_that_is_not_proven(ada):
    Mailbox.objects.update(confirmed=False)
    tell(ada)
    assert told() == {TEXT}


def test_a_landline_is_called_and_a_mobile_texted(cleo):
    Phone.objects.create(user=cleo, number=LANDLINE)
    tell(cleo)
    assert told() == {("call", LANDLINE), ("text", "+4915187654321")}


def test_a_landline_is_texted_where_the_shop_can_not_call(cleo, settings):
    settings.TWILIO_FROM = "Countersign"
    tell(cleo, without=["+4915187654321"], also=[LANDLINE])
    assert told() == {("text", LANDLINE)}


def test_a_mail_says_what_when_from_where_and_what_to_do(ada, deliver):
    event = tell(ada, ip="198.51.100.7")
    deliver()
    mail = DemoMessage.objects.get()
    for body in (mail.text, mail.html):
        assert "The password of your account was changed." in body
        assert "from the address 198.51.100.7" in body and f"{event.at:%Y}" in body
        assert "open Account, Security and press" in body
        assert "http://localhost:8000/account/security/" in body


@pytest.mark.parametrize("kind", [Kind.PASSWORD_CHANGED, Kind.ACCOUNT_LOCKED])
def test_whose_password_may_no_longer_work_is_led_to_a_new_one(ada, deliver, kind):
    tell(ada, kind, everywhere=True)
    deliver()
    assert all("http://localhost:8000/account/reset/" in message.text for message in DemoMessage.objects.all())


@pytest.mark.parametrize("kind", SENTENCES)
def test_no_notice_carries_a_link_that_signs_in_nor_a_code(ada, deliver, kind):
    tell(ada, kind, everywhere=True)
    deliver()
    shop = "http://localhost:8000"
    harmless = ("", "/account/security/", "/account/reset/", "/account/messages/", "/account/messages/how-to-tell/")
    allowed = {f"{shop}{path}" for path in harmless}
    for message in DemoMessage.objects.all():
        links = re.findall(r"https?://[^\s\"<>]+", message.text + message.html)
        assert set(links) <= allowed
        assert not re.search(r"\b[0-9]{6}\b", message.text)


@pytest.mark.parametrize("kind", SENTENCES)
def test_a_text_is_of_the_plain_alphabet_and_two_segments_at_most(ada, deliver, kind):
    audit.record(kind, user=ada)
    event = audit.record(
        kind, user=ada, ip="2001:db8:1111:2222:3333:4444:5555:6666", factor="authenticator", name="old phone"
    )
    tell_owner(ada, event, everywhere=True)
    deliver()
    text = DemoMessage.objects.get(message__channel="text").text
    assert plain(text) == text
    assert septets(text) <= 2 * (SEGMENT - 7)  # each part of a long text gives seven septets to its header


def test_a_closed_account_is_led_to_support_and_not_to_a_page_it_can_not_open(ada, deliver, settings):
    settings.SUPPORT_EMAIL = "help@example.org"
    tell(ada, Kind.ACCOUNT_CLOSED, everywhere=True)
    deliver()
    for message in DemoMessage.objects.all():
        assert "write to help@example.org" in message.text
        links = set(re.findall(r"/account/[^\s\"<]*", message.text + message.html))
        assert links <= {"/account/messages/how-to-tell/"}


def test_a_way_back_is_offered_where_there_is_one(ada, deliver, monkeypatch):
    monkeypatch.setitem(
        notices._ways_back,
        Kind.EMAIL_CHANGED,
        WayBack("Undo it:", lambda event, message: "/undo/x/" if message.destination == "old@example.org" else ""),
    )
    tell(ada, Kind.EMAIL_CHANGED, also=["old@example.org"])
    deliver()
    old = DemoMessage.objects.get(message__destination="old@example.org")
    assert "Undo it:\nhttp://localhost:8000/undo/x/" in old.text and 'href="http://localhost:8000/undo/x/"' in old.html
    assert "Undo" not in DemoMessage.objects.get(message__destination="ada@example.org").text


# --- by call ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def call(cleo, twilio, deliver):
    tell(cleo, without=["+4915187654321"], also=[LANDLINE])
    deliver()
    return twilio.calls[0]


def test_a_call_says_what_happened_to_somebody_who_presses_a_key(call, twilio, client):
    heard = Telephone(twilio, through=by(client)).takes(call, presses="5")
    assert heard.before[0] == "Hello, this is Countersign."
    assert "password" not in " ".join(heard.before).replace("a code or a password", "")
    assert heard.after[0] == "The password of your account was changed."
    assert heard.after[-1] == "Goodbye."
    assert Message.objects.get().state == State.DELIVERED


def test_an_answering_machine_is_not_told_what_happened(call, twilio, client):
    heard = Telephone(twilio, through=by(client)).takes(call)
    assert heard.before[-1] == "No key was pressed, so we say no more. It is all on the page too. Goodbye."
    assert "was changed" not in " ".join(heard.before)


def test_a_call_says_it_once(call, twilio, client):
    telephone = Telephone(twilio, through=by(client))
    telephone.takes(call, presses="5")
    assert "This is over, or was said already." in telephone.takes(call, presses="5").after[0]
