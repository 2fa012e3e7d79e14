"""The page of the approval rules, and the one that tries other rules on past orders."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.factors.base import Strength
from accounts.models import SecurityEvent
from accounts.stepup import rules
from accounts.stepup.models import ApprovalRules, Challenge, Grant, Purpose
from accounts.stepup.risk import Facts, Rules
from shop.checkout.what_if import replay
from shop.order.models import Order
from tests.codes import totp_of
from tests.shop.checkout.test_queries import statements
from tests.shop.conftest import ADDRESS

pytestmark = pytest.mark.django_db
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
RULES, WHAT_IF = "/admin/stepup/approvalrules/", "/admin/stepup/approvalrules/what-if/"
FORM = {
    "relax_below": "50.00", "relax_proof_minutes": 60, "known_address_days": 30, "failures_a_day": 5,
    "phone_changed_days": 7, "orders_a_day": 5, "spent_a_day": "1000.00",
}  # fmt: skip


def may(user, *codenames):
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))


class TestTheRules:
    def test_they_are_changed_and_the_change_is_recorded(self, rita, as_staff):
        response = as_staff(rita).post(RULES, FORM)
        assert response.url == RULES
        assert rules.current() == Rules(relax_below=Decimal(50))
        event = SecurityEvent.objects.get(kind="policy_changed")
        assert event.actor == rita
        assert (event.detail["old"]["relax_below"], event.detail["new"]["relax_below"]) == ("0.00", "50.00")

    def test_they_stay_one_row(self, rita, as_staff):
        client = as_staff(rita)
        client.post(RULES, FORM)
        client.post(RULES, FORM | {"orders_a_day": 3})
        assert ApprovalRules.objects.get().orders_a_day == 3
        assert client.get(f"{RULES}add/").status_code == 403
        assert client.post(f"{RULES}1/delete/", {"post": "yes"}).status_code == 403
        assert client.get(f"{RULES}2/change/").url == "/admin/"

    def test_the_bounds_are_said(self, rita, as_staff):
        response = as_staff(rita).post(RULES, FORM | {"failures_a_day": 1000})
        assert "less than or equal to 20" in response.content.decode()
        assert not ApprovalRules.objects.exists()

    def test_a_stale_proof_is_asked_for_and_what_was_typed_comes_back(self, rita, as_staff):
        client = as_staff(rita, at=timezone.now() - 11 * MINUTE)
        assert client.get("/admin/").status_code == 200
        back = client.post(RULES, FORM | {"orders_a_day": 3}).url
        assert not ApprovalRules.objects.exists()
        page = client.get(back).url
        challenge = Challenge.objects.get(purpose=Purpose.CHANGE_POLICY)
        assert page == f"/account/challenge/{challenge.pk}/"
        assert "change the approval rules" in client.get(page).content.decode()
        answered = client.post(page, {"code": totp_of(rita, timezone.now())})
        form = client.get(answered.url).context["adminform"].form
        assert (form["orders_a_day"].value(), form["relax_below"].value()) == (3, Decimal("50.00"))
        assert client.post(RULES, FORM | {"orders_a_day": 3}).url == RULES
        assert rules.current().orders_a_day == 3

    @pytest.mark.parametrize("path", [RULES, f"{RULES}1/change/"])
    def test_a_stale_proof_does_not_read_them_either(self, rita, as_staff, path):
        client = as_staff(rita, at=timezone.now() - 11 * MINUTE)
        assert client.get(path).url.startswith("/account/challenge/")

    def test_staff_without_the_right_get_nowhere(self, sam, as_staff):
        client = as_staff(sam)
        for path in (RULES, f"{RULES}1/change/", WHAT_IF):
            assert client.get(path).status_code == 403
        assert client.post(RULES, FORM).status_code == 403
        assert not ApprovalRules.objects.exists()

    def test_who_may_look_may_not_change(self, sam, as_staff):
        may(sam, "view_approvalrules")
        client = as_staff(sam)
        assert client.get(RULES).status_code == 200
        assert client.post(RULES, FORM).status_code == 403
        page = client.get(WHAT_IF)
        assert page.status_code == 200
        assert "Use these rules" not in page.content.decode()

    def test_who_has_the_right_changes_them(self, sam, as_staff):
        may(sam, "view_approvalrules", "change_approvalrules")
        assert as_staff(sam).post(RULES, FORM).url == RULES
        assert ApprovalRules.objects.exists()

    def test_shoppers_and_strangers_are_led_away(self, client, ada):
        for path in (RULES, WHAT_IF):
            assert client.get(path).status_code == 302
        client.force_login(ada)
        for path in (RULES, WHAT_IF):
            assert client.get(path).status_code == 302

    def test_numbers_in_the_address_fill_the_form_and_save_nothing(self, rita, as_staff):
        page = as_staff(rita).get(RULES, {"relax_below": "40.00", "orders_a_day": "4", "failures_a_day": "x", "x": 1})
        form = page.context["adminform"].form
        assert (form["relax_below"].value(), form["orders_a_day"].value(), form["failures_a_day"].value()) == (
            Decimal("40.00"), 4, 5,
        )  # fmt: skip
        assert "not saved yet" in page.content.decode()
        assert not ApprovalRules.objects.exists()


GOOD = Facts(
    amount=Decimal("20.00"),
    person="shopper",
    strongest=Strength.TEXT,
    has_bought=True,
    browser_known=True,
    address_known_for=40 * DAY,
    strong_proof_age=5 * MINUTE,
)


@pytest.fixture
def order(ada):
    """`order("20.00", browser_known=False)`: approved ten days ago, with these facts of a good shopper's; or None."""
    made = iter(range(10_000))

    def make(total, ago=10 * DAY, facts=GOOD, **other):
        number, at, total = next(made), timezone.now() - ago, Decimal(total)
        kept = facts and Facts(**{**facts.__dict__, "amount": total, **other}).plain()
        whose = {
            "user": ada,
            "browser": "b" * 64,
            "purpose": Purpose.PAY,
            "context_digest": b"d" * 32,
            "factor": "text",
        }
        challenge = Challenge.objects.create(
            **whose, next_path="/", state="passed", attempts_left=4, expires_at=at, facts=kept, requested_at=at
        )
        grant = Grant.objects.create(**whose, challenge=challenge, strength=2, granted_at=at, expires_at=at)
        return Order.objects.create(
            code=f"T{number:07}", user=ada, state="paid", attempt_token=uuid.uuid4(), cart_id=uuid.uuid4(),
            delivery_method="standard", subtotal=total, delivery_fee=0, tax=0, total=total, currency="EUR",
            grant=grant, context_digest=b"d" * 32, approved_at=at, approved_by="text", placed_at=at, paid_at=at,
            **ADDRESS,
        )  # fmt: skip

    return make


@pytest.fixture
def a_month(order):
    """Nine orders, counted by hand below."""
    order("20.00")
    order("49.99")
    order("50.00")
    order("30.00", browser_known=False)
    order("10.00", browser_known=False, address_known_for=None)  # a new place
    order("15.00", failures_in_a_day=4)
    order("16.00", person="guest")
    order("70.00", facts=None)  # of before the facts were kept
    order("80.00", ago=40 * DAY)


class TestWhatIf:
    def rows(self, counts):
        return {
            str(count.words): (count.today.orders, count.today.amount, count.changed.orders, count.changed.amount)
            for count in counts
        }

    def test_the_numbers_are_those_counted_by_hand(self, a_month, rita, as_staff):
        found = as_staff(rita).get(WHAT_IF, FORM | {"failures_a_day": 4, "days": 30}).context["replay"]
        assert (found.replayed.orders, found.replayed.amount) == (7, Decimal("190.99"))
        assert (found.without_facts.orders, found.without_facts.amount) == (1, Decimal("70.00"))
        assert self.rows(found.outcomes) == {
            "spared": (0, 0, 2, Decimal("69.99")),
            "asked for a proof": (6, Decimal("180.99"), 3, Decimal("96.00")),
            "asked for a stronger proof": (1, Decimal("10.00"), 2, Decimal("25.00")),
        }
        assert self.rows(found.by_rule) == {
            "a small amount": (0, 0, 2, Decimal("69.99")),
            "a browser that paid here before": (0, 0, 2, Decimal("69.99")),
            "an address that was delivered to before": (0, 0, 2, Decimal("69.99")),
            "a strong proof a short while ago": (0, 0, 2, Decimal("69.99")),
            "payments are always asked for": (5, Decimal("164.99"), 0, 0),
            "a guest, who is always asked": (1, Decimal("16.00"), 1, Decimal("16.00")),
            "not a small amount": (0, 0, 1, Decimal("50.00")),
            "a browser that has not paid here before": (0, 0, 1, Decimal("30.00")),
            "new browser and new address together": (1, Decimal("10.00"), 1, Decimal("10.00")),
            "many wrong codes or passwords in a day": (0, 0, 1, Decimal("15.00")),
            "nothing stronger is set up, so the strongest there is had to do": (0, 0, 1, Decimal("15.00")),
        }

    def test_the_page_shows_them_and_leads_to_the_form_with_these_rules(self, a_month, rita, as_staff):
        client = as_staff(rita)
        page = client.get(WHAT_IF, FORM | {"days": 30})
        shown = page.content.decode().replace("\xa0", " ")
        assert "7 orders of € 190.99 together are tried" in shown
        assert "1 order of € 70.00 is left out" in shown
        assert "<td>3</td><td>€ 84.99</td><td>+3</td>" in shown
        assert "Use these rules" in shown
        form = client.get(page.context["use_url"]).context["adminform"].form
        assert form["relax_below"].value() == Decimal("50.00")
        assert not ApprovalRules.objects.exists()
        assert not SecurityEvent.objects.filter(kind="policy_changed").exists()

    def test_more_days_take_more_orders(self, a_month, rita, as_staff):
        found = as_staff(rita).get(WHAT_IF, {"days": 60}).context["replay"]
        assert (found.replayed.orders, found.without_facts.orders) == (8, 1)

    def test_it_begins_with_the_rules_of_today_and_no_difference(self, a_month, rita, as_staff):
        ApprovalRules.objects.create(relax_below=45)
        page = as_staff(rita).get(WHAT_IF)
        assert page.context["form"]["relax_below"].value() == Decimal("45.00")
        assert all(count.difference == 0 for count in page.context["replay"].outcomes)
        assert page.context["replay"].outcomes[0].today.orders == 2

    def test_without_an_order_it_says_so(self, rita, as_staff):
        assert "There is no order to try them on" in as_staff(rita).get(WHAT_IF).content.decode()

    @pytest.mark.parametrize(
        "typed", [{"days": 0}, {"days": "x"}, {"days": 366}, {"relax_below": "1e9"}, {"orders_a_day": "٣x"}]
    )
    def test_odd_numbers_are_refused_in_words(self, a_month, rita, as_staff, typed):
        page = as_staff(rita).get(WHAT_IF, FORM | {"days": 30} | typed)
        assert page.status_code == 422
        assert "replay" not in page.context
        assert "Please correct" in page.content.decode()

    def test_facts_of_another_version_count_as_none(self, order):
        Challenge.objects.filter(pk=order("5.00").grant.challenge_id).update(facts={"amount": "5.00"})
        found = replay(today=Rules(), changed=Rules(), since=timezone.now() - 30 * DAY)
        assert (found.replayed.orders, found.without_facts.orders) == (0, 1)

    def test_it_takes_as_many_queries_for_many_orders_as_for_none(self, order, rita, as_staff):
        client = as_staff(rita)
        with CaptureQueriesContext(connection) as none:
            client.get(WHAT_IF)
        for _each in range(60):
            order("20.00")
        with CaptureQueriesContext(connection) as many:
            client.get(WHAT_IF)
        assert len(statements(many)) == len(statements(none)) <= 15, statements(many)
