"""The line on delivery while a code travels, and the other way that is offered when nothing comes."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.failover import best
from accounts.delivery.models import Channel, Message, State
from accounts.stepup import challenges
from accounts.stepup.models import Challenge
from tests.accounts.sign_in.steps import challenge_of, choose, is_signed_in, type_code, type_password

HTMX = {"HX-Request": "true"}


def page_of(client):
    return words(client.get(reverse("stepup:challenge", args=[challenge_of(client).pk])))


def poll(client, **asked):
    """As the page asks: with what it has shown already."""
    return client.get(reverse("stepup:delivery_state", args=[challenge_of(client).pk]), asked, headers=HTMX)


def words(answer):
    return " ".join(answer.content.decode().split())


def news(answer):
    """What a screen reader says."""
    found = re.search(r'<span id="delivery-news"[^>]*>(.*?)</span>', words(answer))
    return found.group(1).strip() if found else None


@pytest.fixture
def texted(client, ada):
    """Ada's browser, while a text is on its way to her."""
    type_password(client, "ada@example.org")
    choose(client, "text")
    Message.objects.update(state=State.HANDED_OVER, handed_over_at=timezone.now(), provider="twilio")
    return client


@pytest.fixture
def texted_cleo(client, cleo):
    type_password(client, "+4915187654321")
    Message.objects.update(state=State.SENT, sent_at=timezone.now(), provider="twilio")
    return client


def later(time_machine, seconds):
    time_machine.move_to(timezone.now() + timedelta(seconds=seconds))


class TestAnotherWay:
    def test_it_is_offered_with_one_tap_when_nothing_has_come_for_25_seconds(self, texted_cleo, time_machine, deliver):
        assert "instead" not in re.sub('id="instead"', "", page_of(texted_cleo))
        later(time_machine, 24)
        assert "Nothing yet?" not in words(poll(texted_cleo, seen="sent"))
        later(time_machine, 1)
        answer = poll(texted_cleo, seen="sent")
        assert 'hx-swap-oob="innerHTML"> {#' not in words(answer)
        assert "Nothing yet?</span> <button" in words(answer) and "Call me instead</button>" in words(answer)
        assert "Nothing yet?</span> <button" in page_of(texted_cleo)  # without JavaScript, on a plain reload
        assert choose(texted_cleo, "call").status_code == 302
        assert [message.channel for message in deliver()] == [Channel.CALL]
        assert challenge_of(texted_cleo).factor == "call"

    def test_it_is_announced_once_and_left_alone_while_it_stands(self, texted_cleo, time_machine):
        later(time_machine, 26)
        first = poll(texted_cleo, seen="sent")
        assert news(first) == "Sent Nothing yet? Call me instead"
        assert "offered=1" in words(first)
        second = poll(texted_cleo, seen="sent", offered="1")
        assert news(second) is None
        assert 'id="instead"' not in words(second)  # else it would go from under the finger

    def test_it_goes_when_the_message_has_come(self, texted_cleo, time_machine):
        later(time_machine, 26)
        Message.objects.update(state=State.DELIVERED, delivered_at=timezone.now())
        answer = poll(texted_cleo, seen="sent", offered="1")
        assert re.search(r'<div id="instead" hx-swap-oob="innerHTML">\s*</div>', words(answer))
        assert news(answer) == "Delivered"
        assert "Nothing yet?" not in page_of(texted_cleo)

    def test_it_is_offered_at_once_where_the_message_failed_and_needs_no_waiting(self, texted_cleo, deliver):
        Message.objects.update(state=State.FAILED, reason="landline", ended_at=timezone.now())
        answer = poll(texted_cleo, seen="handed_over")
        assert "Call me instead</button>" in words(answer) and "Nothing yet?" not in words(answer)
        assert news(answer).endswith("Use another way below. Call me instead")
        assert choose(texted_cleo, "call").status_code == 302
        assert [message.channel for message in deliver()] == [Channel.CALL]

    @pytest.mark.parametrize(
        ("factor", "button"), [("text", "Use your app instead"), ("email", "Use your app instead")]
    )
    def test_it_is_what_is_offered_first(self, client, ada, time_machine, factor, button):
        type_password(client, "ada@example.org")
        choose(client, factor)
        later(time_machine, 26)
        page = page_of(client)
        assert f"{button}</button>" in page
        choose(client, "authenticator")
        assert "Open your authenticator app" in page_of(client)
        assert choose(client, factor).status_code == 302  # and back to the first way
        assert challenge_of(client).factor == factor

    def test_somebody_on_the_phone_is_left_alone(self, texted_cleo, time_machine):
        later(time_machine, 26)
        choose(texted_cleo, "call")
        Message.objects.filter(channel="call").update(state=State.SENT, sent_at=timezone.now())
        later(time_machine, 26)
        assert "Nothing yet?" not in words(poll(texted_cleo))

    def test_the_same_way_waits_for_the_cooldown_however_one_walks(self, texted, time_machine):
        """By the app and back is no shorter way to another text."""
        later(time_machine, 26)
        assert choose(texted, "text").status_code == 429
        choose(texted, "authenticator")
        assert choose(texted, "text").status_code == 302  # the page, but no send
        assert Message.objects.count() == 1

    def test_another_way_waits_25_seconds_where_nothing_failed(self, texted, time_machine):
        assert choose(texted, "email").status_code == 429
        later(time_machine, 24)
        assert "in 1 second." in words(choose(texted, "email"))
        later(time_machine, 1)
        assert choose(texted, "email").status_code == 302
        assert choose(texted, "text").status_code == 302  # has the code already
        assert Message.objects.count() == 2

    def test_failing_ways_are_no_endless_supply(self, texted, time_machine):
        ways = ["email", "call", "text", "email", "call"]
        for way in ways:
            Message.objects.update(state=State.FAILED, reason="carrier")
            choose(texted, way)
        assert Message.objects.count() == 5


class TestPolling:
    @pytest.mark.parametrize(
        ("state", "provider", "after", "asks"),
        [
            ("queued", "", 0, "every 1s"),
            ("sent", "twilio", 59, "every 1s"),
            ("sent", "twilio", 61, "every 2s"),
            ("unknown", "twilio", 5, "every 1s"),  # a report may still come
            ("delivered", "twilio", 5, None),
            ("failed", "twilio", 5, None),
            ("expired", "", 5, None),
            ("handed_over", "email", 5, "every 1s"),  # for the other way
            ("handed_over", "email", 26, None),  # a mail server reports no more
        ],
    )
    def test_it_asks_while_something_may_change(self, texted_cleo, time_machine, state, provider, after, asks):
        Message.objects.update(state=state, provider=provider)
        later(time_machine, after)
        found = re.search(r'hx-trigger="(every \ds)', words(poll(texted_cleo)))
        assert (found.group(1) if found else None) == asks

    def test_one_time_costs_three_queries(self, texted_cleo, time_machine):
        later(time_machine, 30)
        url = reverse("stepup:delivery_state", args=[challenge_of(texted_cleo).pk])
        for asked in ({"seen": "sent", "offered": "1"}, {"seen": "queued", "offered": "1"}):
            with CaptureQueriesContext(connection) as queries:
                texted_cleo.get(url, asked, headers=HTMX)
            assert len(queries) == 3  # session, challenge, messages

    def test_a_code_that_is_over_says_so_and_stops(self, texted_cleo, time_machine):
        later(time_machine, 601)
        line = words(poll(texted_cleo, seen="sent", offered="1"))
        assert "This code is over." in line and "hx-get" not in line
        assert "Call me instead" not in line

    def test_a_tab_hears_that_another_one_has_passed(self, texted_cleo, cleo):
        type_code(texted_cleo)
        line = words(poll(texted_cleo, seen="sent"))
        assert "You have confirmed this already, in another tab perhaps." in line and "hx-get" not in line
        assert texted_cleo.get(reverse("stepup:challenge", args=[challenge_of(texted_cleo).pk])).status_code == 302
        assert not is_signed_in(texted_cleo)  # the line uses nothing up

    def test_a_lost_session_is_told_by_the_page(self, texted_cleo):
        url = reverse("stepup:delivery_state", args=[challenge_of(texted_cleo).pk])
        answer = Client().get(url, headers=HTMX)
        assert (answer.status_code, answer["HX-Refresh"]) == (404, "true")


class TestWhichMessageIsShown:
    """`failover.best`, of several messages with one code."""

    @pytest.fixture
    def message(self, texted_cleo):
        """`message(2, "sent", asked=8)`: another one, asked for so many seconds after the first."""
        first = Message.objects.get()

        def message(number, state, *, asked=0, delivered=None, to=first.destination):
            at = first.queued_at
            found = Message.objects.filter(challenge=first.challenge, send_number=number).first() or Message(
                challenge=first.challenge, send_number=number, kind="code", channel="text"
            )
            found.state, found.destination = state, to
            found.queued_at = at + timedelta(seconds=asked)
            found.delivered_at = None if delivered is None else at + timedelta(seconds=delivered)
            found.save()
            return found

        return message

    def shown(self):
        return best(list(Message.objects.order_by("?"))).send_number

    def test_none_of_none(self):
        assert best([]) is None

    @pytest.mark.parametrize(
        ("first", "second", "number"),
        [
            ("handed_over", "queued", 1),
            ("handed_over", "handed_over", 2),
            ("handed_over", "sent", 2),
            ("delivered", "sent", 1),
            ("failed", "queued", 2),
            ("failed", "failed", 2),
            ("unknown", "handed_over", 2),
            ("unknown", "failed", 1),
            ("sent", "unknown", 1),
            ("expired", "failed", 2),
        ],
    )
    def test_the_best_state_of_two_providers(self, message, first, second, number):
        message(1, first, delivered=30 if first == "delivered" else None)
        message(2, second, asked=8)
        assert self.shown() == number

    def test_what_had_come_before_is_not_what_was_asked_for_now(self, message):
        message(1, "delivered", delivered=5)
        message(2, "queued", asked=31)
        assert self.shown() == 2

    def test_another_phone_is_another_matter(self, message):
        message(1, "delivered", delivered=40)
        message(2, "queued", asked=31, to="+4915187654399")
        assert self.shown() == 2


def test_the_wait_of_another_way_is_decided_in_the_row(cleo, asker, texted_cleo, time_machine):
    """Of two that saw the same challenge one gets the send."""
    mine = challenge_of(texted_cleo)
    later(time_machine, 26)
    as_seen = [Challenge.objects.get(pk=mine.pk) for _ in range(2)]
    who = challenges.Asker(browser=mine.browser, user=cleo)
    challenges.send(as_seen[0], asker=who, factor="call")
    with pytest.raises(challenges.TooSoon):
        challenges.send(as_seen[1], asker=who, factor="call")
