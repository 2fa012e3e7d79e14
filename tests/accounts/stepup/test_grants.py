"""Rule 7: a grant is used up in the transaction of what it allows."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.stepup import grants
from accounts.stepup.models import Grant, Purpose
from tests.codes import code_of

from .conftest import DIGEST, OTHER_DIGEST

NOW = timezone.now() + timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def grant(cleo, begin, answer):
    challenge = begin(cleo, now=NOW)
    return answer(challenge, code_of(challenge), now=NOW)


@pytest.fixture
def use(cleo, browser_id):
    def use(**other):
        exactly = {"browser": browser_id, "purpose": Purpose.PAY, "digest": DIGEST, "user": cleo, "now": NOW}
        return grants.use(**(exactly | other))

    return use


def test_it_is_used_once(grant, use):
    assert use() == grant
    assert Grant.objects.get().used_at == NOW
    with pytest.raises(grants.NoGrant):
        use()


@pytest.mark.parametrize(
    "other",
    [
        {"browser": "b" * 64},
        {"purpose": Purpose.SIGN_IN},
        {"digest": OTHER_DIGEST},
        {"user": None},
        {"contact": "guest@example.org"},
        {"user": None, "contact": "guest@example.org"},
        {"now": NOW + 15 * MINUTE},
    ],
)
def test_it_is_good_for_exactly_one_thing(grant, use, other):
    with pytest.raises(grants.NoGrant):
        use(**other)
    assert Grant.objects.get().used_at is None


def test_it_is_not_another_persons(grant, use, ben):
    with pytest.raises(grants.NoGrant):
        use(user=ben)


def test_what_is_rolled_back_uses_nothing_up(grant, use):
    with transaction.atomic():
        use()
        transaction.set_rollback(True)
    assert use()


@pytest.mark.django_db(transaction=True)
def test_it_is_not_used_outside_of_a_transaction(grant, use):
    with pytest.raises(RuntimeError, match="in the transaction"):
        use()
    assert Grant.objects.get().used_at is None


def test_finding_uses_nothing_up(grant, browser_id, cleo):
    for _ in range(2):
        assert grants.find(browser=browser_id, purpose=Purpose.PAY, digest=DIGEST, user=cleo, now=NOW) == grant


def test_a_guests_is_found_by_contact(begin, answer, browser_id, db):
    challenge = begin(contact="guest@example.org")
    grant = answer(challenge, code_of(challenge))
    assert (grant.user, grant.contact) == (None, "guest@example.org")
    assert grants.use(browser=browser_id, purpose=Purpose.PAY, digest=DIGEST, contact="guest@example.org") == grant


def test_the_policy_says_how_long_it_lives(grant):
    assert grant.expires_at == NOW + 15 * MINUTE


def test_a_change_of_the_password_voids_it(grant, use, cleo, browser_id):
    cleo.set_password("another whale of a password")
    cleo.save()
    assert grants.find(browser=browser_id, purpose=Purpose.PAY, digest=DIGEST, user=cleo, now=NOW) is None
    with pytest.raises(grants.NoGrant):
        use()
    assert Grant.objects.get().used_at is None


def test_one_found_before_the_change_is_void_too(grant, use, cleo, browser_id):
    found = Grant.objects.get(pk=grant.pk)
    cleo.set_password("another whale of a password")
    cleo.save()
    with pytest.raises(grants.NoGrant):
        grants.use_up(found, NOW)
