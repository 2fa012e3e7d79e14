"""Many sends at once: no budget, no guard and no cap lets one more through."""

from decimal import Decimal

import pytest
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.timezone import localdate

from accounts.delivery import budgets, pumping, services, spending
from accounts.delivery.budgets import NotToBeSent, Send
from accounts.delivery.composing import Content
from accounts.delivery.models import Alarm, Message, PrefixStop, PrefixTraffic, Spending
from accounts.models import Counter
from accounts.stepup import challenges
from tests.conftest import in_threads

from .conftest import meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


NOW = timezone.now()


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


class TestMoney:
    @pytest.fixture(autouse=True)
    def _cap(self, settings):
        settings.MESSAGE_BUDGET_A_DAY = Decimal("0.70")  # seven texts by our guess

    def test_twenty_workers_at_once_never_overrun_the_cap(self, twilio):
        ids = [
            services.queue_message(kind="code", channel="text", destination=f"+4915112345{n:03d}").pk for n in range(20)
        ]
        in_threads(20, lambda n: spending.set_aside(Message.objects.get(pk=ids[n]), Content("1"), "twilio", NOW))
        assert Spending.objects.get().spent == Decimal("0.70")
        assert Message.objects.filter(cost=Decimal("0.10")).count() == 7
        assert Alarm.objects.filter(kind="spending").count() == 3

    def test_what_is_given_back_twice_counts_once(self):
        message = services.queue_message(kind="code", channel="text", destination="+4915112345678")
        spending.set_aside(message, Content("1"), "twilio", NOW)
        in_threads(10, lambda n: spending.give_back(Message.objects.get(pk=message.pk), NOW))
        assert Spending.objects.get().spent == 0

    def test_control_looking_first_spends_more(self):
        Spending.objects.create(day=localdate(NOW), spent=Decimal("0.60"))
        together = meeting(5)

        def naive(_number):
            room = spending.has_room("text", "DE", NOW)
            together()
            if room:
                Spending.objects.update(spent=F("spent") + Decimal("0.10"))

        in_threads(5, naive)
        assert Spending.objects.get().spent > settings.MESSAGE_BUDGET_A_DAY


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
