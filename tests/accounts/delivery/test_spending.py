"""What texts and calls cost, and the cap of the day. The race is in tests/races/test_budgets.py."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.delivery import services, spending
from accounts.delivery.models import Alarm, Message, MessagePrice, Spending
from accounts.factors.notices import tell_owner
from accounts.stepup import challenges
from tests.accounts.delivery.conftest import fresh
from tests.accounts.sign_in.steps import challenge_of, choose, type_code, type_password
from tests.servers.twilio import CutAfter, Refuse, TooMany

pytestmark = pytest.mark.django_db

NOON = datetime.fromisoformat("2026-11-25T12:00:00+01:00")


def spent():
    return Spending.objects.get().spent


def alarms():
    return sorted(Alarm.objects.filter(kind="spending", ended_at=None).values_list("about", flat=True))


@pytest.fixture(autouse=True)
def price(settings):
    settings.MESSAGE_BUDGET_A_DAY = Decimal(0)
    return MessagePrice.objects.create(channel="text", country="DE", price=Decimal("0.0800"))


class TestPrices:
    @pytest.mark.parametrize(
        ("channel", "country", "provider", "expected"),
        [
            ("text", "DE", "", "0.08"),
            ("text", "DE", "twilio", "0.08"),
            ("text", "DE", "vonage", "0.07"),
            ("text", "FR", "twilio", "0.05"),
            ("text", "FR", "vonage", "0.06"),
            ("call", "DE", "twilio", "0.20"),  # not in the list: our guess
        ],
    )
    def test_the_country_says_more_than_the_provider(self, channel, country, provider, expected):
        MessagePrice.objects.create(channel="text", country="DE", provider="vonage", price=Decimal("0.07"))
        MessagePrice.objects.create(channel="text", provider="vonage", price=Decimal("0.06"))
        MessagePrice.objects.create(channel="text", price=Decimal("0.05"))
        assert spending.price_of(channel, country, provider) == Decimal(expected)


class TestCost:
    def test_it_is_filled_in_at_the_hand_over(self, ada, queued, deliver, twilio):
        message = queued(ada)
        assert message.cost is None
        deliver()
        assert fresh(message).cost == spent() == Decimal("0.0800")

    def test_an_e_mail_costs_nothing(self, ben, queued, deliver, smtp):
        message = queued(ben, "email")
        deliver()
        assert fresh(message).cost is None and not Spending.objects.exists()

    @pytest.mark.parametrize(
        ("answers", "cost"),
        [
            (Refuse(21211), None),
            (TooMany(retry_after=3), None),
            (CutAfter(), Decimal("0.0800")),  # it may have been taken
        ],
    )
    def test_what_was_surely_not_taken_is_given_back(self, ada, queued, deliver, twilio, answers, cost):
        message = queued(ada)
        twilio.answer_next(answers)
        deliver()
        assert fresh(message).cost == cost
        assert spent() == (cost or 0)

    def test_the_providers_own_price_counts_more_than_the_list(self, ada, queued, deliver, twilio):
        twilio.price = ("-0.0750", "EUR")
        message = queued(ada)
        deliver()
        assert fresh(message).cost == spent() == Decimal("0.0750")

    def test_a_price_in_another_currency_is_left_out(self, ada, queued, deliver, twilio):
        twilio.price = ("-0.0750", "USD")
        message = queued(ada)
        deliver()
        assert fresh(message).cost == spent() == Decimal("0.0800")

    def test_a_long_text_costs_each_of_its_parts(self, cleo, deliver, twilio):
        from accounts.delivery.composing import Content

        message = Message(channel="text", country="DE", kind="notice")
        for length, parts in ((160, 1), (161, 2), (306, 2), (307, 3)):
            assert spending._parts(message, Content(text="x" * length)) == parts


class TestCap:
    @pytest.fixture(autouse=True)
    def _cap(self, settings, time_machine, price):
        time_machine.move_to(NOON)
        settings.MESSAGE_BUDGET_A_DAY = Decimal("0.80")  # ten texts

    def spend(self, amount):
        Spending.objects.update_or_create(day=NOON.date(), defaults={"spent": Decimal(amount)})

    def test_it_rings_at_a_half_and_at_four_fifths_and_when_it_stops(self, queued, deliver, twilio, asker, cleo):
        at, rang = [], []
        for number in range(12):
            Message.objects.filter(state="queued").delete()
            message = services.queue_message(
                kind=Message.Kind.CODE, channel="text", destination=f"+4915112345{number:03d}"
            )
            went = spending.set_aside(message, _content(), "twilio", timezone.now())
            at.append(went)
            rang.append(len(alarms()))
        assert at == [True] * 10 + [False] * 2
        assert rang == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3]
        assert alarms() == ["100% of 2026-11-25", "50% of 2026-11-25", "80% of 2026-11-25"]
        assert spent() == Decimal("0.80")

    def test_at_the_cap_the_page_says_so_and_the_other_ways_work(self, client, ada, deliver, twilio):
        self.spend("0.75")
        type_password(client, ada.email)
        answer = choose(client, "text")
        assert answer.status_code == 429 and "We can’t send codes this way at the moment." in answer.content.decode()
        choose(client, "email")
        assert Message.objects.get().channel == "email"
        assert type_code(client).status_code == 302

    def test_a_text_alone_is_answered_with_what_to_do(self, client, cleo):
        self.spend("0.80")
        type_password(client, cleo.phone.as_e164)
        page = client.get(reverse("stepup:challenge", args=[challenge_of(client).pk])).content.decode()
        assert "We can’t send a code to this phone right now." in page
        assert not Message.objects.exists()

    def test_what_was_queued_before_is_not_handed_over_behind_it(self, ada, queued, deliver, twilio):
        message = queued(ada)
        self.spend("0.75")
        deliver()
        assert (fresh(message).state, fresh(message).reason, fresh(message).cost) == ("failed", "spending", None)
        assert not twilio.messages and alarms() == ["100% of 2026-11-25"]

    def test_a_notice_has_a_fifth_more(self, cleo, deliver, twilio):
        self.spend("0.80")
        for left in (True, False):
            tell_owner(cleo, audit.record(audit.Kind.PASSWORD_CHANGED, user=cleo))
            deliver()
            assert (Message.objects.latest("queued_at").state == "handed_over") is left
            self.spend("0.95")

    def test_the_next_day_goes_on_and_the_alarms_end(self, ada, queued, deliver, twilio, time_machine):
        self.spend("0.80")
        message = queued_despite(ada, queued)
        assert message is None
        for share in (50, 80, 100):
            spending.raise_alarm(Alarm.Kind.SPENDING, about=f"{share}% of 2026-11-25")
        spending.review(NOON + timedelta(hours=11))
        assert len(alarms()) == 3
        midnight = NOON + timedelta(hours=12)
        time_machine.move_to(midnight)
        spending.review(midnight)
        assert alarms() == []
        queued(ada)
        deliver()
        assert len(twilio.messages) == 1


def queued_despite(user, queued):
    try:
        return queued(user)
    except Message.DoesNotExist:
        return None


def _content():
    from accounts.delivery.composing import Content

    return Content(text="123456")


def test_a_number_of_a_country_taken_off_the_list_is_not_texted_by_a_notice_either(cleo, settings, deliver, twilio):
    tell_owner(cleo, audit.record(audit.Kind.PASSWORD_CHANGED, user=cleo))
    settings.TEXT_COUNTRIES = ["FR"]
    deliver()
    message = Message.objects.get()
    assert (message.state, message.reason) == ("failed", "country") and not twilio.messages


def test_without_a_cap_nothing_stops(ada, queued):
    Spending.objects.create(day=timezone.localdate(), spent=Decimal("99999"))
    assert queued(ada)
    assert challenges.budgets.spending.has_room("text", "DE", timezone.now())
