from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.delivery.models import Breaker
from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import make_backup_codes
from accounts.factors.base import Strength
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import User
from accounts.stepup import policy
from accounts.stepup.models import Purpose

NOW = timezone.now()
HOURS = timedelta(hours=1)


def offered(user, purpose, now=None):
    return [offer.factor.code for offer in policy.offers(user, purpose, now or timezone.now())]


def test_a_stronger_factor_is_offered_first(ada):
    make_backup_codes(ada)
    assert offered(ada, Purpose.SIGN_IN) == ["authenticator", "text", "call", "email", "backup_code"]


def test_what_a_person_has_is_offered_and_no_more(ben, cleo):
    assert offered(ben, Purpose.SIGN_IN) == ["email"]
    assert offered(cleo, Purpose.SIGN_IN) == ["text", "call"]


def test_nobody_is_called_where_the_shop_has_no_number_to_call_from(cleo, settings):
    settings.TWILIO_FROM, settings.TWILIO_MESSAGING_SERVICE_SID = "", "MG" + "a" * 32
    assert offered(cleo, Purpose.SIGN_IN) == ["text"]
    assert [way.code for way in policy.contact_ways("+4915123456789")] == ["text"]


def test_what_goes_by_a_failing_provider_comes_last(ada):
    ada.preferred_device = f"text:{ada.phones.get().persistent_id}"
    Breaker.objects.create(provider="twilio", failures=5, open_until=NOW + HOURS)
    assert offered(ada, Purpose.SIGN_IN, NOW) == ["authenticator", "email", "text", "call"]
    assert offered(ada, Purpose.SIGN_IN, NOW + 2 * HOURS)[0] == "text"


def test_a_landline_is_called_before_it_is_texted(ben):
    Phone.objects.create(user=ben, number="+493090182099")
    assert offered(ben, Purpose.SIGN_IN) == ["call", "email", "text"]
    assert [way.code for way in policy.contact_ways("+493090182099")] == ["call", "text"]


@pytest.mark.django_db
def test_a_contact_is_proven_by_what_reaches_it(settings):
    assert [way.code for way in policy.contact_ways("+4915123456789")] == ["text", "call"]
    assert [way.code for way in policy.contact_ways("guest@example.org")] == ["email"]


def test_an_unproven_factor_is_not_offered(ben):
    Phone.objects.create(user=ben, number="+4915112345679", confirmed=False)
    Authenticator.objects.create(user=ben, confirmed=False)
    assert offered(ben, Purpose.SIGN_IN) == ["email"]


def test_used_up_backup_codes_are_not_offered(ben):
    make_backup_codes(ben)
    assert offered(ben, Purpose.SIGN_IN) == ["email", "backup_code"]
    ben.backup_code_sets.get().codes.update(used_at=NOW)
    assert offered(ben, Purpose.SIGN_IN) == ["email"]


class TestPreferred:
    @pytest.fixture
    def ways(self, ada):
        Phone.objects.create(user=ada, number="+4915155555599")
        make_backup_codes(ada)
        return {
            f"{offer.factor.code} {n}": offer.key for n, offer in enumerate(policy.offers(ada, Purpose.SIGN_IN, NOW))
        }

    @pytest.mark.parametrize(
        ("preferred", "purpose", "first"),
        [
            ("text 1", Purpose.SIGN_IN, "text 1"),
            ("text 2", Purpose.SIGN_IN, "text 2"),
            ("call 3", Purpose.SIGN_IN, "call 3"),
            ("call 4", Purpose.PAY, "call 4"),
            ("email 5", Purpose.SIGN_IN, "email 5"),
            ("email 5", Purpose.PAY, "email 5"),
            ("email 5", Purpose.MANAGE_FACTORS, "authenticator 0"),  # not enough there
            ("email 5", Purpose.CHANGE_PHONE, "authenticator 0"),
            ("call 3", Purpose.CHANGE_PHONE, "call 3"),
            ("", Purpose.SIGN_IN, "authenticator 0"),
        ],
    )
    def test_it_comes_first_where_it_is_allowed(self, ada, ways, preferred, purpose, first):
        ada.preferred_device = ways.get(preferred, "")
        found = [offer.key for offer in policy.offers(ada, purpose, timezone.now())]
        assert found[0] == ways[first]
        ada.preferred_device = ""
        # Nothing is added by it and nothing is lost, and the others keep their order.
        rest = [offer.key for offer in policy.offers(ada, purpose, timezone.now())]
        assert found[1:] == [key for key in rest if key != ways[first]]

    def test_the_admin_still_opens_to_an_authenticator_only(self, sam):
        phone = Phone.objects.create(user=sam, number="+4915112345679")
        sam.preferred_device = f"text:{phone.persistent_id}"
        assert offered(sam, Purpose.STAFF_SIGN_IN) == ["authenticator"]
        assert offered(sam, Purpose.PAY) == ["authenticator"]
        assert offered(sam, Purpose.SIGN_IN)[0] == "text"

    def test_what_was_removed_is_passed_over(self, ada, ways):
        ada.preferred_device = ways["text 2"]
        Phone.objects.filter(number="+4915155555599").delete()
        assert offered(ada, Purpose.SIGN_IN)[0] == "authenticator"

    def test_what_is_no_longer_confirmed_is_passed_over(self, ada, ways):
        ada.preferred_device = ways["text 2"]
        Phone.objects.update(confirmed=False)
        assert offered(ada, Purpose.SIGN_IN)[0] == "authenticator"

    def test_somebody_elses_is_passed_over(self, ada, cleo):
        ada.preferred_device = f"text:{cleo.phones.get().persistent_id}"
        assert offered(ada, Purpose.SIGN_IN) == ["authenticator", "text", "call", "email"]

    def test_a_call_is_passed_over_where_the_shop_calls_nobody(self, ada, ways, settings):
        ada.preferred_device = ways["call 3"]
        settings.TWILIO_FROM, settings.TWILIO_MESSAGING_SERVICE_SID = "", "MG" + "a" * 32
        assert offered(ada, Purpose.SIGN_IN)[0] == "authenticator"

    def test_a_new_phone_still_approves_no_payment(self, ada, ways):
        ada.preferred_device = ways["text 1"]
        Phone.objects.update(approves_payments_from=NOW + policy.NEW_PHONE_REST)
        assert offered(ada, Purpose.PAY, NOW)[0] == "authenticator"
        assert offered(ada, Purpose.SIGN_IN, NOW)[0] == "text"

    def test_one_that_rests_after_a_reset_is_passed_over(self, ada, ways):
        ada.preferred_device = ways["email 5"]
        ada.reset_factor, ada.reset_factor_rests_until = "email", NOW + policy.REST_AFTER_RESET
        assert offered(ada, Purpose.SIGN_IN, NOW)[0] == "authenticator"

    def test_a_landline_that_shall_be_texted_is_texted(self, ben):
        phone = Phone.objects.create(user=ben, number="+493090182099")
        ben.preferred_device = f"text:{phone.persistent_id}"
        assert offered(ben, Purpose.SIGN_IN) == ["text", "call", "email"]

    def test_it_costs_no_query(self, ada, ways):
        spent = []
        for preferred in ("", ways["text 2"]):
            ada.preferred_device = preferred
            with CaptureQueriesContext(connection) as queries:
                policy.offers(ada, Purpose.MANAGE_FACTORS, NOW)
            spent.append(len(queries))
        assert spent[0] == spent[1]

    def test_every_key_fits_its_column(self, ada, ways):
        room = User._meta.get_field("preferred_device").max_length
        for key in ways.values():
            assert len(key.rpartition("/")[0] + f"/{2**63 - 1}") <= room


class TestANewPhone:
    @pytest.fixture
    def phone(self, cleo):
        phone = cleo.phones.get()
        phone.approves_payments_from = NOW + policy.NEW_PHONE_REST
        phone.save()
        return phone

    def test_it_rests_for_72_hours(self):
        assert timedelta(hours=72) == policy.NEW_PHONE_REST

    def test_it_approves_no_payment_and_says_from_when_it_will(self, cleo, phone):
        with pytest.raises(policy.NoFactor, match=r"Your phone number is new here.*from .* on"):
            policy.offers(cleo, Purpose.PAY, NOW + 72 * HOURS - timedelta(seconds=1))

    def test_it_does_so_after_72_hours(self, cleo, phone):
        assert offered(cleo, Purpose.PAY, NOW + 72 * HOURS) == ["text", "call"]

    def test_it_signs_in_meanwhile(self, cleo, phone):
        assert offered(cleo, Purpose.SIGN_IN, NOW) == ["text", "call"]

    def test_another_factor_confirms_meanwhile(self, cleo, phone):
        Authenticator.objects.create(user=cleo)
        assert offered(cleo, Purpose.PAY, NOW) == ["authenticator"]


class TestAfterAResetByMail:
    @pytest.fixture
    def reset(self, ben):
        ben.reset_factor, ben.reset_factor_rests_until = "email", NOW + policy.REST_AFTER_RESET
        ben.save()

    @pytest.mark.parametrize("purpose", [Purpose.SIGN_IN, Purpose.PAY, Purpose.MANAGE_FACTORS])
    def test_mail_alone_is_not_enough(self, ben, reset, purpose):
        with pytest.raises(policy.NoFactor, match=r"Your password was reset by e-mail, .* not enough until"):
            policy.offers(ben, purpose, NOW + 72 * HOURS - timedelta(seconds=1))

    def test_it_is_again_later(self, ben, reset):
        assert offered(ben, Purpose.SIGN_IN, NOW + 72 * HOURS) == ["email"]

    def test_another_factor_is_enough(self, ben, reset):
        Phone.objects.create(user=ben, number="+4915112345679")
        assert offered(ben, Purpose.SIGN_IN, NOW) == ["text", "call"]


class TestAfterAResetByPhone:
    @pytest.fixture
    def reset(self, cleo):
        cleo.reset_factor, cleo.reset_factor_rests_until = "text", NOW + policy.REST_AFTER_RESET
        cleo.save()

    @pytest.mark.parametrize("purpose", [Purpose.SIGN_IN, Purpose.PAY, Purpose.MANAGE_FACTORS])
    def test_neither_text_nor_call_is_enough(self, cleo, reset, purpose):
        with pytest.raises(policy.NoFactor, match=r"Your password was reset by text or call, .* not enough until"):
            policy.offers(cleo, purpose, NOW + 72 * HOURS - timedelta(seconds=1))

    def test_both_are_again_later(self, cleo, reset):
        assert offered(cleo, Purpose.SIGN_IN, NOW + 72 * HOURS) == ["text", "call"]

    def test_another_factor_is_enough(self, cleo, reset):
        Mailbox.objects.create(user=cleo, address="cleo@example.org")
        assert offered(cleo, Purpose.SIGN_IN, NOW) == ["email"]


class TestStaff:
    def test_the_admin_opens_to_an_authenticator_only(self, sam):
        make_backup_codes(sam)
        Phone.objects.create(user=sam, number="+4915112345679")
        assert offered(sam, Purpose.STAFF_SIGN_IN) == ["authenticator"]

    def test_it_stays_shut_to_those_who_have_none(self, sam):
        sam.authenticators.all().delete()
        with pytest.raises(policy.NoFactor, match="nothing set up yet that is strong enough"):
            policy.offers(sam, Purpose.STAFF_SIGN_IN, NOW)

    def test_it_is_no_business_of_shoppers(self, ada):
        with pytest.raises(KeyError):
            policy.offers(ada, Purpose.STAFF_SIGN_IN, NOW)

    @pytest.mark.parametrize("purpose", [Purpose.PAY, Purpose.MANAGE_FACTORS])
    def test_who_owns_an_authenticator_has_to_use_it(self, sam, purpose):
        assert offered(sam, purpose) == ["authenticator"]


def test_a_change_of_factors_needs_a_strong_one_where_there_is_one(ada, ben):
    assert offered(ada, Purpose.MANAGE_FACTORS) == ["authenticator", "text", "call"]
    assert offered(ben, Purpose.MANAGE_FACTORS) == ["email"]


def test_a_person_with_nothing_is_told_so(ben):
    Mailbox.objects.all().delete()
    with pytest.raises(policy.NoFactor, match="nothing set up yet"):
        policy.offers(ben, Purpose.SIGN_IN, NOW)


@pytest.mark.parametrize("purpose", [Purpose.SIGN_IN, Purpose.STAFF_SIGN_IN, Purpose.MANAGE_FACTORS])
def test_a_guest_has_no_business_with_accounts(purpose):
    with pytest.raises(KeyError):
        policy.rule(purpose, None)


def test_an_unknown_purpose_is_refused(ada):
    with pytest.raises(ValueError, match="not a valid"):
        policy.rule("change_everything", ada)


def test_strengths_are_ordered():
    assert Strength.EMAIL < Strength.TEXT < Strength.AUTHENTICATOR


def test_each_rule_lets_a_grant_live_for_a_short_time():
    assert all(timedelta(0) < rule.grant_life <= timedelta(minutes=30) for rule in policy.POLICY.values())
