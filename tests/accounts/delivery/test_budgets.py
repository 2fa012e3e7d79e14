"""Budgets, the countries, and the guard against pumping. Their races are in tests/races/test_budgets.py."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import limits
from accounts.delivery import budgets, pumping
from accounts.delivery.budgets import NotToBeSent, Send, Why, network_of
from accounts.delivery.models import Alarm, Message, PrefixStop, PrefixTraffic
from accounts.models import Counter
from accounts.stepup import challenges
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Challenge, Purpose
from tests.accounts.sign_in.steps import app_code, challenge_of, choose, is_signed_in, type_code, type_password
from tests.codes import code_of

pytestmark = pytest.mark.django_db

NOW = timezone.now()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NUMBER = "+4915112345678"
PREFIX = "+491511"


def sign_up(contact, address="203.0.113.9", **headers):
    client = Client(REMOTE_ADDR=address, headers=headers)
    assert client.post(reverse("sign_in:sign_up"), {"contact": contact}).status_code == 302
    return client


@pytest.fixture
def begin(asker):
    """A payment that is to be approved by text."""

    def begin(user=None, contact="", **more):
        options = {"asker": asker(user, contact), "purpose": Purpose.PAY, "factor": "text", "next_path": "/"}
        return challenges.begin(digest=context_digest("pay", {"order": 1}), **(options | more))

    return begin


def texts_to(start):
    return Message.objects.filter(destination__startswith=start).count()


def in_prefix(number, prefix="+491511"):
    return f"{prefix}{number:07d}"


class TestTwoHundredSignUps:
    """What the shop promises: the sends stop at the budget, the alarm rings, other countries go on."""

    @pytest.mark.parametrize("proxies", [0, 1])
    def test_from_one_address_with_changing_headers(self, settings, ada, proxies):
        settings.TRUSTED_PROXIES = proxies
        for number in range(200):
            # What a client writes there comes first; a proxy of ours appends whom it saw.
            forged = f"198.51.100.{number}, 203.0.113.9" if proxies else f"198.51.100.{number}"
            last = sign_up(in_prefix(number), **{"X-Forwarded-For": forged})
        assert texts_to(PREFIX) == 30 == budgets.ADDRESS.most
        alarm = Alarm.objects.get()
        assert (alarm.kind, alarm.about, alarm.ended_at) == ("budget", "an address", None)
        page = last.get(reverse("stepup:challenge", args=[challenge_of(last).pk])).content.decode()
        assert "We can’t send a code to this phone right now." in page and "use an e-mail address" in page
        self.others_go_on(ada)

    def test_from_many_addresses(self, ada, settings):
        for number in range(200):
            last = sign_up(in_prefix(number), address=f"198.51.100.{number}")
        assert texts_to(PREFIX) == 50 == settings.PUMPING_UNVERIFIED
        alarm = Alarm.objects.get()
        assert (alarm.kind, alarm.about, alarm.ended_at) == ("pumping", PREFIX, None)
        page = last.get(reverse("stepup:challenge", args=[challenge_of(last).pk])).content.decode()
        assert "We can’t send a code to this phone right now." in page
        again = last.post(reverse("stepup:resend", args=[challenge_of(last).pk]))
        assert again.status_code == 429 and "It is nothing about you" in again.content.decode()
        self.others_go_on(ada)

    def test_from_many_networks_of_one_ipv6_home(self):
        for number in range(60):
            sign_up(in_prefix(number), address=f"2001:db8:1:2:{number:x}::1")
        assert texts_to(PREFIX) == 30

    def others_go_on(self, ada):
        """Another country, another prefix, e-mail, and who has an account with a proven phone or an app."""
        for contact in ("+33612345678", "+4917612345678", "new@example.org"):
            sign_up(contact, address="192.0.2.1")
            assert Message.objects.filter(destination=contact).exists(), contact
        client = Client(REMOTE_ADDR="192.0.2.2")
        type_password(client, ada.email)
        choose(client, "text")
        assert Message.objects.filter(destination=ada.phone.as_e164).count() == 1
        choose(client, "authenticator")
        client.get(type_code(client, app_code(ada)).url)
        assert is_signed_in(client, ada)


class TestBudgets:
    def take(self, at=NOW, **who):
        with transaction.atomic():
            budgets.take(Send(**({"channel": "text", "destination": NUMBER} | who)), at)

    def many(self, count, **who):
        """How many of so many go through; `{n}` in a value is their number."""
        went = 0
        for number in range(count):
            try:
                self.take(**{k: v.format(n=number) if isinstance(v, str) else v for k, v in who.items()})
                went += 1
            except NotToBeSent as refusal:
                self.refusal = refusal
        return went

    @pytest.mark.parametrize(
        ("who", "most", "alarms"),
        [
            ({}, 10, []),
            ({"destination": "+4915112345{n:03d}", "account": 7}, 20, []),
            ({"destination": "+4915112345{n:03d}", "browser": "b"}, 20, []),
            ({"destination": "+4915112345{n:03d}", "ip": "203.0.113.9"}, 30, ["an address"]),
            ({"destination": "+4915112345{n:03d}", "ip": "2001:db8::{n:x}"}, 30, ["an address"]),
            ({"destination": "+4915112345{n:03d}", "ip": "::ffff:203.0.113.{n}"}, 40, ["prefix +491511"]),
            ({"destination": "+4915112345{n:03d}"}, 40, ["prefix +491511"]),
            ({"destination": "+49151{n:02d}345678"}, 45, ["country DE"]),
            ({"destination": "+33{n:02d}2345678", "channel": "call"}, 45, ["country FR"]),
            ({"destination": "guest{n}@example.org", "channel": "email"}, 48, ["e-mails with codes"]),
        ],
    )
    def test_each_stops_at_its_limit_and_rings_where_it_is_the_shops(self, settings, who, most, alarms):
        settings.UNVERIFIED_A_PREFIX, settings.TEXTS_A_COUNTRY_A_DAY = 40, 45
        settings.TEXTS_A_DAY, settings.MAILS_A_DAY, settings.PUMPING_UNVERIFIED = 47, 48, 1000
        went, rung = 0, []
        for number in range(most + 3):
            try:
                self.take(**{k: v.format(n=number) if isinstance(v, str) else v for k, v in who.items()})
                went += 1
            except NotToBeSent as refusal:
                rung.append(refusal.alarms)
                budgets.ring(refusal, NOW)
        assert (went, rung) == (most, [alarms] * 3)
        assert list(Alarm.objects.values_list("about", flat=True)) == alarms

    def test_the_whole_shop_is_one_over_all_countries(self, settings):
        settings.TEXTS_A_DAY = 4
        numbers = ["+4915112345678", "+33612345678", "+4366412345678", "+31612345678", "+3247012345", "+491761234567"]
        assert self.many(1, destination=numbers[0]) + sum(self.many(1, destination=n) for n in numbers[1:]) == 4
        assert self.refusal.why == Why.STOPPED
        assert self.many(1, channel="email", destination="ada@example.org") == 1

    def test_a_refusal_spends_nothing_of_the_others(self):
        self.many(12)
        spent = set(Counter.objects.values_list("scope", "spent"))
        assert spent == {(b.name, 10) for b in (budgets.NUMBER, budgets.PREFIX, budgets.COUNTRY, budgets.TEXTS)}
        assert PrefixTraffic.objects.get().sends == 10

    def test_what_is_rolled_back_spends_nothing(self):
        with transaction.atomic():
            budgets.take(Send("text", NUMBER), NOW)
            transaction.set_rollback(True)
        assert not Counter.objects.exists() and not PrefixTraffic.objects.exists()

    def test_a_window_ends_and_the_alarm_with_it(self, settings):
        settings.TEXTS_A_COUNTRY_A_DAY = 1
        self.many(2)
        budgets.ring(self.refusal, NOW)
        budgets.ring(self.refusal, NOW)  # rings once
        budgets.review(NOW + DAY - MINUTE)
        assert Alarm.objects.get().ended_at is None
        budgets.review(NOW + DAY)
        assert Alarm.objects.get().ended_at == NOW + DAY
        self.take(at=NOW + DAY)

    def test_what_was_typed_is_given_back_to_the_address_and_the_prefix(self, begin, asker):
        for number in range(35):
            contact = in_prefix(number)
            who = asker(contact=contact, browser=f"{number:064d}", ip="203.0.113.9")
            challenge = begin(asker=who)
            challenges.answer(
                challenge.pk,
                asker=who,
                purpose=challenge.purpose,
                digest=bytes(challenge.context_digest),
                code=code_of(challenge),
            )
        assert Message.objects.count() == 35
        assert limits.spent(budgets.ADDRESS.name, "203.0.113.9", window=HOUR) == 0
        traffic = PrefixTraffic.objects.all()
        assert sum(t.sends for t in traffic) == sum(t.passes for t in traffic) == 35

    def test_support_is_held_too(self, cleo, begin, sam):
        challenge = begin(cleo)
        for _ in range(10):
            limits.take(budgets.NUMBER.name, cleo.phone.as_e164, limit=10, window=HOUR)
        with pytest.raises(challenges.NoMoreSends):
            challenges.resend_for(challenge, actor=sam, reason="no text", now=timezone.now() + MINUTE)

    def test_a_notice_goes_out_whatever_was_pumped(self, cleo, settings):
        from accounts import audit
        from accounts.factors.notices import tell_owner

        settings.TEXTS_A_DAY = settings.TEXTS_A_COUNTRY_A_DAY = settings.UNVERIFIED_A_PREFIX = 0
        tell_owner(cleo, audit.record(audit.Kind.PASSWORD_CHANGED, user=cleo))
        assert Message.objects.get().kind == Message.Kind.NOTICE

    @pytest.mark.parametrize(
        ("ip", "network"),
        [
            ("203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
        ],
    )
    def test_an_ipv6_address_is_its_64(self, ip, network):
        assert network_of(ip) == network


class TestCountries:
    def test_a_number_of_another_country_is_never_sent_to(self, settings):
        with pytest.raises(NotToBeSent) as refusal:
            budgets.take(Send("text", "+14155552671"), NOW)
        assert refusal.value.why == Why.COUNTRY
        settings.TEXT_COUNTRIES = ["US"]
        budgets.take(Send("text", "+14155552671"), NOW)

    @pytest.mark.parametrize("number", ["+44 7797 712345", "+1 876 210 1234"])  # Jersey, Jamaica
    def test_a_shared_dialling_code_is_no_way_in(self, settings, number):
        settings.TEXT_COUNTRIES = ["GB", "US"]
        with pytest.raises(NotToBeSent):
            budgets.take(Send("call", number.replace(" ", "")), NOW)

    def test_sign_up_says_so(self, client):
        answer = client.post(reverse("sign_in:sign_up"), {"contact": "+1 415 555 2671"})
        assert answer.status_code == 422 and "We don’t text or call numbers of this country." in answer.content.decode()
        assert not Challenge.objects.exists()

    def test_who_has_such_a_phone_already_uses_another_way(self, ada, begin, asker, settings):
        settings.TEXT_COUNTRIES = ["FR"]
        challenge = begin(ada)
        assert challenge.sends == 0
        with pytest.raises(challenges.NoMoreSends) as refusal:
            challenges.send(challenge, asker=asker(ada), factor="call")
        assert refusal.value.why == Why.COUNTRY
        assert challenges.send(challenge, asker=asker(ada), factor="email").channel == "email"


class TestPumping:
    @pytest.fixture(autouse=True)
    def _few(self, settings):
        settings.PUMPING_UNVERIFIED = 10

    def send(self, count=1, at=NOW, prefix=PREFIX, **more):
        return [pumping.may_send(prefix, proven=False, now=at, **more) for _ in range(count)]

    def test_the_send_that_makes_it_unusual_is_the_last(self):
        assert self.send(12) == [True] * 10 + [False] * 2
        assert pumping.may_send(PREFIX, proven=True, now=NOW)
        assert pumping.may_send("+491512", proven=False, now=NOW)
        assert Alarm.objects.get().about == PREFIX

    @pytest.mark.parametrize(("typed", "went"), [(3, 13), (5, 17), (6, 20)])
    def test_where_three_in_ten_are_typed_it_goes_on(self, typed, went):
        for _ in range(typed):
            pumping.passed(PREFIX, NOW)
        assert sum(self.send(20)) == went

    def test_what_is_usual_there_stops_nothing(self):
        for day in range(1, 8):
            began_at = NOW - day * DAY + 2 * HOUR
            PrefixTraffic.objects.create(prefix=PREFIX, began_at=began_at, sends=240, passes=0)  # ten an hour
        assert sum(self.send(40)) == 31

    def test_sends_of_more_than_an_hour_ago_count_no_more(self):
        self.send(9, at=NOW - 71 * MINUTE)
        assert self.send(3) == [True] * 3

    def test_it_ends_by_itself_and_rests_longer_each_time(self):
        at = NOW
        for hours in (1, 2, 4, 8, 8):
            assert self.send(11, at) == [True] * 10 + [False]
            stop = PrefixStop.objects.get(ended_at=None)
            assert stop.until == at + hours * HOUR
            assert self.send(1, stop.until - MINUTE) == [False]
            pumping.review(stop.until)
            assert not Alarm.objects.filter(ended_at=None).exists()
            at = stop.until + HOUR
            if hours == 8:
                break
        PrefixTraffic.objects.create(prefix="+1", began_at=NOW - 9 * DAY, sends=1, passes=0)
        pumping.review(NOW)
        assert not PrefixTraffic.objects.filter(prefix="+1").exists()

    def test_a_stop_that_nobody_reviewed_is_over_too(self):
        self.send(11)
        assert self.send(11, NOW + 3 * HOUR) == [True] * 10 + [False]
        assert PrefixStop.objects.filter(ended_at=None).count() == 1

    def test_lifted_by_staff_it_sends_again_at_once(self, rita):
        self.send(11)
        stop = PrefixStop.objects.get()
        assert pumping.lift(stop, by=rita.pk, reason="a concert", now=NOW)
        assert not pumping.lift(stop, by=rita.pk, reason="twice", now=NOW)
        assert self.send(11) == [True] * 10 + [False]
        assert PrefixStop.objects.filter(lifted_by=rita).get().lift_reason == "a concert"
