from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import limits
from accounts.models import Counter

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NOW = timezone.now()


def take(limit=3, at=NOW, key="ada", scope="codes"):
    return limits.take(scope, key, limit=limit, window=HOUR, now=at)


def test_it_gives_as_many_as_the_limit_and_no_more():
    assert [take() for _ in range(5)] == [True, True, True, False, False]
    assert limits.spent("codes", "ada", window=HOUR, now=NOW) == 3  # a refusal spends nothing


def test_keys_and_scopes_are_apart():
    assert take(limit=1) and not take(limit=1)
    assert take(limit=1, key="ben") and take(limit=1, scope="sends")


def test_a_window_ends_after_its_time_and_not_a_moment_before():
    assert take(limit=1)
    assert not take(limit=1, at=NOW + HOUR - timedelta(microseconds=1))
    assert take(limit=1, at=NOW + HOUR)
    assert not take(limit=1, at=NOW + HOUR)


def test_refused_tries_do_not_prolong_a_window():
    take(limit=1)
    for minute in range(60):
        assert not take(limit=1, at=NOW + timedelta(minutes=minute))
    assert take(limit=1, at=NOW + HOUR)


def test_what_was_honest_is_given_back_but_never_more_than_was_taken():
    take(limit=2), take(limit=2)
    limits.give_back("codes", "ada")
    assert take(limit=2) and not take(limit=2)
    limits.give_back("codes", "ada", 2)
    limits.give_back("codes", "ada")
    assert [take(limit=2) for _ in range(3)] == [True, True, False]


def test_forgetting_begins_anew():
    take(limit=1)
    limits.forget("codes", "ada")
    assert take(limit=1)


def test_the_end_of_a_window_is_known():
    assert limits.ends_at("codes", "ada", window=HOUR) is None
    take()
    assert limits.ends_at("codes", "ada", window=HOUR) == NOW + HOUR


def test_a_window_that_is_over_counts_as_unspent():
    take()
    assert limits.spent("codes", "ada", window=HOUR, now=NOW + HOUR) == 0


def test_a_key_is_kept_as_a_hash():
    take(key="+4915112345678")
    assert "4915112345678" not in str(Counter.objects.values())


def test_a_rolled_back_transaction_takes_nothing():
    from django.db import transaction

    with transaction.atomic():
        assert take(limit=1)
        transaction.set_rollback(True)
    assert take(limit=1)
