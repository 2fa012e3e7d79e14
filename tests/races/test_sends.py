from collections import Counter as Tally
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import limits
from accounts.delivery.models import Message, State
from accounts.delivery.providers import providers_for
from accounts.delivery.services import hand_over
from accounts.models import Counter
from accounts.stepup import challenges
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Challenge
from tests.codes import code_of
from tests.conftest import in_threads

from .conftest import meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


class TestResends:
    @pytest.fixture
    def challenge(self, ada, asker, order):
        """Ada asked a minute ago; she may ask again now."""
        challenge = challenges.begin(asker=asker(ada), factor="text", **order)
        Challenge.objects.update(next_send_at=timezone.now() - timedelta(seconds=1))
        return challenge

    def test_a_hundred_give_what_the_cooldown_allows(self, ada, asker, challenge):
        def press(_number):
            mine = Challenge.objects.get(pk=challenge.pk)
            found = []
            for _ in range(2):
                try:
                    found.append(challenges.send(mine, asker=asker(ada), factor="text"))
                except challenges.TooSoon as soon:
                    found.append(soon)
            return found

        results = [each for both in in_threads(50, press) for each in both]
        assert Tally(type(result).__name__ for result in results) == {"Message": 1, "TooSoon": 99}
        assert Message.objects.count() == 2
        assert Challenge.objects.get().sends == 2

    def test_control_looking_at_the_clock_first_sends_more(self, challenge):
        together = meeting(5)

        def naive(_number):
            mine = Challenge.objects.get(pk=challenge.pk)
            allowed = mine.next_send_at <= timezone.now()
            together()
            if allowed:
                mine.next_send_at = timezone.now() + timedelta(seconds=60)
                mine.save()
            return allowed

        assert sum(in_threads(5, naive)) > 1


class TestBegin:
    def test_twenty_at_once_in_one_browser_give_one_challenge_and_one_message(self, ada, asker, order):
        results = in_threads(20, lambda n: challenges.begin(asker=asker(ada), factor="text", **order))
        assert {getattr(result, "pk", result) for result in results} == {Challenge.objects.get().pk}
        assert Message.objects.count() == 1

    def test_two_orders_at_once_in_one_browser_leave_one_live(self, ada, asker, order):
        """Two tabs ask for different things: the last one stands, the others are over, and none is an error."""

        def begin(number):
            return challenges.begin(
                asker=asker(ada), factor="text", **(order | {"digest": context_digest("pay", {"order": number % 2})})
            )

        for _ in range(5):
            results = in_threads(6, begin)
            assert all(isinstance(result, Challenge) for result in results), results
            assert Challenge.objects.filter(state=Challenge.State.LIVE).count() == 1

    def test_control_looking_for_a_live_one_first_makes_several(self, ada, asker, order):
        """Without the unique constraint; here the browsers differ, so that it doesn't help."""
        together = meeting(5)

        def naive(number):
            found = Challenge.objects.filter(user=ada, state=Challenge.State.LIVE).first()
            together()
            return found or challenges.begin(asker=asker(ada, browser=f"{number:064d}"), factor="text", **order)

        assert len({result.pk for result in in_threads(5, naive)}) > 1


class TestHandOver:
    @pytest.fixture
    def message(self, ada, asker, order, twilio):
        challenges.begin(asker=asker(ada), factor="text", **order)
        return Message.objects.get()

    def test_twenty_tasks_make_one_request(self, message, twilio):
        assert in_threads(20, lambda n: hand_over(message.pk)) == [None] * 20
        assert len(twilio.requests) == 1
        assert Message.objects.get().state == State.HANDED_OVER

    def test_control_claiming_after_looking_sends_it_often(self, message, twilio):
        from accounts.delivery.composing import writer_of

        together = meeting(5)

        def naive(_number):
            mine = Message.objects.select_related("challenge").get(pk=message.pk)
            if mine.state == State.QUEUED:
                together()
                mine.state = State.HANDING_OVER
                mine.save()
                providers_for("text")[0].hand_over(mine, writer_of(mine).compose(mine, timezone.now()))

        in_threads(5, naive)
        assert len(twilio.messages) > 1


class TestLimits:
    def test_fifty_takers_get_no_more_than_the_limit(self):
        hour = timedelta(hours=1)
        results = in_threads(50, lambda n: limits.take("race", "one", limit=7, window=hour))
        assert sum(results) == 7 == Counter.objects.get().spent

    def test_a_window_that_is_over_begins_anew_once(self):
        hour = timedelta(hours=1)
        limits.take("race", "one", limit=3, window=hour, now=timezone.now() - 2 * hour)
        results = in_threads(20, lambda n: limits.take("race", "one", limit=3, window=hour))
        assert sum(results) == 3

    def test_control_counting_first_takes_more(self):
        Counter.objects.create(scope="race", key="one", window_started_at=timezone.now(), spent=6)
        together = meeting(5)

        def naive(_number):
            mine = Counter.objects.get(scope="race")
            room = mine.spent < 7
            together()
            if room:
                mine.spent += 1
                mine.save()
            return room

        assert sum(in_threads(5, naive)) > 1


def test_the_clock_is_not_lost_between_two_messages(ada, asker, order, twilio):
    """Both messages of a challenge are handed over at once: the code still passes, and lives as long as it may."""
    challenge = challenges.begin(asker=asker(ada), factor="text", **order)
    Challenge.objects.update(next_send_at=None)
    challenges.send(challenge, asker=asker(ada), factor="text")
    ids = list(Message.objects.values_list("pk", flat=True))
    in_threads(2, lambda n: hand_over(ids[n]))
    challenge.refresh_from_db()
    handed_over = Message.objects.values_list("handed_over_at", flat=True)
    assert challenge.expires_at - timedelta(minutes=5) in handed_over
    assert all(code_of(challenge) in message.body for message in twilio.messages) and len(twilio.messages) == 2
