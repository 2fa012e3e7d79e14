"""Twilio first, Vonage second: what one can't or doesn't, the other does."""

from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.delivery import breaker, budgets, composing, failover, services
from accounts.delivery.models import Alarm, Breaker, Message, Reason, State
from accounts.delivery.services import hand_over, report
from accounts.models import Counter
from accounts.stepup import challenges, policy
from accounts.stepup.challenges import send
from accounts.stepup.models import Challenge, Purpose
from tests.accounts.sign_in.steps import challenge_of as asked_in
from tests.accounts.sign_in.steps import is_signed_in, type_code, type_password
from tests.codes import code_of
from tests.servers.twilio import Accept, CutAfter, Garbage, Hang, Refuse, ServerError, TooMany
from tests.servers.vonage import Cut, Http, Status

from .conftest import challenge_of, fresh

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


@pytest.fixture
def both(twilio, vonage, settings):
    """`both()`: how many requests each has seen."""
    settings.CARRIER_TIMEOUT = 0.3
    return lambda: (len(twilio.requests), len(vonage.requests))


def open_breaker(provider, seconds=30):
    Breaker.objects.update_or_create(
        provider=provider, defaults={"failures": 5, "open_until": timezone.now() + seconds * SECOND}
    )


@pytest.fixture
def dark(ada, queued, deliver, twilio, vonage, clock):
    """Twilio took Ada's code eight seconds ago and reported nothing since."""
    message = queued(ada)
    deliver()
    clock.shift(8.001)
    return fresh(message)


class TestInTheSameClaim:
    @pytest.mark.parametrize(
        ("answer", "refused_by"),
        [
            (Refuse(20003), "twilio"), (Refuse(21408), "twilio"), (Refuse(99999), "twilio"),
            (Refuse(20404, 404), "twilio"), (ServerError(503), ""), (ServerError(503, retry_after=1), ""),
            (TooMany(retry_after=3), ""),
        ],
    )  # fmt: skip
    def test_what_the_first_surely_did_not_take_the_second_takes(
        self, ada, queued, deliver, twilio, vonage, both, answer, refused_by
    ):
        twilio.behaviour = answer
        message = queued(ada)
        deliver()
        message = fresh(message)
        assert both() == (1, 1)
        assert (message.state, message.provider, message.refused_by) == (State.HANDED_OVER, "vonage", refused_by)
        assert code_of(challenge_of(message)) in vonage.messages[0].text
        assert Message.objects.count() == 1 and challenge_of(message).sends == 1

    @pytest.mark.parametrize(("answer", "reason"), [(21211, "bad_number"), (21610, "opted_out"), (21614, "bad_number"),
                                                    (21635, "landline")])  # fmt: skip
    def test_a_number_that_takes_none_or_wants_none_is_left_in_peace(
        self, ada, queued, deliver, twilio, both, answer, reason
    ):
        twilio.behaviour = Refuse(answer)
        message = queued(ada)
        deliver()
        assert (fresh(message).state, fresh(message).reason, both()) == (State.FAILED, reason, (1, 0))

    @pytest.mark.parametrize("retry_after", [1, 2, None])
    def test_an_ordinary_short_not_now_is_waited_for(self, ada, queued, deliver, twilio, both, retry_after):
        twilio.answer_next(TooMany(retry_after=retry_after))
        message = queued(ada)
        deliver()
        assert fresh(message).state == State.QUEUED
        hand_over(message.pk, timezone.now() + 3 * SECOND)
        assert fresh(message).provider == "twilio" and both() == (2, 0)

    def test_while_the_first_is_left_alone_the_second_is_asked(self, ada, queued, deliver, both):
        open_breaker("twilio")
        message = queued(ada)
        deliver()
        assert (fresh(message).provider, both()) == ("vonage", (0, 1))

    def test_with_both_left_alone_it_waits_for_the_first_that_is_not(self, ada, queued, deliver, both, clock):
        open_breaker("twilio", 30), open_breaker("vonage", 20)
        message = queued(ada)
        deliver()
        message = fresh(message)
        assert (message.state, message.tries, both()) == (State.QUEUED, 0, (0, 0))
        assert message.not_before == timezone.now() + 20 * SECOND

    def test_what_both_put_off_waits_and_each_is_asked_once_a_claim(self, ada, queued, deliver, twilio, vonage, both):
        twilio.answer_next(ServerError(503, retry_after=9))
        vonage.answer_next(Status(5))
        message = queued(ada)
        deliver()
        assert (fresh(message).state, fresh(message).tries, both()) == (State.QUEUED, 1, (1, 1))
        assert fresh(message).not_before < timezone.now() + 3 * SECOND
        hand_over(message.pk, timezone.now() + 3 * SECOND)
        assert (fresh(message).state, both()) == (State.HANDED_OVER, (2, 1))

    def test_who_refused_for_good_is_not_asked_again(self, ada, queued, deliver, twilio, vonage, both):
        twilio.behaviour = Refuse(21408)
        vonage.answer_next(Http(503))
        message = queued(ada)
        deliver()
        hand_over(message.pk, timezone.now() + 3 * SECOND)
        assert (fresh(message).state, fresh(message).provider, both()) == (State.HANDED_OVER, "vonage", (1, 2))

    def test_what_both_refuse_has_failed_with_the_last_reason(self, ada, queued, deliver, twilio, vonage, both):
        twilio.behaviour, vonage.behaviour = Refuse(21408), Status(7)
        message = queued(ada)
        deliver()
        message = fresh(message)
        assert (message.state, message.reason, message.provider_code) == (State.FAILED, Reason.BAD_NUMBER, "7")

    def test_a_claim_that_was_given_up_meanwhile_asks_nobody_else(self, ada, queued, both, monkeypatch):
        """The worker was slow, the sweep took it for dead, and another message is on its way."""
        message = queued(ada)
        first, _second = services.providers_for("text")

        def slow(message, content):
            services.sweep(timezone.now() + services.CLAIM_LIFE + SECOND)
            raise services.NotTaken

        monkeypatch.setattr(type(first), "hand_over", lambda self, message, content: slow(message, content))
        hand_over(message.pk)
        assert (fresh(message).state, both()) == (State.UNKNOWN, (0, 0))

    def test_mail_and_calls_have_one_provider(self, ada, queued, deliver, twilio, both):
        twilio.behaviour = ServerError(503)
        message = queued(ada, "call")
        deliver()
        assert (fresh(message).state, both()) == (State.QUEUED, (1, 0))

    def test_a_way_is_offered_last_only_when_all_its_providers_fail(self, ada, both):
        def order():
            codes = [offer.factor.code for offer in policy.offers(ada, Purpose.SIGN_IN, timezone.now())]
            return [code for code in codes if code in ("text", "call", "email")]

        assert order() == ["text", "call", "email"]
        open_breaker("twilio")
        assert order() == ["text", "email", "call"]
        open_breaker("vonage")
        assert order() == ["email", "text", "call"]


class TestInTheDark:
    @pytest.mark.parametrize("answer", [Hang(5), CutAfter(), ServerError(500), Garbage(accepted=True)])
    def test_without_an_answer_the_other_brings_the_same_code_at_once(
        self, ada, queued, deliver, twilio, vonage, both, answer
    ):
        twilio.behaviour = answer
        message = queued(ada)
        deliver()
        assert fresh(message).state == State.UNKNOWN and fresh(message).replaced_at
        [second] = deliver()
        assert (second.state, second.provider, second.send_number) == (State.HANDED_OVER, "vonage", 2)
        assert (second.instead_of_id, second.language) == (message.pk, message.language)
        code = code_of(challenge_of(message))
        assert code in vonage.messages[0].text and code in twilio.requests[0].form["Body"]
        failover.sweep(timezone.now() + 9 * SECOND)
        assert deliver() == [] and both() == (1, 1)

    def test_after_eight_seconds_without_sent(self, dark, deliver, vonage, both):
        failover.sweep()
        [second] = deliver()
        assert (second.provider, second.send_number, second.instead_of_id) == ("vonage", 2, dark.pk)
        assert code_of(challenge_of(dark)) in vonage.messages[0].text
        for _ in range(3):
            failover.sweep(timezone.now() + 9 * SECOND)
        assert deliver() == [] and both() == (1, 1)

    def test_before_that_it_is_waited_for(self, dark):
        failover.sweep(timezone.now() - SECOND)
        assert Message.objects.count() == 1

    @pytest.mark.parametrize("state", [State.SENT, State.DELIVERED])
    def test_what_was_reported_is_not_replaced(self, dark, state):
        report(dark, state)
        failover.sweep()
        assert Message.objects.count() == 1

    def test_a_dead_worker_is_replaced_too(self, ada, queued, deliver, both):
        message = queued(ada)
        Message.objects.update(state=State.HANDING_OVER, handing_over_at=timezone.now(), provider="twilio")
        failover.sweep(timezone.now() + 8.1 * SECOND)
        [second] = deliver()
        assert (second.provider, second.instead_of_id, both()) == ("vonage", message.pk, (0, 1))

    @pytest.mark.parametrize(("reason", "messages"), [("carrier", 2), ("country", 2), ("bad_number", 1),
                                                      ("opted_out", 1), ("landline", 1)])  # fmt: skip
    def test_what_its_carrier_could_not_deliver_the_other_may(self, dark, reason, messages):
        report(dark, State.FAILED, reason=reason)
        failover.sweep()
        assert Message.objects.count() == messages

    @pytest.mark.parametrize("change", [{"state": "passed"}, {"state": "superseded"}, {"attempts_left": 0},
                                        {"expires_at": timezone.now()}, {"sends": 5}])  # fmt: skip
    def test_nobody_is_sent_what_nobody_waits_for_or_may_have(self, dark, change):
        Challenge.objects.update(**change)
        failover.sweep()
        assert Message.objects.count() == 1 and fresh(dark).replaced_at is None

    def test_the_number_has_its_budget(self, dark):
        Counter.objects.filter(scope="sends to a destination").update(spent=budgets.NUMBER.most)
        failover.sweep()
        assert Message.objects.count() == 1

    def test_it_waits_for_a_provider_that_is_left_alone(self, dark, clock):
        open_breaker("vonage")
        failover.sweep()
        assert Message.objects.count() == 1
        clock.shift(30)
        failover.sweep()
        assert Message.objects.count() == 2

    def test_each_further_provider_gets_it_once_a_challenge(self, ada, asker, dark, deliver, both, clock):
        failover.sweep(), deliver()
        for _ in range(3):
            clock.shift(200)
            Challenge.objects.update(expires_at=timezone.now() + timedelta(minutes=5), state="live")
            Message.objects.update(handing_over_at=timezone.now() - 9 * SECOND)
            failover.sweep()
        assert deliver() == [] and both() == (1, 1)

    def test_a_notice_is_not_doubled(self, ada, deliver, twilio, both, monkeypatch):
        words = composing.Writer(lambda message, now: composing.Content("words"))
        monkeypatch.setitem(composing._writers, Message.Kind.NOTICE, words)
        services.queue_message(
            kind=Message.Kind.NOTICE, channel="text", destination="+4915112345678", user=ada, reference="0"
        )
        twilio.behaviour = Hang(5)
        deliver()
        failover.sweep(timezone.now() + 9 * SECOND)
        assert Message.objects.count() == 1

    def test_one_provider_alone_has_nobody_to_replace_it(self, ada, queued, deliver, twilio, clock):
        queued(ada), deliver()
        clock.shift(9)
        failover.sweep()
        assert Message.objects.count() == 1

    def test_what_replaces_goes_to_that_provider_only(self, dark, deliver, twilio, vonage, both):
        failover.sweep()
        vonage.behaviour = Cut()
        [second] = deliver()
        assert (second.state, second.provider, both()) == (State.UNKNOWN, "vonage", (1, 1))
        failover.sweep()
        assert Message.objects.count() == 2

    def test_a_decoy_is_replaced_like_a_code(self, client, db, twilio, vonage, deliver):
        """Else a stranger could tell by the sends who has an account."""
        twilio.behaviour = CutAfter()
        seen = []
        for contact in ("+4915112345678", "+4915112345679"):
            client.post(reverse("sign_in:reset"), {"contact": contact})
            deliver(), deliver()
            seen.append(list(Message.objects.filter(destination=contact).values_list("send_number", "provider")))
        assert sorted(seen[0]) == sorted(seen[1]) == [(1, "twilio"), (2, "vonage")]


class TestTheShopper:
    def test_when_to_ask_again_stays_as_it_was(self, ada, asker, dark):
        before = challenge_of(dark)
        failover.sweep()
        after = challenge_of(dark)
        assert (after.sends, after.next_send_at) == (before.sends + 1, before.next_send_at)
        with pytest.raises(challenges.TooSoon) as soon:
            send(after, asker=asker(ada), factor="text")
        assert soon.value.at == before.next_send_at

    def test_the_next_gap_does_not_grow(self, ada, asker, dark, clock, settings):
        failover.sweep()
        clock.shift(30)
        challenge = challenge_of(dark)
        send(challenge, asker=asker(ada), factor="text")
        assert challenge.next_send_at == timezone.now() + settings.SEND_GAPS[1]
        assert challenge.sends == 3

    @pytest.mark.parametrize(("first", "second", "shown"), [
        ("unknown", "queued", "On its way"), ("unknown", "handed_over", "Handed to the carrier"),
        ("handed_over", "queued", "Handed to the carrier"), ("handed_over", "sent", "Sent"),
        ("delivered", "handed_over", "Delivered"), ("delivered", "failed", "Delivered"),
        ("failed", "sent", "Sent"), ("unknown", "failed", "It is not known"), ("failed", "failed", "Could not"),
        ("unknown", "delivered", "Delivered"),
    ])  # fmt: skip
    def test_the_page_shows_what_does_better(self, client, cleo, twilio, vonage, deliver, first, second, shown):
        twilio.behaviour = CutAfter()
        type_password(client, str(cleo.phone))
        deliver(), deliver()
        for number, state in ((1, first), (2, second)):
            Message.objects.filter(send_number=number).update(state=state, reason="carrier")
        url = reverse("stepup:delivery_state", args=[asked_in(client).pk])
        assert shown in client.get(url, headers={"HX-Request": "true"}).content.decode()

    def test_what_was_asked_for_again_is_shown_and_not_what_was_before(self, ada, asker, dark, clock):
        report(dark, State.DELIVERED)
        clock.shift(30)
        again = send(challenge_of(dark), asker=asker(ada), factor="text")
        assert failover.best(Message.objects.all()) == again

    @pytest.mark.parametrize("which", [0, 1])
    def test_either_message_signs_in(self, client, cleo, twilio, vonage, deliver, which):
        twilio.behaviour = CutAfter()
        type_password(client, str(cleo.phone))
        deliver(), deliver()
        text = (twilio.messages[0].body, vonage.messages[0].text)[which]
        client.get(type_code(client, text.rpartition("#")[2]).url)
        assert is_signed_in(client)


class TestSilence:
    def test_of_a_provider_that_speaks_tells_something(self, dark):
        failover.sweep()
        assert Message.objects.count() == 2
        assert Breaker.objects.get(provider="twilio").silent_since == dark.handed_over_at

    def test_of_one_that_says_nothing_for_an_hour_tells_nothing(self, ada, cleo, queued, deliver, dark, clock):
        """No callback reaches us: the texts of an hour go out twice, and then none, until a report comes."""
        failover.sweep(), deliver()
        began = timezone.now()
        doubled = {}
        for minute in (1, 30, 59, 61, 62, 180):
            clock.move_to(began + timedelta(minutes=minute))
            Message.objects.all().delete(), Challenge.objects.all().delete()
            message = queued(ada)
            deliver()
            clock.shift(9)
            failover.sweep(), deliver()
            doubled[minute] = Message.objects.count() == 2
        assert doubled == {1: True, 30: True, 59: True, 61: False, 62: False, 180: False}
        alarm = Alarm.objects.get(kind="no_reports", ended_at=None)
        assert alarm.about == "twilio"
        report(fresh(message), State.DELIVERED)
        assert fresh(alarm).ended_at == timezone.now()
        Message.objects.all().delete(), Challenge.objects.all().delete()
        queued(ada), deliver()
        clock.shift(9)
        failover.sweep()
        assert Message.objects.count() == 2

    def test_no_answer_counts_all_the_same(self, ada, queued, deliver, twilio, vonage):
        Breaker.objects.create(provider="twilio", silent_since=timezone.now() - timedelta(days=1))
        twilio.behaviour = CutAfter()
        queued(ada), deliver()
        assert Message.objects.count() == 2


def test_the_sweep_asks_the_database_little(dark, queued, cleo, deliver, clock, django_assert_max_num_queries):
    """However many wait for a provider that is left alone."""
    queued(cleo), deliver()
    clock.shift(9)
    open_breaker("vonage")
    failover.sweep()
    with django_assert_max_num_queries(7):
        failover.sweep()


def test_a_probe_comes_back_to_the_first(ada, cleo, queued, deliver, twilio, both, clock):
    twilio.behaviour = ServerError(503)
    for _ in range(5):
        breaker.failed("twilio", timezone.now())
    queued(ada), deliver()
    assert both() == (0, 1)
    clock.shift(30)
    twilio.behaviour = Accept()
    message = queued(cleo)
    deliver()
    assert (fresh(message).provider, both()) == ("twilio", (1, 1))
