"""What the shop's rules do to a payment, from the review to the order."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import audit
from accounts.delivery.models import Message
from accounts.factors.base import Strength
from accounts.models import SecurityEvent
from accounts.stepup import challenges, policy, rules
from accounts.stepup.challenges import Asker
from accounts.stepup.digest import context_digest
from accounts.stepup.models import ApprovalRules, Challenge, Grant, Purpose
from accounts.stepup.requests import asker_of
from accounts.stepup.risk import Rules
from shop.cart.models import CartLine
from shop.checkout.facts import canonical, facts_of
from shop.checkout.models import Checkout
from shop.checkout.quote import quote_of
from shop.order.models import Order
from tests.codes import code_of, totp_of, wrong_code_of
from tests.shop.checkout.test_queries import statements
from tests.shop.conftest import ADDRESS

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def relaxed():
    return ApprovalRules.objects.create(relax_below=Decimal("50.00"))


@pytest.fixture
def prove(rf):
    """Give a strong proof in this browser's session, as signing in by text does."""

    def prove(client, user, factor="text"):
        client.get("/cart/")
        session = client.session
        session.setdefault("browser", "a secret of this session")
        session.save()
        request = rf.get("/")
        request.session, request.user = session, user
        asker = asker_of(request)
        digest = context_digest(Purpose.SIGN_IN, {})
        now = timezone.now()
        challenge = challenges.begin(
            asker=asker, purpose=Purpose.SIGN_IN, digest=digest, next_path="/", factor=factor, now=now
        )
        code = totp_of(user, now) if factor == "authenticator" else code_of(challenge)
        challenges.answer(challenge.pk, asker=asker, purpose=Purpose.SIGN_IN, digest=digest, code=code, now=now)
        session.save()

    return prove


@pytest.fixture
def buy(fill_cart, card_form, teapot):
    """Go the whole way, asked or not; gives the order."""

    def buy(client, user, code=None):
        if not CartLine.objects.filter(cart__user=user).exists():
            Checkout.objects.filter(cart=getattr(user, "cart", None)).delete()
            fill_cart(user)
        if press_approve(client).url != "/checkout/pay/":
            challenge = Challenge.objects.get(purpose=Purpose.PAY, state="live", user=user)
            answered = client.post(
                f"/account/challenge/{challenge.pk}/", {"code": code() if code else code_of(challenge)}
            )
            assert answered.url == "/checkout/pay/", answered.context
        client.post("/checkout/pay/", card_form(client))
        return Order.objects.get(user=user, state="paid", placed_at__gte=timezone.now() - timedelta(minutes=5))

    return buy


@pytest.fixture
def known(client, cleo, relaxed, buy, prove, fill_cart):
    """Cleo's browser: she paid from it to this address 40 days ago, and has just proven it is her by text."""
    with time_machine.travel(timezone.now() - 40 * DAY):
        client.force_login(cleo)
        cleo.phones.update(created_at=timezone.now() - DAY, approves_payments_from=timezone.now() - DAY)
        assert buy(client, cleo).approved_by == "text"
    client.post("/account/sign-out/")
    client.force_login(cleo)
    prove(client, cleo)
    fill_cart(cleo)
    return client


def press_approve(client):
    shown = client.get("/checkout/review/").context["quote"].total
    return client.post("/checkout/approve/", {"shown_total": f"{shown:f}"})


def reasons():
    return Challenge.objects.filter(purpose=Purpose.PAY).latest("requested_at").reasons


def is_asked(client):
    return press_approve(client).url.startswith("/account/challenge/")


class TestASparedPayment:
    def test_it_is_paid_without_a_code_and_the_order_says_so(self, known, card_form, rita, as_staff):
        assert press_approve(known).url == "/checkout/pay/"
        response = known.post("/checkout/pay/", card_form(known))
        order = Order.objects.latest("placed_at")
        assert (order.state, order.approved_by, order.grant.factor) == ("paid", "rule", "rule")
        assert order.grant.used_at and bytes(order.grant.context_digest) == bytes(order.context_digest)
        assert order.grant.strength == Strength.TEXT
        assert "the shop’s rule, without a code" in known.get(response.url).content.decode()
        event = SecurityEvent.objects.get(kind="approval_spared")
        assert event.detail["reasons"] == ["small", "known_browser", "known_address", "recent_proof"]
        assert event.detail["amount"] == "€ 34.90"
        page = as_staff(rita).get(f"/admin/order/order/{order.pk}/change/").content.decode()
        assert "a browser that paid here before" in page

    def test_no_message_is_sent(self, known):
        before = Message.objects.count()
        press_approve(known)
        assert Message.objects.count() == before

    def test_pressing_twice_makes_one_grant(self, known):
        press_approve(known)
        press_approve(known)
        assert Grant.objects.filter(factor="rule").count() == 1

    def test_it_pays_in_this_browser_only(self, known, cleo, card_form):
        press_approve(known)
        other = Client()
        other.force_login(cleo)
        assert other.get("/checkout/pay/").url == "/checkout/review/"
        assert other.post("/checkout/pay/", card_form(known)).url == "/checkout/review/"
        assert Order.objects.count() == 1

    def test_it_pays_once(self, known, cleo, card_form, fill_cart):
        press_approve(known)
        known.post("/checkout/pay/", card_form(known))
        Checkout.objects.filter(cart=cleo.cart).delete()
        fill_cart(cleo)  # the very same purchase, to the cent
        assert known.get("/checkout/pay/").url == "/checkout/review/"

    def test_a_cart_that_changes_in_a_second_tab_is_asked_for_anew(self, known, card_form):
        press_approve(known)
        form = card_form(known)
        CartLine.objects.update(quantity=2)
        response = known.post("/checkout/pay/", form, follow=True)
        assert "not what you approved any more" in response.content.decode()
        assert Order.objects.count() == 1
        assert is_asked(known)  # € 60 are not below € 50
        assert reasons() == ["not_small"]

    def test_rules_that_change_in_between_ask_for_it(self, known, rita, card_form):
        press_approve(known)
        form = card_form(known)
        rules.change(new=Rules(), actor=rita)
        assert known.post("/checkout/pay/", form).url == "/checkout/review/"
        assert Order.objects.count() == 1
        assert is_asked(known)

    def test_without_the_rule_it_is_asked_for(self, known):
        ApprovalRules.objects.update(relax_below=0)
        assert is_asked(known)
        assert reasons() == ["always"]


class TestEachConditionIsReadOffWhatHappened:
    def test_another_browser(self, known, cleo, prove):
        other = Client()
        other.force_login(cleo)
        prove(other, cleo)
        assert is_asked(other)
        assert reasons() == ["unknown_browser"]

    @pytest.mark.parametrize("secret", ["", "x", "x" * 4000, "x" * 43], ids=["none", "short", "long", "made up"])
    def test_a_secret_that_no_order_knows(self, known, secret):
        known.cookies["device"] = secret
        assert is_asked(known)
        assert reasons() == ["unknown_browser"]

    def test_another_address(self, known):
        Checkout.objects.update(line1="Mallory Street 13")
        assert is_asked(known)
        assert reasons() == ["unknown_address"]

    def test_the_same_address_typed_otherwise_is_known(self, known):
        Checkout.objects.update(line1="long  lane 1,", city="BERLIN")
        assert not is_asked(known)

    def test_an_address_of_lately(self, known):
        Order.objects.update(paid_at=timezone.now() - 29 * DAY)
        assert is_asked(known)
        assert reasons() == ["unknown_address"]

    def test_an_order_that_was_never_paid_makes_nothing_known(self, known):
        Order.objects.update(paid_at=None)
        assert is_asked(known)
        assert reasons() == ["unknown_browser", "unknown_address"]

    def test_another_session(self, known, cleo):
        known.post("/account/sign-out/")
        known.force_login(cleo)
        assert is_asked(known)
        assert reasons() == ["no_recent_proof"]

    def test_a_proof_of_hours_ago(self, known):
        Grant.objects.update(granted_at=timezone.now() - timedelta(minutes=61))
        assert is_asked(known)
        assert reasons() == ["no_recent_proof"]

    @pytest.mark.parametrize("kind", ["password_changed", "factor_removed", "account_locked", "recovery_done"])
    def test_a_browser_is_forgotten_with_a_change_of_the_account(self, known, cleo, kind):
        audit.record(audit.Kind(kind), user=cleo)
        assert is_asked(known)
        assert reasons() == ["unknown_browser"]

    def test_another_persons_orders_make_nothing_known(self, known, ada, fill_cart, prove):
        known.post("/account/sign-out/")
        known.force_login(ada)
        prove(known, ada)
        fill_cart(ada)
        assert is_asked(known)
        assert reasons() == ["unknown_browser", "unknown_address"]

    def test_a_guest_with_the_same_browser_is_asked(self, known, teapot, cleo):
        known.post("/account/sign-out/")
        known.post("/cart/add/", {"variant": teapot.pk, "quantity": 1})
        known.post("/checkout/address/", ADDRESS | {"phone": "01512 3456789", "email": ""})
        known.post("/checkout/delivery/", {"delivery_method": "standard"})
        assert is_asked(known)
        assert reasons() == ["guest"]

    def test_staff_are_asked(self, known, cleo):
        cleo.is_staff = True
        cleo.save()
        assert is_asked(known)
        assert reasons() == ["staff"]


class TestTighteningBeatsRelaxing:
    """Cleo has all that would spare the payment; one thing is unusual."""

    def asked_for(self, client):
        assert is_asked(client)
        challenge = Challenge.objects.filter(purpose=Purpose.PAY).latest("requested_at")
        return challenge.least, challenge.reasons

    def test_wrong_codes_and_passwords(self, known, cleo):
        for kind in [audit.Kind.PROOF_FAILED] * 3 + [audit.Kind.PASSWORD_REFUSED] * 2:
            audit.record(kind, user=cleo)
        assert self.asked_for(known) == (Strength.TEXT, ["failures", "nothing_stronger"])

    def test_those_of_the_day_before_do_not_count(self, known, cleo):
        with time_machine.travel(timezone.now() - timedelta(hours=25)):
            for _each in range(5):
                audit.record(audit.Kind.PROOF_FAILED, user=cleo)
        assert not is_asked(known)

    def test_a_phone_that_was_changed(self, known, cleo):
        cleo.phones.update(approves_payments_from=timezone.now() - 2 * DAY)  # so it was added five days ago
        assert self.asked_for(known) == (Strength.TEXT, ["phone_changed", "nothing_stronger"])

    def test_a_phone_change_that_was_recorded(self, known, cleo):
        audit.record(audit.Kind.PHONE_CHANGED, user=cleo)
        assert self.asked_for(known)[1] == ["phone_changed", "nothing_stronger"]

    def test_many_orders_in_a_day(self, known, cleo):
        ApprovalRules.objects.update(orders_a_day=1)
        assert not is_asked(known)
        Order.objects.update(placed_at=timezone.now() - timedelta(hours=1))
        Grant.objects.filter(factor="rule").delete()
        assert self.asked_for(known) == (Strength.TEXT, ["many_orders"])

    def test_much_money_in_a_day(self, known, cleo):
        ApprovalRules.objects.update(spent_a_day=Decimal("69.79"))
        Order.objects.update(placed_at=timezone.now() - timedelta(hours=1))  # 34.90 then, 34.90 now
        assert self.asked_for(known) == (Strength.TEXT, ["much_money"])

    def test_a_new_browser_and_a_new_address_together(self, known, cleo, prove):
        other = Client()
        other.force_login(cleo)
        prove(other, cleo)
        Checkout.objects.update(line1="Mallory Street 13")
        assert self.asked_for(other) == (Strength.TEXT, ["new_place"])


class TestATightenedPayment:
    @pytest.fixture
    def in_doubt(self, client, ada, fill_cart):
        client.force_login(ada)
        fill_cart(ada)
        for _each in range(5):
            audit.record(audit.Kind.PROOF_FAILED, user=ada)
        return client

    def test_it_is_paid_with_the_app_and_with_nothing_weaker(self, in_doubt, ada, buy):
        page = press_approve(in_doubt).url
        shown = in_doubt.get(page).content.decode()
        assert "Open your authenticator app" in shown
        assert "Text a code" not in shown and "E-mail a code" not in shown
        for weaker in ("text", "call", "email", "backup_code"):
            assert in_doubt.post(f"{page}send/", {"factor": weaker}).status_code == 410
        order = buy(in_doubt, ada, code=lambda: totp_of(ada, timezone.now()))
        assert order.approved_by == "authenticator"
        assert order.grant.challenge.reasons == ["failures"]

    def test_wrong_codes_typed_now_ask_for_more_the_next_time(self, client, ada, fill_cart):
        client.force_login(ada)
        fill_cart(ada)
        page = press_approve(client).url
        challenge = Challenge.objects.get(purpose=Purpose.PAY)
        assert client.post(f"{page}send/", {"factor": "email"}).url == page
        for number in range(1, 6):
            client.post(page, {"code": wrong_code_of(challenge, number)})
        again = client.post(f"{page}again/").url
        fresh = Challenge.objects.get(purpose=Purpose.PAY, state="live")
        assert (fresh.least, fresh.reasons, fresh.facts["failures_in_a_day"]) == (
            Strength.AUTHENTICATOR, ["failures"], 5,
        )  # fmt: skip
        assert "E-mail a code" not in client.get(again).content.decode()

    def test_a_weaker_grant_writes_no_order(self, in_doubt, ada, card_form):
        press_approve(in_doubt)
        challenge = Challenge.objects.get(purpose=Purpose.PAY)
        in_doubt.post(f"/account/challenge/{challenge.pk}/", {"code": totp_of(ada, timezone.now())})
        form = card_form(in_doubt)
        Grant.objects.update(strength=Strength.TEXT)
        assert in_doubt.post("/checkout/pay/", form).url == "/checkout/review/"
        assert not Order.objects.exists()

    def test_who_has_only_a_mailbox_pays_with_it_and_support_reads_why(
        self, client, ben, buy, fill_cart, rita, as_staff
    ):
        client.force_login(ben)
        for _each in range(5):
            audit.record(audit.Kind.PASSWORD_REFUSED, user=ben)
        order = buy(client, ben)
        assert order.approved_by == "email"
        assert order.grant.challenge.reasons == ["failures", "nothing_stronger"]
        page = as_staff(rita).get(f"/support/people/{ben.pk}/").content.decode()
        assert "many wrong codes or passwords in a day; nothing stronger is set up" in page

    def test_after_a_recovery_a_mailbox_waits_and_is_told_until_when(self, client, ben, fill_cart):
        ben.strong_payments_until = timezone.now() + DAY
        ben.save()
        client.force_login(ben)
        fill_cart(ben)
        response = client.post("/checkout/approve/", {"shown_total": "34.90"}, follow=True)
        assert "recovered lately, so until" in response.content.decode()
        assert not Challenge.objects.exists()


class TestByDefault:
    def test_every_payment_is_asked_for(self, known):
        ApprovalRules.objects.all().delete()
        assert is_asked(known)

    def test_its_facts_are_kept_all_the_same(self, known):
        ApprovalRules.objects.all().delete()
        press_approve(known)
        facts = Challenge.objects.filter(purpose=Purpose.PAY).latest("requested_at").facts
        assert (facts["amount"], facts["browser_known"], facts["person"]) == ("34.90", True, "shopper")

    def test_the_secret_of_the_browser_is_kept_as_its_hash_only(self, known):
        secret = known.cookies["device"].value
        assert (
            len(secret) == 43 and known.cookies["device"]["httponly"] and known.cookies["device"]["samesite"] == "Lax"
        )
        order = Order.objects.get()
        assert len(order.device) == 64 and secret not in (order.device, order.browser)

    def test_a_guests_order_names_no_device(self, client, teapot, approve, card_form):
        client.post("/cart/add/", {"variant": teapot.pk, "quantity": 1})
        client.post("/checkout/address/", ADDRESS | {"phone": "01512 3456789", "email": ""})
        client.post("/checkout/delivery/", {"delivery_method": "express"})
        approve(client)
        client.post("/checkout/pay/", card_form(client))
        assert Order.objects.get().device == ""
        assert "device" not in client.cookies


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ({"line1": "LONG LANE 1"}, True),
        ({"line1": "Long-Lane 1."}, True),
        ({"city": " Berlin "}, True),
        ({"line1": "Long Lane 11"}, False),
        ({"line2": "c/o Mallory"}, False),
        ({"name": "Mallory"}, False),
        ({"postcode": "10117"}, False),
        ({"country": "FR"}, False),
    ],
)
def test_an_address_is_the_same_however_it_is_typed(typed, same):
    assert (canonical(ADDRESS | typed) == canonical(ADDRESS)) is same


def test_the_facts_cost_four_queries_beside_the_factors_and_a_spared_approval_at_most_45(known, cleo):
    cart = cleo.cart
    quote = quote_of(cart, cart.checkout)
    with CaptureQueriesContext(connection) as factors:
        policy.offers(cleo, Purpose.PAY, timezone.now())
    with CaptureQueriesContext(connection) as context:
        facts_of(quote=quote, asker=Asker("b" * 64, user=cleo), device="d" * 64, now=timezone.now())
    assert len(statements(context)) - len(statements(factors)) == 4
    with CaptureQueriesContext(connection) as context:
        assert known.post("/checkout/approve/", {"shown_total": "34.90"}).url == "/checkout/pay/"
    asked = statements(context)
    assert len(asked) <= 45, f"{len(asked)}\n" + "\n".join(asked)
