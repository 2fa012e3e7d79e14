"""Every purpose, every factor, every kind of person: what may be offered, begun and passed is what POLICY says.

test_pages.py does the same with the pages.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.delivery import budgets
from accounts.factors.registry import all_factors
from accounts.factors.registry import factor as factor_of
from accounts.stepup import challenges, policy
from accounts.stepup.challenges import Asker, ChallengeOver, NotYours
from accounts.stepup.models import Grant, Purpose
from accounts.stepup.policy import POLICY, Person
from tests.accounts.stepup.conftest import DIGEST

from .people import FACTORS, GIVE, PEOPLE, PROVE, STRENGTH

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_budgets(monkeypatch):
    """One person asks for more codes here than a person may in an hour."""
    for budget in (budgets.NUMBER, budgets.ACCOUNT, budgets.BROWSER):
        monkeypatch.setattr(budget, "limit", 10_000)


def test_it_knows_every_factor():
    assert {factor.code for factor in all_factors()} == set(GIVE), "say in people.py how a person gets it"


def test_every_purpose_has_a_rule_for_somebody():
    assert {purpose for purpose, _person in POLICY} == set(Purpose)


@pytest.mark.parametrize("someone", PEOPLE, ids=str)
class TestPerson:
    def test_is_offered_what_the_table_says(self, someone):
        user = someone.come()
        for purpose in Purpose:
            if someone.needs(purpose) is None:
                with pytest.raises(KeyError):
                    policy.offers(user, purpose, timezone.now())
                continue
            expected = someone.may_use(purpose)
            if expected:
                offered = [offer.factor.code for offer in policy.offers(user, purpose, timezone.now())]
                assert set(offered) == expected, purpose
            else:
                with pytest.raises(policy.NoFactor):
                    policy.offers(user, purpose, timezone.now())

    def test_passes_with_what_the_table_says_and_with_nothing_else(self, someone):
        user, now = someone.come(), timezone.now()
        for purpose in Purpose:
            allowed = someone.may_use(purpose)
            for wanted in FACTORS:
                now += timedelta(minutes=1)  # an app shows another code
                asker = Asker(browser=f"{purpose} {wanted}".ljust(64, "."), user=user)
                options = {"asker": asker, "purpose": purpose, "digest": DIGEST, "next_path": "/", "now": now}
                if not allowed:
                    with pytest.raises((KeyError, policy.NoFactor)):
                        challenges.begin(**options, factor=wanted)
                    continue
                challenge = challenges.begin(**options, factor=wanted)
                assert (challenge.factor == wanted) == (wanted in allowed)
                assert challenge.factor in allowed
                if wanted not in allowed:
                    with pytest.raises((ChallengeOver, NotYours)):
                        challenges.choose(challenge, asker=asker, factor=wanted, now=now)
                    challenge.refresh_from_db()
                    assert challenge.factor in allowed
                elif wanted in PROVE:
                    code = PROVE[wanted](challenge, now)
                    grant = challenges.answer(
                        challenge.pk, asker=asker, purpose=purpose, digest=DIGEST, code=code, now=now
                    )
                    assert (grant.factor, grant.strength) == (wanted, STRENGTH[wanted])
        for grant in Grant.objects.all():
            assert grant.strength >= someone.needs(grant.purpose)


@pytest.mark.parametrize(
    ("contact", "ways"), [("guest@example.org", {"email"}), ("+4915112345000", {"text", "call"})], ids=["mail", "phone"]
)
@pytest.mark.parametrize("purpose", Purpose)
def test_a_guest_proves_the_contact_where_the_table_has_a_row(contact, ways, purpose):
    asker = Asker(browser="guest".ljust(64, "."), contact=contact)
    for wanted in FACTORS:
        options = {"asker": asker, "purpose": purpose, "digest": DIGEST, "next_path": "/", "factor": wanted}
        if (purpose, Person.GUEST) not in POLICY:
            with pytest.raises(KeyError):
                challenges.begin(**options)
            continue
        challenge = challenges.begin(**options, now=timezone.now() + timedelta(minutes=FACTORS.index(wanted)))
        assert challenge.factor in ways
        assert factor_of(challenge.factor).strength >= POLICY[purpose, Person.GUEST].least
        if wanted not in ways:
            with pytest.raises(NotYours):
                challenges.choose(challenge, asker=asker, factor=wanted)
