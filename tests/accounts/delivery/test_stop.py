"""STOP and START: whoever does not want our texts gets none, is told how to get them again, and is called meanwhile."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery import textable
from accounts.delivery.models import Message, Number, Reply, State
from accounts.factors.text import Phone
from tests.accounts.sign_in.steps import challenge_of, choose, type_password
from tests.servers.twilio import Refuse

from .conftest import fresh

URL = "/hooks/twilio/incoming/"
CLEO = "+4915187654321"
STOPPED = "this number answered STOP to us; text START to +15017122661 to get messages again"


@pytest.fixture
def says(twilio, client):
    """`says("STOP")`: Cleo texts it to us; the HTTP status and what we answer."""

    def says(body, *, number=CLEO, **options):
        webhook = twilio.incoming_webhook(f"http://localhost:8000{URL}", number, body, **options)
        answer = Client().post(URL, webhook.form, headers=webhook.headers)
        return answer.status_code, answer.content.decode()

    return says


def page_of(client):
    page = client.get(reverse("stepup:challenge", args=[challenge_of(client).pk]))
    return " ".join(page.content.decode().split())


def is_stopped(number=CLEO):
    return textable.reasons([number]) == {number: "opted_out"}


@pytest.mark.parametrize("word", ["STOP", "stop", " Stop\n", "STOPALL", "unsubscribe", "Cancel", "END", "quit"])
@pytest.mark.parametrize("again", ["START", "yes", "Unstop"])
def test_the_words_that_everybody_knows(db, says, word, again):
    assert says(word) == (200, '<?xml version="1.0" encoding="UTF-8"?><Response />')  # Twilio answers by itself
    assert is_stopped()
    says(again)
    assert not is_stopped()


@pytest.mark.parametrize(
    "said", ["", "STOP PLEASE", "please stop", "HELP", "INFO", "123456", "ＳＴＯＰ", "stop\x00", "x" * 9000]
)
def test_all_else_changes_nothing(db, says, said):
    assert says(said)[0] == 200
    assert not Number.objects.exists() and not Reply.objects.exists()


@pytest.mark.parametrize(
    ("kind", "body", "stopped"),
    [("STOP", "Aufhören", True), ("HELP", "STOP", False), ("START", "STOP", False), ("", "STOP", True)],
)
def test_with_advanced_opt_out_twilio_says_what_a_text_means(db, says, kind, body, stopped):
    says(body, extra={"OptOutType": kind} if kind else {})
    assert is_stopped() == stopped


@pytest.mark.parametrize("number", ["", "12345", "Alpha", "whatsapp:+4915187654321", "+" + "1" * 40, "+٤٩١٥١٨٧٦٥٤"])
def test_only_a_number_can_stop(db, says, number):
    assert says("STOP", number=number)[0] == 200
    assert not Number.objects.exists()


@pytest.mark.parametrize("signature", ["", "wrong", "0" * 28])
def test_a_forged_one_is_refused(db, says, signature):
    assert says("STOP", signature=signature)[0] == 403
    assert says("STOP", auth_token="another token")[0] == 403
    assert not Number.objects.exists()


def test_a_repeated_stop_does_not_undo_a_start(db, says):
    says("STOP", sid="SM" + "1" * 32)
    says("START", sid="SM" + "2" * 32)
    says("STOP", sid="SM" + "1" * 32)
    assert not is_stopped()
    says("STOP", sid="SM" + "3" * 32)
    says("START", sid="SM" + "2" * 32)
    assert is_stopped()


class TestWhoWroteStop:
    def test_is_called_and_told_how_to_get_texts_again(self, client, cleo, says, deliver, twilio):
        says("STOP")
        type_password(client, CLEO)
        assert challenge_of(client).factor == "call"
        page = page_of(client)
        assert "We call <strong" in page and f"T{STOPPED[1:]}." in page
        deliver()
        assert len(twilio.calls) == 1 and not twilio.messages

    def test_gets_no_text_at_all(self, client, cleo, says, deliver, twilio):
        says("STOP")
        type_password(client, CLEO)
        Message.objects.update(state=State.FAILED)
        assert choose(client, "text").status_code == 302
        deliver()
        assert not twilio.requests
        text = Message.objects.get(channel="text")
        assert (text.state, text.reason, text.provider) == (State.FAILED, "opted_out", "")
        page = page_of(client)
        assert f"Could not be delivered: {STOPPED}." in page and "Call me instead</button>" in page

    def test_gets_texts_again_after_start(self, client, cleo, says, deliver, twilio):
        says("STOP")
        says("START")
        type_password(client, CLEO)
        assert challenge_of(client).factor == "text" and STOPPED not in page_of(client)
        deliver()
        assert len(twilio.messages) == 1

    @pytest.mark.parametrize("page", ["sign_in:sign_up", "sign_in:reset"])
    def test_meets_the_same_page_with_an_account_and_without(self, client, cleo, says, page):
        stranger = "+4915187654399"
        pages = []
        for number in (CLEO, stranger):
            says("STOP", number=number)
            client.post(reverse(page), {"contact": number})
            assert challenge_of(client).factor == "call"
            pages.append(page_of(client).replace(number[-2:], "NN").count("answered STOP"))
        assert pages == [1, 1]

    def test_where_nobody_is_called_the_page_still_says_how(self, client, cleo, says, deliver, settings):
        says("STOP")
        settings.TWILIO_FROM, settings.TWILIO_MESSAGING_SERVICE_SID = "", "MG" + "a" * 32
        type_password(client, CLEO)
        deliver()
        assert "this number answered STOP to us; text START to get messages again." in page_of(client)

    def test_is_known_by_the_api_too(self, client, cleo, deliver, twilio):
        twilio.answer_next(Refuse(21610))
        type_password(client, CLEO)
        deliver()
        assert is_stopped()

    def test_and_started_while_a_text_was_on_its_way_is_not_stopped_by_it(self, cleo, queued, deliver, twilio, says):
        message = queued(cleo)
        deliver()
        message = fresh(message)
        says("START")
        textable.refused(message, "opted_out")
        assert not is_stopped()
        message.handing_over_at = timezone.now() + timedelta(seconds=1)
        textable.refused(message, "opted_out")
        assert is_stopped()


class TestAnUnusableNumber:
    @pytest.fixture
    def refused(self, ada, cleo, twilio, deliver, queued):
        twilio.answer_next(Refuse(21614))
        queued(cleo)
        deliver()

    def test_is_not_texted_again_and_offered_last_with_the_reason(self, refused, client, cleo, twilio, deliver):
        type_password(client, CLEO)
        assert challenge_of(client).factor == "call"
        assert "This number can&#x27;t receive messages." in page_of(client)
        Message.objects.update(state=State.FAILED)
        choose(client, "text")
        deliver()
        assert len(twilio.requests) == 1  # the one that was refused

    def test_another_number_is_another_matter(self, refused, client, cleo):
        Phone.objects.filter(user=cleo).update(number="+4915187654399")
        type_password(client, CLEO)
        assert challenge_of(client).factor == "text"

    def test_is_tried_again_after_a_long_time_or_when_it_writes_to_us(self, refused, says):
        assert textable.reasons([CLEO]) == {CLEO: "bad_number"}
        assert textable.reasons([CLEO], timezone.now() + timedelta(days=91)) == {}
        says("START")
        assert textable.reasons([CLEO]) == {}

    def test_a_call_that_is_refused_says_nothing_of_texts(self, cleo, queued, twilio, deliver):
        twilio.answer_next(Refuse(21211))
        queued(cleo, "call")
        deliver()
        assert not Number.objects.exists()

    def test_it_costs_no_query_where_there_is_no_text(self, db, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert textable.reasons([]) == {}
