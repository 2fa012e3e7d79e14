"""Which codes were typed, and what became of the payments that asked for one."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from accounts.delivery.models import Message
from accounts.stepup import numbers
from accounts.stepup.models import BY_RULE, Challenge, Grant, Purpose

pytestmark = pytest.mark.django_db
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=7)
NOW = UNTIL + timedelta(days=1)
MINUTE = timedelta(minutes=1)


def challenge(minute=0, *, browser="b", state="live", ordered=None, factor="text", life=5, purpose=Purpose.PAY):
    """`ordered`: None without a grant, else whether its grant was used."""
    at = SINCE + minute * MINUTE
    found = Challenge.objects.create(
        contact="a@example.org", browser=browser, purpose=purpose, context_digest=bytes(32), next_path="/",
        factor=factor, code_key="k", attempts_left=5, state=state, requested_at=at, expires_at=at + life * MINUTE,
        passed_at=at + 2 * MINUTE if state == "passed" else None,
    )  # fmt: skip
    if ordered is not None:
        Grant.objects.create(
            challenge=found, contact="a@example.org", browser=browser, purpose=purpose, context_digest=bytes(32),
            factor=factor, strength=2, granted_at=at, expires_at=at + 15 * MINUTE, used_at=at if ordered else None,
        )  # fmt: skip
    return found


def sent(to, number, *, channel="text", minute=0, handed=True, provider="a"):
    at = SINCE + minute * MINUTE
    return Message.objects.create(
        kind="code", channel=channel, destination="x", challenge=to, send_number=number, provider=provider,
        queued_at=at, handed_over_at=at if handed else None,
    )  # fmt: skip


def passed():
    return {key[0] + key[1]: count for key, count in numbers.passed_by_all(SINCE, UNTIL).items()}


class TestPassed:
    def test_it_counts_for_the_last_message_that_had_left_by_then(self):
        one = challenge(state="passed", ordered=True)
        sent(one, 1, provider="a")
        sent(one, 2, provider="b")
        sent(one, 3, provider="c", handed=False)
        sent(one, 4, provider="d", minute=3)  # after it was passed
        assert passed() == {"textb": 1}

    def test_it_counts_for_the_way_by_which_it_was_passed(self):
        one = challenge(state="passed", ordered=True, factor="text")
        sent(one, 1, channel="text")
        sent(one, 2, channel="email")
        assert passed() == {"texta": 1}

    def test_a_code_beside_an_app_that_passed_was_not_typed(self):
        one = challenge(state="passed", ordered=True, factor="authenticator")
        sent(one, 1)
        assert passed() == {}

    def test_what_was_not_passed_or_is_of_another_time_is_not_counted(self):
        sent(challenge(browser="1", state="used_up"), 1)
        sent(challenge(browser="2"), 1)
        sent(challenge(-9, browser="3", state="passed", ordered=True), 1, minute=-9)
        assert passed() == {}


@pytest.mark.parametrize(
    ("tries", "became"),
    [
        ([{"state": "passed", "ordered": True}], "ordered"),
        ([{"state": "passed", "ordered": False}], "not_ordered"),
        ([{}], "abandoned"),
        ([{"state": "used_up"}], "abandoned"),
        ([{"state": "superseded"}], "abandoned"),
        # Somebody who tries again within the hour wants the same thing.
        ([{"state": "superseded"}, {"minute": 20, "state": "passed", "ordered": True}], "ordered"),
        ([{"state": "used_up"}, {"minute": 20, "state": "superseded"}, {"minute": 79}], "abandoned"),
        ([{"state": "used_up"}, {"minute": 20, "state": "passed", "ordered": True, "factor": BY_RULE}], ""),
        # Paid, and an hour later, or for something else, left.
        ([{"state": "passed", "ordered": True}, {"minute": 20}], "ordered abandoned"),
        ([{"state": "used_up"}, {"minute": 61, "state": "passed", "ordered": True}], "abandoned ordered"),
        ([{"state": "used_up"}, {"minute": 5, "browser": "other", "state": "used_up"}], "abandoned abandoned"),
        # No payment that was asked for here.
        ([{"state": "passed", "ordered": True, "factor": BY_RULE}], ""),
        ([{"purpose": Purpose.SIGN_IN}], ""),
        ([{"minute": -1}], ""),
        ([{"minute": 7 * 24 * 60}], ""),
        # The next try may be after the end of the period.
        ([{"minute": 7 * 24 * 60 - 1, "state": "used_up"}, {"minute": 7 * 24 * 60 + 5}], ""),
        # Its time isn't over.
        ([{"life": 99999}], "under_way"),
        ([{"state": "superseded", "life": 99999}], "abandoned"),
    ],
)
def test_a_payment_counts_once_for_what_became_of_it(tries, became):
    for each in tries:
        challenge(**each)
    found = numbers.payments(SINCE, UNTIL, NOW)
    names = ("ordered", "not_ordered", "abandoned", "under_way")
    assert {name: getattr(found, name) for name in names} == {name: became.split().count(name) for name in names}


def test_a_grant_that_is_still_good_is_under_way():
    challenge(state="passed", ordered=False)
    assert numbers.payments(SINCE, UNTIL, SINCE + 14 * MINUTE).under_way == 1
    assert numbers.payments(SINCE, UNTIL, SINCE + 16 * MINUTE).not_ordered == 1


def test_challenges_are_counted_by_purpose_and_payments_that_wait():
    challenge(state="passed", ordered=True)
    challenge(1, browser="2")
    challenge(2, purpose=Purpose.SIGN_IN)
    Challenge.objects.filter(pk=challenge(3, browser="3").pk).update(decoy=True, id=uuid.uuid4())
    assert numbers.by_purpose(SINCE, UNTIL) == [
        {"purpose": "pay", "begun": 2, "passed": 1},
        {"purpose": "sign_in", "begun": 1, "passed": 0},
    ]
    assert numbers.payments_waiting(SINCE + 3 * MINUTE) == 2
    assert numbers.payments_waiting(SINCE + 30 * MINUTE) == 0
