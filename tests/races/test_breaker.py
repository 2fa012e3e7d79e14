"""Twenty workers at the moment at which a provider may be asked again: one asks."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.delivery import breaker
from accounts.delivery.models import Alarm, Breaker
from tests.conftest import in_threads

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def test_one_of_twenty_is_the_probe():
    now = timezone.now()
    Breaker.objects.create(provider="twilio", failures=5, open_until=now - timedelta(seconds=1))
    told = in_threads(20, lambda number: breaker.closed_again_at("twilio", now))
    assert told.count(None) == 1
    assert set(told) == {None, now + breaker.REST}


def test_a_naive_look_lets_all_of_them_through():
    """So the threads do meet: this is what the conditional UPDATE prevents."""
    now = timezone.now()
    Breaker.objects.create(provider="twilio", failures=5, open_until=now - timedelta(seconds=1))

    def naive(number):
        row = Breaker.objects.get(provider="twilio")
        if row.open_until > now:
            return row.open_until
        Breaker.objects.filter(provider="twilio").update(open_until=now + breaker.REST)
        return None

    assert in_threads(20, naive).count(None) > 1


def test_twenty_failures_at_once_raise_one_alarm():
    now = timezone.now()
    assert in_threads(20, lambda number: breaker.failed("twilio", now)) == [None] * 20
    assert Alarm.objects.count() == 1
    assert Breaker.objects.get().open_until == now + breaker.REST
