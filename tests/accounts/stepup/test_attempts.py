from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.stepup import attempts

pytestmark = pytest.mark.django_db
NOW = timezone.now()
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ADA, BEN = "user:1", "user:2"


def wrong(factor="text", now=NOW, subject=ADA):
    """One wrong code: True if it made the factor rest."""
    attempts.pay(subject, factor, now)
    return attempts.failed(subject, factor, now)


def right(factor="text", now=NOW, subject=ADA, own_failures=0):
    attempts.passed(subject, attempts.pay(subject, factor, now), own_failures)


def fail(times, now=NOW, factor="text"):
    for _ in range(times):
        wrong(factor, now)


def a_hundred_in_a_row():
    """Nine an hour, so that the limit of an hour is never reached; when it was done."""
    now = NOW
    for number in range(100):
        wrong(now=now)
        if number % 9 == 8:
            now += HOUR
    return now + HOUR


def test_ten_an_hour():
    assert [wrong() for _ in range(10)] == [False] * 9 + [True]
    with pytest.raises(attempts.FactorResting) as resting:
        attempts.pay(ADA, "text", NOW)
    assert resting.value.until == NOW + 15 * MINUTE


def test_the_limit_is_over_all_factors():
    fail(5, factor="text"), fail(5, factor="email")
    with pytest.raises(attempts.FactorResting):
        attempts.pay(ADA, "email", NOW)


def test_other_people_are_not_touched():
    fail(10)
    attempts.pay(BEN, "text", NOW)


def test_other_factors_stay_usable():
    fail(10)
    attempts.pay(ADA, "authenticator", NOW)
    attempts.pay(ADA, "email", NOW)


def test_while_slow_a_factor_takes_one_try_in_a_quarter_of_an_hour():
    fail(10)
    for quarter in range(1, 4):
        now = NOW + quarter * 15 * MINUTE
        with pytest.raises(attempts.FactorResting):
            attempts.pay(ADA, "text", now - timedelta(seconds=1))
        attempts.pay(ADA, "text", now)
        with pytest.raises(attempts.FactorResting) as resting:
            attempts.pay(ADA, "text", now)
        assert resting.value.until == now + 15 * MINUTE


def test_no_factor_rests_longer_than_a_quarter_of_an_hour():
    fail(10)
    attempts.pay(ADA, "text", NOW + 15 * MINUTE)


def test_after_the_hour_there_are_ten_again():
    fail(10)
    assert [wrong(now=NOW + HOUR) for _ in range(10)] == [False] * 9 + [True]


def test_a_hundred_in_a_row_stay_slow_until_the_password_is_changed():
    now = a_hundred_in_a_row()
    for _ in range(5):  # however long one waits
        now += 24 * HOUR
        attempts.pay(ADA, "text", now)
        with pytest.raises(attempts.FactorResting):
            attempts.pay(ADA, "text", now)
    attempts.forgive(ADA)
    fail(9, now + HOUR)


def test_the_hundredth_in_a_row_is_noticed():
    now = NOW
    noticed = []
    for number in range(100):
        noticed.append(wrong(now=now))
        if number % 9 == 8:
            now += HOUR
    assert noticed == [False] * 99 + [True]


def test_a_success_takes_nothing():
    for _ in range(200):
        right()
    assert [wrong() for _ in range(10)] == [False] * 9 + [True]


def test_a_success_gives_back_its_own_failures_in_a_row_and_no_others():
    fail(4)  # a thief's
    wrong()  # the owner's, who then types it right
    right(own_failures=1)
    now = NOW
    for _ in range(96):
        now += HOUR
        wrong(now=now)
    attempts.pay(ADA, "text", now + HOUR)  # 4 and 96 are a hundred: slow
    with pytest.raises(attempts.FactorResting):
        attempts.pay(ADA, "text", now + HOUR)


def test_a_success_clears_no_failure_of_the_hour():
    fail(9)
    for _ in range(3):
        right()
    wrong()
    with pytest.raises(attempts.FactorResting):
        attempts.pay(ADA, "text", NOW)


def test_a_success_while_slow_gives_a_thief_no_further_try():
    fail(10)
    right(factor="authenticator")
    right(factor="email")
    with pytest.raises(attempts.FactorResting):
        attempts.pay(ADA, "text", NOW)


def test_a_success_after_a_hundred_in_a_row_gives_a_thief_no_further_try():
    now = a_hundred_in_a_row()
    right(factor="authenticator", now=now)
    attempts.pay(ADA, "text", now)  # the one of this quarter of an hour
    with pytest.raises(attempts.FactorResting):
        attempts.pay(ADA, "text", now)
