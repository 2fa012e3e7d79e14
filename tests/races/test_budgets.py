"""Many sends at once: no budget, no guard and no cap lets one more through."""

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.delivery import budgets, pumping
from accounts.delivery.budgets import NotToBeSent, Send
from accounts.delivery.models import Alarm, Message, PrefixStop, PrefixTraffic
from accounts.models import Counter
from accounts.stepup import challenges
from tests.conftest import in_threads

from .conftest import meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def take(number):
    with transaction.atomic():
        budgets.take(Send("text", f"+4915112345{number:03d}", browser=f"b{number}", ip="203.0.113.9"), timezone.now())
    return True


class TestBudgets:
    def test_twenty_sends_at_once_stop_at_the_address(self, monkeypatch):
        monkeypatch.setattr(budgets.ADDRESS, "limit", 7)
        results = in_threads(20, take)
        assert [r for r in results if r is True] == [True] * 7
        assert sum(isinstance(r, NotToBeSent) for r in results) == 13
        assert set(
            Counter.objects.exclude(scope__in=[budgets.NUMBER.name, budgets.BROWSER.name]).values_list("spent")
        ) == {(7,)}

    def test_real_sends_at_once_stop_at_the_country(self, settings, asker, order):
        settings.TEXTS_A_COUNTRY_A_DAY = 6

        def begin(number):
            who = asker(contact=f"+4915112345{number:03d}", browser=f"{number:064d}")
            return challenges.begin(asker=who, **order).sends

        assert sum(in_threads(20, begin)) == 6 == Message.objects.count()
        assert Alarm.objects.get().about == "country DE"

    def test_control_looking_first_sends_more(self):
        together = meeting(5)
        Counter.objects.create(scope="race", key="one", window_started_at=timezone.now(), spent=6)

        def naive(_number):
            room = Counter.objects.get(scope="race").spent < 7
            together()
            return room

        assert sum(in_threads(5, naive)) > 1


class TestPumping:
    def test_twenty_at_once_make_one_stop_at_the_threshold(self, settings):
        settings.PUMPING_UNVERIFIED = 8
        assert sum(r is True for r in in_threads(20, take)) == 8
        assert PrefixStop.objects.count() == Alarm.objects.count() == 1
        assert PrefixTraffic.objects.get().sends == 8

    def test_codes_typed_at_once_are_all_counted(self):
        now = timezone.now()
        in_threads(10, lambda n: pumping.passed("+491511", now))
        assert PrefixTraffic.objects.get().passes == 10

    def test_control_counting_without_the_lock_stops_too_late(self, settings):
        settings.PUMPING_UNVERIFIED = 3
        PrefixTraffic.objects.create(prefix="+491511", began_at=timezone.now(), sends=2, passes=0)
        together = meeting(5)

        def naive(_number):
            before = PrefixTraffic.objects.get().sends
            together()
            return before < settings.PUMPING_UNVERIFIED

        assert sum(in_threads(5, naive)) > 1
