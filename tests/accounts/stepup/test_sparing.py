"""A grant by rule: for whom, for what, and until when. And a challenge that asks for more than the policy table."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.factors.base import Strength
from accounts.models import SecurityEvent
from accounts.stepup import challenges, grants, policy, rules, sparing
from accounts.stepup.models import ApprovalRules, Challenge, Grant, Purpose
from accounts.stepup.risk import SPARES, Rules
from tests.accounts.stepup.conftest import DIGEST, OTHER_DIGEST
from tests.codes import code_of, totp_of

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def spare(asker):
    def spare(user, **other):
        options = {
            "asker": asker(user), "purpose": Purpose.PAY, "digest": DIGEST, "next_path": "/checkout/pay/",
            "strength": Strength.TEXT, "reasons": SPARES, "facts": {"amount": "9.90"},
            "summary": {"amount": "€ 9.90"},
        }  # fmt: skip
        return sparing.spare(**(options | other))

    return spare


def found(user, browser, digest=DIGEST, now=None):
    return grants.find(browser=browser, purpose=Purpose.PAY, digest=digest, user=user, now=now)


class TestAGrantByRule:
    def test_it_is_a_row_with_its_reasons_and_facts(self, ada, spare, browser_id):
        challenge = spare(ada)
        assert (challenge.state, challenge.factor, challenge.reasons) == ("passed", "rule", list(SPARES))
        assert challenge.facts == {"amount": "9.90"}
        grant = found(ada, browser_id)
        assert (grant.challenge, grant.factor, grant.strength) == (challenge, "rule", Strength.TEXT)

    def test_it_is_recorded(self, ada, spare):
        spare(ada)
        event = SecurityEvent.objects.get(kind="approval_spared")
        assert event.user == ada
        assert event.detail == {"purpose": "pay", "reasons": list(SPARES), "amount": "€ 9.90"}

    def test_it_is_good_for_this_digest_and_browser_only(self, ada, spare, browser_id):
        spare(ada)
        assert found(ada, browser_id)
        assert not found(ada, browser_id, digest=OTHER_DIGEST)
        assert not found(ada, "0" * 64)

    def test_it_is_used_once(self, ada, spare, browser_id):
        spare(ada)
        with transaction.atomic():
            grants.use(browser=browser_id, purpose=Purpose.PAY, digest=DIGEST, user=ada)
        with transaction.atomic(), pytest.raises(grants.NoGrant):
            grants.use(browser=browser_id, purpose=Purpose.PAY, digest=DIGEST, user=ada)

    def test_asked_for_twice_it_is_one(self, ada, spare):
        assert spare(ada) == spare(ada)
        assert Grant.objects.count() == 1

    def test_a_newer_one_voids_it_in_whatever_browser(self, ada, spare, browser_id, asker):
        spare(ada)
        spare(ada, digest=OTHER_DIGEST, asker=asker(ada, browser="f" * 64))
        assert not found(ada, browser_id)
        assert found(ada, "f" * 64, digest=OTHER_DIGEST)

    def test_it_leaves_what_was_proven_alone(self, ada, begin, answer, spare, browser_id):
        challenge = begin(ada)
        answer(challenge, code_of(challenge))
        spare(ada, digest=OTHER_DIGEST)
        assert found(ada, browser_id)

    def test_it_replaces_a_question_that_is_open(self, ada, begin, spare):
        open_one = begin(ada)
        spare(ada, digest=OTHER_DIGEST)
        open_one.refresh_from_db()
        assert open_one.state == Challenge.State.SUPERSEDED

    def test_it_is_over_after_a_while(self, ada, spare, browser_id):
        spare(ada)
        assert not found(ada, browser_id, now=timezone.now() + 15 * MINUTE)

    def test_changed_rules_void_it(self, ada, rita, spare, browser_id):
        spare(ada)
        rules.change(new=Rules(), actor=rita)  # nothing changed
        assert found(ada, browser_id)
        rules.change(new=Rules(failures_a_day=4), actor=rita)
        assert not found(ada, browser_id)

    def test_it_does_not_count_as_a_proof(self, ada, begin, answer, spare, browser_id):
        assert sparing.last_strong_proof(browser=browser_id, user=ada, least=Strength.TEXT) is None
        spare(ada)
        assert sparing.last_strong_proof(browser=browser_id, user=ada, least=Strength.TEXT) is None
        challenge = begin(ada)
        proof = answer(challenge, code_of(challenge))
        spare(ada, digest=OTHER_DIGEST)
        assert sparing.last_strong_proof(browser=browser_id, user=ada, least=Strength.TEXT) == proof
        assert sparing.last_strong_proof(browser=browser_id, user=ada, least=Strength.AUTHENTICATOR) is None

    @pytest.mark.parametrize("who", ["staff", "guest", "bare contact of an account"])
    def test_guests_and_staff_get_none(self, who, ada, sam, spare, asker):
        askers = {
            "staff": asker(sam), "guest": asker(contact="g@example.org"),
            "bare contact of an account": asker(ada, contact="g@example.org"),
        }  # fmt: skip
        with pytest.raises(sparing.NotSparable):
            spare(None, asker=askers[who])
        assert not Grant.objects.exists()


class TestAChallengeThatAsksForMore:
    def test_it_begins_with_what_is_strong_enough(self, ada, begin):
        assert begin(ada, factor="email", least=Strength.TEXT).factor == "authenticator"

    def test_nothing_weaker_can_be_chosen(self, ada, begin, asker):
        challenge = begin(ada, least=Strength.AUTHENTICATOR, factor=None)
        for weaker in ("text", "call", "email"):
            with pytest.raises(challenges.ChallengeOver):
                challenges.choose(challenge, asker=asker(ada), factor=weaker)

    def test_nothing_weaker_answers_it(self, ada, begin, answer):
        challenge = begin(ada, least=Strength.AUTHENTICATOR, factor=None)
        Challenge.objects.filter(pk=challenge.pk).update(factor="text", sends=1)
        with pytest.raises(challenges.ChallengeOver):
            answer(challenge, code_of(challenge))

    def test_what_is_strong_enough_does(self, ada, begin, answer):
        challenge = begin(ada, least=Strength.AUTHENTICATOR, factor=None)
        assert answer(challenge, totp_of(ada, timezone.now())).strength == Strength.AUTHENTICATOR

    def test_a_grant_weaker_than_was_asked_for_is_not_found(self, ada, begin, answer, browser_id):
        challenge = begin(ada)
        answer(challenge, code_of(challenge))
        assert found(ada, browser_id)
        Challenge.objects.update(least=Strength.AUTHENTICATOR)
        assert not found(ada, browser_id)

    def test_asking_again_for_more_is_another_challenge(self, ada, begin):
        weak = begin(ada)
        strong = begin(ada, least=Strength.TEXT)
        weak.refresh_from_db()
        assert weak.state == Challenge.State.SUPERSEDED
        assert begin(ada, least=Strength.TEXT) == strong

    def test_its_reasons_and_facts_are_kept_with_it(self, ada, begin):
        challenge = begin(ada, least=Strength.TEXT, reasons=("new_place",), facts={"amount": "1.00"})
        challenge.refresh_from_db()
        assert (challenge.reasons, challenge.facts) == (["new_place"], {"amount": "1.00"})

    def test_once_more_after_its_end_it_asks_for_as_much(self, ada, begin, client):
        challenge = begin(ada, least=Strength.TEXT, reasons=("new_place",), facts={"amount": "1.00"})
        session = client.session
        session["browser"] = "the browser of this test"
        session.save()
        Challenge.objects.update(expires_at=timezone.now())
        client.post(f"/account/challenge/{challenge.pk}/again/")
        fresh = Challenge.objects.get(state="live")
        assert (fresh.least, fresh.reasons, fresh.facts) == (Strength.TEXT, ["new_place"], {"amount": "1.00"})

    def test_its_page_offers_nothing_weaker(self, ada, begin, client):
        challenge = begin(ada, least=Strength.TEXT, factor=None)
        session = client.session
        session["browser"] = "the browser of this test"
        session.save()
        page = client.get(f"/account/challenge/{challenge.pk}/").content.decode()
        assert "Text a code" in page
        assert "E-mail a code" not in page
        assert "unusual" in page


class TestAfterARecovery:
    @pytest.fixture
    def until(self, ada):
        ada.strong_payments_until = timezone.now() + timedelta(hours=24)
        ada.save()
        return ada.strong_payments_until

    def codes_offered(self, user, purpose, now):
        return [offer.factor.code for offer in policy.offers(user, purpose, now)]

    def test_a_payment_needs_an_authenticator(self, ada, until):
        assert self.codes_offered(ada, Purpose.PAY, until - MINUTE) == ["authenticator"]
        assert "text" in self.codes_offered(ada, Purpose.PAY, until)

    def test_or_it_waits_and_is_told_until_when(self, ada, until):
        ada.authenticators.all().delete()
        with pytest.raises(policy.NoFactor, match=r"recovered lately, so until .* needs an authenticator"):
            policy.offers(ada, Purpose.PAY, until - MINUTE)

    def test_the_rest_goes_on_as_before(self, ada, until):
        assert "text" in self.codes_offered(ada, Purpose.SIGN_IN, until - MINUTE)


class TestTheRules:
    def test_a_new_shop_asks_for_everything(self):
        assert rules.current() == Rules()
        assert rules.rules_of(ApprovalRules()) == Rules()

    def test_a_change_is_kept_and_recorded_with_old_and_new_values(self, rita):
        new = Rules(relax_below=50, failures_a_day=3)
        assert rules.change(new=new, actor=rita, ip="192.0.2.1")
        assert rules.current() == new
        event = SecurityEvent.objects.get(kind="policy_changed")
        assert (event.actor, event.ip) == (rita, "192.0.2.1")
        assert (event.detail["old"]["failures_a_day"], event.detail["new"]["failures_a_day"]) == (5, 3)
        assert (event.detail["old"]["spent_a_day"], event.detail["new"]["spent_a_day"]) == ("1000.00", "1000.00")

    def test_no_change_is_no_event(self, rita):
        assert not rules.change(new=Rules(), actor=rita)
        assert not SecurityEvent.objects.exists()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"relax_below": 501}, {"relax_below": -1}, {"relax_proof_minutes": 4}, {"relax_proof_minutes": 1441},
            {"known_address_days": 6}, {"known_address_days": 366}, {"failures_a_day": 2}, {"failures_a_day": 21},
            {"phone_changed_days": 2}, {"phone_changed_days": 31}, {"orders_a_day": 0}, {"orders_a_day": 21},
            {"spent_a_day": 49}, {"spent_a_day": 10_001}, {"pk": 2},
        ],
        ids=str,
    )  # fmt: skip
    def test_the_database_keeps_them_one_row_within_bounds(self, wrong):
        with pytest.raises(IntegrityError), transaction.atomic():
            ApprovalRules.objects.create(**wrong)
