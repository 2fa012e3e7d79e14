"""Twenty presses at once are spared once, in one browser or in many."""

import pytest
from django.utils import timezone

from accounts.factors.base import Strength
from accounts.models import SecurityEvent
from accounts.stepup import sparing
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Challenge, Grant
from accounts.stepup.risk import SPARES
from tests.conftest import in_threads

from .conftest import meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def spare(ada, asker, order):
    def spare(**other):
        options = {"asker": asker(ada), "strength": Strength.TEXT, "reasons": SPARES, "facts": {}} | order
        return sparing.spare(**options | other)

    return spare


def unused():
    return Grant.objects.filter(used_at=None, expires_at__gt=timezone.now())


def test_twenty_presses_in_one_browser_make_one_grant(spare):
    results = in_threads(20, lambda _number: spare())
    assert len({challenge.pk for challenge in results}) == 1
    assert Grant.objects.count() == SecurityEvent.objects.count() == 1


def test_ten_browsers_with_ten_carts_leave_one_grant_to_be_used(spare, ada, asker):
    def in_a_browser(number):
        return spare(asker=asker(ada, browser=f"{number:064}"), digest=context_digest("pay", {"order": number}))

    results = in_threads(10, in_a_browser)
    assert all(isinstance(result, Challenge) for result in results)
    assert unused().count() == 1


def test_control_looking_before_writing_makes_many(ada, asker, order, spare, monkeypatch):
    together = meeting(5)
    monkeypatch.setattr(sparing, "one_at_a_time", lambda *_names: None)
    void = sparing._void
    monkeypatch.setattr(sparing, "_void", lambda *args, **whose: (void(*args, **whose), together()))
    in_threads(5, lambda _number: spare())
    assert unused().count() > 1
