"""The challenge page, the line on delivery, and what the messages say."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery import gsm
from accounts.delivery.models import DemoMessage, Message, State
from accounts.factors.backup_code import make_backup_codes
from accounts.models import SecurityEvent
from accounts.stepup import messages
from accounts.stepup.models import Challenge, Purpose
from tests.accounts.sign_in.steps import challenge_of, choose, is_signed_in, sign_in, type_code, type_password
from tests.codes import code_of, wrong_code_of
from tests.servers.phone import Phone, by


def page_of(client):
    return client.get(reverse("stepup:challenge", args=[challenge_of(client).pk])).content.decode()


def state_of(client, seen=""):
    url = reverse("stepup:delivery_state", args=[challenge_of(client).pk])
    answer = client.get(url, {"seen": seen}, headers={"HX-Request": "true"})
    return " ".join(answer.content.decode().split())


@pytest.fixture
def asking_ben(client, ben):
    """Ben's browser, which waits for the code of his sign-in."""
    type_password(client, "ben@example.org")
    return client


# --- the page --------------------------------------------------------------------------------------------------------


def test_it_says_where_the_code_went_masked(asking_ben):
    page = page_of(asking_ben)
    assert "b•••@example.org" in page
    assert "ben@example.org" not in page
    assert code_of(challenge_of(asking_ben)) not in page
    assert 'autocomplete="one-time-code"' in page


def test_it_offers_the_other_ways_and_asks_each_in_its_words(client, ada):
    make_backup_codes(ada)
    type_password(client, "ada@example.org")
    page = page_of(client)
    assert "Open your authenticator app" in page
    for way in (
        "Text a code to +49 ••• ••78",
        "Call +49 ••• ••78 and say a code",
        "E-mail a code to a•••@example.org",
        "Use one of your 10 backup codes",
    ):
        assert way in page
    choose(client, "text")
    assert "We texted a code to" in page_of(client)
    assert "Text a code to" not in page_of(client)
    choose(client, "backup_code")
    page = page_of(client)
    assert "Type one of the backup codes" in page
    assert 'autocomplete="off"' in page
    assert Message.objects.count() == 1


def test_a_resend_waits_for_the_countdown(asking_ben, time_machine):
    page = page_of(asking_ben)
    assert 'data-countdown-enables="resend"' in page
    answer = choose(asking_ben, "email")
    assert answer.status_code == 429
    assert "You can ask again in" in answer.content.decode()
    time_machine.move_to(timezone.now() + timedelta(seconds=31))
    assert "data-countdown-until" not in page_of(asking_ben)
    assert choose(asking_ben, "email").status_code == 302
    assert Message.objects.count() == 2
    assert Challenge.objects.count() == 1


def test_it_offers_no_more_sends_than_there_are(asking_ben, time_machine):
    now = timezone.now()
    for minute in range(1, 5):
        Challenge.objects.update(expires_at=now + timedelta(hours=1))
        time_machine.move_to(now + timedelta(minutes=3 * minute))
        assert choose(asking_ben, "email").status_code == 302
    assert 'id="resend"' not in page_of(asking_ben)
    time_machine.move_to(now + timedelta(minutes=30))
    assert choose(asking_ben, "email").status_code == 429


@pytest.mark.parametrize("factor", ["", "nonsense", "text", "passkey", "\x00", "x" * 1000])
def test_a_way_the_person_doesnt_have_is_answered_calmly(asking_ben, factor):
    assert choose(asking_ben, factor).status_code in (404, 410, 422, 429)
    assert Message.objects.count() == 1


@pytest.mark.parametrize("gap", [" ", "-", "\u00a0"])
def test_a_code_in_two_halves_is_fine(asking_ben, gap):
    code = code_of(challenge_of(asking_ben))
    assert type_code(asking_ben, f" {code[:3]}{gap}{code[3:]} ").status_code == 302


@pytest.mark.parametrize(
    "code", ["１２３４５６", "+12345", "-12345a", "12345", "1234567", "1e5", "٣٤٥٦٧٨", "1" * 10_000, "", "\x00"]
)
def test_what_is_no_code_costs_no_attempt(asking_ben, code):
    answer = asking_ben.post(reverse("stepup:challenge", args=[challenge_of(asking_ben).pk]), {"code": code})
    assert answer.status_code == 422
    assert challenge_of(asking_ben).attempts_left == 5


def test_leading_zeros_are_kept(client, ben, monkeypatch, deliver):
    monkeypatch.setattr("accounts.stepup.codes.derive_code", lambda *_: "000042")
    type_password(client, "ben@example.org")
    deliver()
    assert "000042" in DemoMessage.objects.get().text
    assert type_code(client, "42").status_code == 422
    assert challenge_of(client).attempts_left == 5
    assert type_code(client, "000042").status_code == 302


def test_the_last_wrong_code_ends_it_and_a_new_one_is_offered(asking_ben):
    challenge = challenge_of(asking_ben)
    answers = [type_code(asking_ben, wrong_code_of(challenge)) for _ in range(5)]
    assert answers[-1].status_code == 410
    page = answers[-1].content.decode()
    assert "This code is over" in page
    assert reverse("stepup:again", args=[challenge.pk]) in page
    assert page_of(asking_ben).count("This code is over</h2>") == 1  # the title says so too
    asking_ben.post(reverse("stepup:again", args=[challenge.pk]))
    fresh = challenge_of(asking_ben)
    assert fresh != challenge
    assert code_of(fresh) != code_of(challenge)
    asking_ben.get(type_code(asking_ben).url)
    assert is_signed_in(asking_ben)


def test_a_resting_factor_is_told_and_the_others_stay(client, ada, time_machine):
    make_backup_codes(ada)
    now = timezone.now()
    for turn in range(3):
        time_machine.move_to(now + timedelta(minutes=3 * turn))
        browser = Client()
        type_password(browser, "ada@example.org")
        assert choose(browser, "text").status_code == 302
        challenge = challenge_of(browser)
        answers = [type_code(browser, wrong_code_of(challenge)) for _ in range(4)]
    assert "Too many wrong codes. This way rests for" in answers[-1].content.decode()
    assert "E-mail a code to" in answers[-1].content.decode()
    event = SecurityEvent.objects.get(kind=SecurityEvent.Kind.FACTOR_RESTING)
    assert Message.objects.filter(kind="notice", reference=str(event.pk)).count() == 1


def test_a_payment_shows_amount_and_shop(client, ben):
    sign_in(client, ben)
    Challenge.objects.update(
        purpose=Purpose.PAY, state="live", summary={"amount": "€ 42.00", "shop": "Tom & Co"}, passed_at=None
    )
    page = page_of(client)
    assert "<h1>Approve € 42.00</h1>" in page
    assert "to Tom &amp; Co." in page


def test_nothing_is_shown_of_a_challenge_that_isnt_there(client, db):
    url = reverse("stepup:challenge", args=["00000000-0000-0000-0000-000000000000"])
    answer = client.get(url)
    assert answer.status_code == 404
    assert "Nothing to confirm here" in answer.content.decode()


def test_somebody_else_signed_in_doesnt_see_it(asking_ben, mallory):
    challenge = challenge_of(asking_ben)
    asking_ben.force_login(mallory)
    session = asking_ben.session
    assert session["browser"]
    assert asking_ben.get(reverse("stepup:challenge", args=[challenge.pk])).status_code == 404


# --- the line on delivery --------------------------------------------------------------------------------------------


def test_it_asks_again_while_the_message_moves_and_then_stops(asking_ben, deliver):
    assert "hx-get" in page_of(asking_ben)
    Message.objects.update(state=State.SENT, sent_at=timezone.now() - timedelta(seconds=12))
    line = state_of(asking_ben, seen="queued")
    assert "hx-get" in line
    assert "Sent 12 s ago" in line
    assert "delivery-news" in line
    assert "delivery-news" not in state_of(asking_ben, seen="sent")
    Message.objects.update(state=State.DELIVERED, delivered_at=timezone.now())
    line = state_of(asking_ben, seen="sent")
    assert "hx-get" not in line
    assert "Delivered" in line


def test_it_says_why_it_was_not_delivered(asking_ben):
    Message.objects.update(state=State.FAILED, reason="bad_mailbox", ended_at=timezone.now())
    line = state_of(asking_ben, seen="sent")
    assert "Could not be delivered: this mailbox doesn&#x27;t exist" in line
    assert "hx-get" not in line


@pytest.mark.parametrize("state", State)
def test_every_state_has_words(asking_ben, state):
    Message.objects.update(state=state)
    line = re.sub(r"<[^>]*>", "", state_of(asking_ben)).strip()
    assert line


def test_it_stops_asking_when_the_challenge_is_over(asking_ben, time_machine):
    time_machine.move_to(timezone.now() + timedelta(minutes=11))
    assert "hx-get" not in state_of(asking_ben)


def test_without_htmx_the_line_leads_back_to_the_page(asking_ben):
    challenge = challenge_of(asking_ben)
    answer = asking_ben.get(reverse("stepup:delivery_state", args=[challenge.pk]))
    assert answer.url == reverse("stepup:challenge", args=[challenge.pk])


# --- calls -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def called(client, cleo):
    """Cleo's browser, while we call her."""
    type_password(client, "+4915187654321")
    Challenge.objects.update(next_send_at=None)
    choose(client, "call")
    return client


def call_of(client):
    return Message.objects.get(challenge=challenge_of(client), channel="call")


def test_who_is_called_is_told_what_to_do(called):
    page = page_of(called)
    assert "We call <strong" in page and "press any key" in page
    assert "Call again" in page and "Send it again" not in page
    assert "Text a code to +49 ••• ••21" in page and "and say a code" not in page
    assert "+4915187654321" not in page


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("queued", "We are about to call"),
        ("handing_over", "We are about to call"),
        ("handed_over", "Calling…"),
        ("sent", "Answered: press any key to hear the code"),
        ("delivered", "Answered, and the code was said 0 s ago"),
        ("expired", "Not called: it took too long."),
        ("unknown", "It is not known whether we are calling."),
    ],
)
def test_it_says_where_the_call_is(called, state, words):
    Message.objects.filter(channel="call").update(state=state)
    line = state_of(called)
    assert words in re.sub("<[^>]*>", " ", line)
    assert ("hx-get" in line) == (state in ("queued", "handing_over", "handed_over", "sent", "unknown"))


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("no_answer", "No code was said: nobody answered, or the line was busy. Try a text, or another way below."),
        ("no_key", "No code was said: the call was taken, but no key was pressed. Try a text, or another way below."),
    ],
)
def test_it_says_why_no_code_was_said(called, reason, words):
    Message.objects.filter(channel="call").update(state=State.FAILED, reason=reason, ended_at=timezone.now())
    assert words in state_of(called)
    assert "Call again" in page_of(called)


def test_when_a_call_is_over_another_one_is_offered(called):
    Challenge.objects.update(expires_at=timezone.now())
    assert "Call me with a new code" in page_of(called)
    first = challenge_of(called)
    called.post(reverse("stepup:again", args=[first.pk]))
    assert challenge_of(called) != first and challenge_of(called).factor == "call"


@pytest.mark.parametrize("page", ["sign_in:sign_up", "sign_in:reset"])
@pytest.mark.parametrize("known", [True, False])
def test_a_typed_number_is_called_whether_it_is_known_or_not(client, cleo, page, known, time_machine, deliver):
    number = "+4915187654321" if known else "+4915187654399"
    client.post(reverse(page), {"contact": number})
    assert f"Call +49 ••• ••{number[-2:]} and say a code" in page_of(client)
    time_machine.move_to(timezone.now() + timedelta(seconds=31))
    assert choose(client, "call").status_code == 302
    deliver()
    said = DemoMessage.objects.get(message__channel="call").text
    there_is_one = known == (page == "sign_in:reset")
    assert (" ".join(code_of(challenge_of(client))) in said) == there_is_one
    assert "We call <strong" in page_of(client) and "Answered, and the code was said" in page_of(client)
    assert (type_code(client).status_code == 302) == there_is_one


def test_a_typed_mailbox_is_offered_no_call(client, db):
    client.post(reverse("sign_in:sign_up"), {"contact": "new@example.org"})
    page = page_of(client)
    assert "Another way" not in page
    assert choose(client, "call").status_code == 404


def test_where_calls_are_not_made_none_is_offered(client, cleo, settings):
    settings.TWILIO_FROM = ""
    type_password(client, "+4915187654321")
    assert "and say a code" not in page_of(client)
    assert choose(client, "call").status_code == 410
    assert not Message.objects.filter(channel="call").exists()


def test_an_account_signs_in_by_call_as_twilio_makes_it(client, cleo, deliver, twilio):
    type_password(client, "+4915187654321")
    Challenge.objects.update(next_send_at=None)
    choose(client, "call")
    deliver()

    heard = Phone(twilio, through=by(Client())).takes(twilio.calls[0], presses="5")
    assert "Answered, and the code was said" in page_of(client)
    client.get(type_code(client, heard.digits[:6]).url)
    assert is_signed_in(client, cleo)
    assert client.session["level"]["factor"] == "call"
    assert SecurityEvent.objects.filter(kind="proof_passed", detail__factor="call").count() == 1


# --- the messages ----------------------------------------------------------------------------------------------------


@pytest.fixture
def texted(ben):
    """`texted(purpose, summary)`: what a text about it says."""

    def compose(purpose="pay", summary=None, kind="code"):
        challenge = Challenge(
            user=ben, purpose=purpose, summary=summary or {}, code_key=messages.codes.current_key_id(), attempts_left=5,
            context_digest=b"x" * 32, expires_at=timezone.now() + timedelta(minutes=10),
        )  # fmt: skip
        write = messages.compose_code if kind == "code" else messages.compose_explanation
        content = write(Message(challenge=challenge, channel="text"), timezone.now())
        return content.text, code_of(challenge)

    return compose


def test_a_text_for_a_payment_says_amount_and_shop_and_ends_bound_to_the_host(texted, settings):
    text, code = texted(summary={"amount": "€\u00a01,234.50", "shop": "Tom & Co"})
    assert text.startswith(f"{code} is your code to pay € 1,234.50 to Tom & Co. Never share it; we never ask for it.\n")
    assert text.splitlines()[-1] == f"@{settings.SITE_HOST} #{code}"


SHOPS = [
    "",
    "A",
    "Tom & Co",
    "Café Žluťoučký",
    "Лавка",
    "х" * 300,
    "€" * 200,
    "M" * 119,
    "Wool, Wood and Wonderful Things " * 9,
]
AMOUNTS = ["", "€\u00a00.01", "€\u00a099,999,999.99", "CHF 99’999’999.99", "€\u202f9 999 999 999 999,99"]
HOSTS = [
    "localhost",
    "shop.example.org",
    "a-rather-long-name-for-a-shop.wool-and-wood.example.org",
    "x" * 63 + ".example.org",
]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("purpose", Purpose)
def test_every_text_is_one_gsm_7_segment(texted, settings, purpose, host):
    settings.SITE_HOST = host
    settings.SITE_URL = f"https://{host}"
    for shop in SHOPS:
        settings.SHOP_NAME = shop or "Countersign"
        for amount in AMOUNTS:
            text, code = texted(purpose, {"amount": amount, "shop": shop})
            assert set(text) <= gsm.BASIC | gsm.EXTENDED
            assert gsm.septets(text) <= 160, text
            assert text.splitlines()[-1] == f"@{host} #{code}"
            if purpose == Purpose.PAY and amount:
                assert gsm.plain(amount) in text
            assert "Never share it" in text
        if purpose in (Purpose.SIGN_UP, Purpose.RESET_PASSWORD):
            text, _ = texted(purpose, {}, kind="explanation")
            assert set(text) <= gsm.BASIC | gsm.EXTENDED
            assert gsm.septets(text) <= 160 or len(host) > 40, text


def test_a_mail_has_the_code_in_its_body_and_not_in_its_subject(asking_ben, deliver):
    deliver()
    mail, code = DemoMessage.objects.get(), code_of(challenge_of(asking_ben))
    assert code not in mail.subject
    assert "\n" not in mail.subject
    assert mail.subject == "Your code to sign in at Countersign"
    for body in (mail.text, mail.html):
        assert code in body
        assert "4 minutes" in body or "5 minutes" in body
        assert "Never share it" in body
        assert reverse("sign_in:reset") in body
        assert "http" in body
    assert " style=" not in mail.html
    assert "<table" not in mail.html


def test_a_mail_for_a_payment_says_amount_and_shop(asking_ben, deliver):
    Challenge.objects.update(purpose=Purpose.PAY, summary={"amount": "€ 42.00", "shop": "Tom & <Co>"})
    deliver()
    mail = DemoMessage.objects.get()
    assert mail.subject == "Your code to pay € 42.00 to Tom & <Co>"
    assert "to pay € 42.00 to Tom & <Co>" in mail.text
    assert "Tom &amp; &lt;Co&gt;" in mail.html
