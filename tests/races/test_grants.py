from collections import Counter as Tally

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.stepup import challenges, grants
from accounts.stepup.models import Grant
from tests.codes import code_of
from tests.conftest import in_threads

from .conftest import DIGEST, meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def grant(ada, asker, order):
    challenge = challenges.begin(asker=asker(ada), factor="text", **order)
    return challenges.answer(
        challenge.pk, asker=asker(ada), purpose=order["purpose"], digest=DIGEST, code=code_of(challenge)
    )


def test_twenty_orders_use_one_grant_once(ada, grant):
    def use(_number):
        with transaction.atomic():
            return grants.use(browser=grant.browser, purpose=grant.purpose, digest=DIGEST, user=ada)

    results = in_threads(20, use)
    assert Tally(type(result).__name__ for result in results) == {"Grant": 1, "NoGrant": 19}


def test_control_using_it_after_looking_uses_it_often(grant):
    together = meeting(5)

    def naive(_number):
        mine = Grant.objects.get(pk=grant.pk)
        unused = mine.used_at is None
        together()
        if unused:
            mine.used_at = timezone.now()
            mine.save()
        return unused

    assert sum(in_threads(5, naive)) > 1
