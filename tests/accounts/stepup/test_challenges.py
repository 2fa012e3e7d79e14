"""The rules of the core: design.md, section 4, rules 1 to 6."""

from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from accounts.delivery import budgets
from accounts.delivery.models import Message
from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import make_backup_codes
from accounts.factors.base import Strength
from accounts.models import Counter, SecurityEvent
from accounts.stepup import attempts, challenges, codes, policy
from accounts.stepup.challenges import ChallengeOver, MalformedCode, NoMoreSends, NotYours, TooSoon, WrongCode
from accounts.stepup.models import Challenge, Grant, Purpose
from tests.codes import code_of, totp_of, wrong_code_of

from .conftest import OTHER_DIGEST

State = Challenge.State
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def events(kind):
    return SecurityEvent.objects.filter(kind=kind)


class TestBegin:
    def test_a_code_is_asked_for_by_the_chosen_factor(self, ada, begin):
        challenge = begin(ada)
        message = Message.objects.get()
        assert (challenge.factor, challenge.sends, challenge.attempts_left) == ("text", 1, 5)
        assert (message.challenge, message.channel, message.destination) == (challenge, "text", "+4915112345678")
        assert events("code_sent").get().detail == {"purpose": "pay", "factor": "text", "to": "+49 ••• ••78"}

    def test_the_strongest_factor_is_taken_where_none_is_chosen(self, ada, begin):
        assert begin(ada, factor=None).factor == "authenticator"
        assert not Message.objects.exists()

    def test_a_factor_that_one_does_not_have_is_not_taken(self, ben, begin):
        assert begin(ben, factor="text").factor == "email"

    def test_a_guest_proves_what_was_typed(self, db, begin):
        assert begin(contact="guest@example.org").factor == "email"
        assert Message.objects.get().destination == "guest@example.org"

    def test_asking_again_gives_the_same_and_sends_nothing(self, ada, begin):
        assert begin(ada).pk == begin(ada).pk
        assert Message.objects.count() == 1

    @pytest.mark.parametrize("other", [{"digest": OTHER_DIGEST}, {"decoy": True}])
    def test_asking_for_something_else_replaces_it(self, ada, begin, answer, other):
        first = begin(ada)
        second = begin(ada, **other)
        assert first.pk != second.pk
        first.refresh_from_db()
        assert first.state == State.SUPERSEDED
        with pytest.raises(ChallengeOver):
            answer(first, code_of(first))

    def test_another_purpose_stands_beside_it(self, ada, begin, answer):
        pay, sign_in = begin(ada), begin(ada, purpose=Purpose.SIGN_IN)
        assert pay.pk != sign_in.pk and code_of(pay) != code_of(sign_in)
        answer(pay, code_of(pay)), answer(sign_in, code_of(sign_in))

    def test_another_person_in_the_same_browser_gets_another(self, ada, ben, begin):
        first, second = begin(ada), begin(ben)
        assert first.pk != second.pk
        first.refresh_from_db()
        assert first.state == State.SUPERSEDED

    def test_a_live_one_in_another_browser_stays(self, ada, begin, asker):
        first, second = begin(ada), begin(ada, asker=asker(ada, browser="b" * 64))
        first.refresh_from_db()
        assert first.pk != second.pk and first.state == State.LIVE

    @pytest.mark.parametrize("end", [{"attempts_left": 0}, {"expires_at": timezone.now() - MINUTE}])
    def test_when_one_is_over_the_next_has_another_code(self, ada, begin, end):
        first = begin(ada)
        Challenge.objects.update(**end)
        second = begin(ada)
        assert first.pk != second.pk and code_of(first) != code_of(second)

    def test_a_changed_password_begins_anew(self, ada, begin, answer):
        first = begin(ada)
        ada.set_password("another password")
        ada.save()
        second = begin(ada)
        assert second.pk != first.pk
        assert answer(second, code_of(second))

    def test_a_removed_phone_begins_anew_with_what_is_left(self, ada, begin, answer):
        first = begin(ada)
        ada.phones.all().delete()
        second = begin(ada)
        assert second.pk != first.pk and second.factor == "authenticator"
        assert answer(second, totp_of(ada, timezone.now()))

    def test_without_anything_strong_enough_it_says_why(self, ben, begin):
        ben.mailboxes.all().delete()
        with pytest.raises(policy.NoFactor, match="nothing set up"):
            begin(ben)
        assert not Challenge.objects.exists()

    @pytest.mark.parametrize("contact", ["", "guest@example.org"])
    def test_a_purpose_that_is_none_of_ones_business_is_refused(self, ada, begin, contact):
        with pytest.raises(KeyError):
            begin(ada, contact, purpose=Purpose.RESET_PASSWORD)
        assert not Challenge.objects.exists()

    def test_used_up_budgets_do_not_stop_the_page(self, ada, begin, monkeypatch):
        monkeypatch.setattr(budgets.NUMBER, "limit", 0)
        Counter.objects.all().delete()
        begin(ada)
        begin(ada, digest=OTHER_DIGEST)
        assert Challenge.objects.count() == 2


class TestTheCode:
    """Rule 1: derived, stored nowhere."""

    def test_it_passes(self, ada, begin, answer):
        challenge = begin(ada)
        grant = answer(challenge, code_of(challenge))
        challenge.refresh_from_db()
        assert challenge.state == State.PASSED and challenge.passed_at
        assert (grant.user, grant.purpose, grant.browser) == (ada, "pay", challenge.browser)
        assert bytes(grant.context_digest) == bytes(challenge.context_digest)
        assert events("proof_passed").get().detail == {"purpose": "pay", "factor": "text"}

    @pytest.mark.parametrize("typed", ["{0}{1}", "{0} {1}", "{0}-{1}", " {0}{1} "])
    def test_it_is_read_however_it_is_typed(self, ada, begin, answer, typed):
        challenge = begin(ada)
        code = code_of(challenge)
        assert answer(challenge, typed.format(code[:3], code[3:]))

    def test_another_challenges_code_is_wrong(self, ada, begin, answer, asker):
        challenge, other = begin(ada), begin(ada, asker=asker(ada, browser="b" * 64))
        with pytest.raises(WrongCode):
            answer(challenge, code_of(other))

    def test_it_survives_the_rotation_of_keys(self, ada, begin, answer, settings):
        challenge = begin(ada)
        code = code_of(challenge)
        settings.CODE_KEYS = ["a new key", *settings.CODE_KEYS]
        assert answer(challenge, code)

    def test_with_its_key_gone_the_challenge_is_over(self, ada, begin, answer, settings):
        challenge = begin(ada)
        code = code_of(challenge)
        settings.CODE_KEYS = ["a new key"]
        with pytest.raises(ChallengeOver):
            answer(challenge, code)

    def test_a_code_that_was_never_sent_can_not_be_guessed(self, ada, begin, answer):
        challenge = begin(ada, factor="authenticator")
        Challenge.objects.update(factor="text", device_id=ada.phones.get().persistent_id)
        with pytest.raises(WrongCode):
            answer(challenge, code_of(challenge))

    def test_a_decoys_code_can_not_be_guessed(self, db, begin, answer):
        challenge = begin(contact="guest@example.org", decoy=True)
        assert Message.objects.get().kind == Message.Kind.EXPLANATION
        with pytest.raises(WrongCode):
            answer(challenge, code_of(challenge))

    def test_it_works_once(self, ada, begin, answer):
        challenge = begin(ada)
        answer(challenge, code_of(challenge))
        with pytest.raises(ChallengeOver):
            answer(challenge, code_of(challenge))
        assert Grant.objects.count() == 1


class TestTheClock:
    """Rule 2: five minutes from the hand-over, ten from the request."""

    NOW = timezone.now() + timedelta(hours=1)  # after the people were made

    def test_before_it_is_handed_over_ten_minutes_run(self, ada, begin):
        assert begin(ada, now=self.NOW).expires_at == self.NOW + 10 * MINUTE

    @pytest.mark.parametrize(
        ("waited", "over_after"),
        [
            (0 * MINUTE, 5 * MINUTE),
            (2 * MINUTE, 7 * MINUTE),  # the queue's time is not taken from the shopper
            (5 * MINUTE, 10 * MINUTE),
            (9 * MINUTE, 10 * MINUTE),  # never more than ten minutes from the request
        ],
    )
    def test_it_starts_when_the_carrier_has_it(self, ada, begin, answer, waited, over_after):
        challenge = begin(ada, now=self.NOW)
        challenges.start_clock(challenge.pk, self.NOW + waited)
        challenge.refresh_from_db()
        assert challenge.expires_at == self.NOW + over_after
        with pytest.raises(ChallengeOver):
            answer(challenge, code_of(challenge), now=self.NOW + over_after)
        assert answer(challenge, code_of(challenge), now=self.NOW + over_after - SECOND)

    def test_a_wrong_code_takes_no_attempt_after_its_time(self, ada, begin, answer):
        challenge = begin(ada, now=self.NOW)
        with pytest.raises(ChallengeOver):
            answer(challenge, wrong_code_of(challenge), now=self.NOW + 10 * MINUTE)
        assert Counter.objects.filter(scope__startswith="codes").count() == 0

    def test_nothing_is_sent_after_its_time(self, ada, begin, asker):
        challenge = begin(ada, now=self.NOW)
        with pytest.raises(ChallengeOver):
            challenges.send(challenge, asker=asker(ada), factor="text", now=self.NOW + 10 * MINUTE)

    def test_a_passed_challenge_is_not_started_again(self, ada, begin, answer):
        challenge = begin(ada, now=self.NOW)
        answer(challenge, code_of(challenge), now=self.NOW)
        challenges.start_clock(challenge.pk, self.NOW + MINUTE)
        challenge.refresh_from_db()
        assert challenge.expires_at == self.NOW + 10 * MINUTE


class TestResend:
    """Rule 3: the same code, on whichever channel; worth what the weakest of them is worth."""

    NOW = timezone.now() + timedelta(hours=1)  # after the people were made

    def resend(self, challenge, asker, after, factor="text"):
        return challenges.send(challenge, asker=asker(challenge.user), factor=factor, now=self.NOW + after)

    def test_it_carries_the_same_code(self, ada, begin, answer, asker, deliver, twilio):
        challenge = begin(ada)
        deliver()
        Challenge.objects.update(next_send_at=None)
        challenges.send(challenge, asker=asker(ada), factor="text")
        deliver()
        first, second = (message.body for message in twilio.messages)
        assert code_of(challenge) in first and code_of(challenge) in second

    def test_the_pauses_grow(self, ada, begin, asker):
        challenge = begin(ada, now=self.NOW)
        at = timedelta()
        for pause in (30, 60, 120, 120):
            with pytest.raises(TooSoon) as soon:
                self.resend(challenge, asker, at + (pause - 1) * SECOND)
            at += pause * SECOND
            assert soon.value.at == self.NOW + at
            self.resend(challenge, asker, at)
        assert list(Message.objects.order_by("send_number").values_list("send_number", flat=True)) == [1, 2, 3, 4, 5]

    def test_five_sends_are_all(self, ada, begin, asker):
        challenge = begin(ada, now=self.NOW)
        Challenge.objects.update(sends=5, next_send_at=None)
        challenge.refresh_from_db()
        with pytest.raises(NoMoreSends):
            self.resend(challenge, asker, 9 * MINUTE)

    def test_a_stale_page_sends_nothing(self, ada, begin, asker):
        challenge = begin(ada, now=self.NOW)
        stale = Challenge.objects.get(pk=challenge.pk)
        self.resend(challenge, asker, 30 * SECOND)
        with pytest.raises(TooSoon):
            self.resend(stale, asker, 5 * MINUTE)

    @pytest.mark.parametrize(
        ("first", "then", "strength"),
        [
            ("text", "email", Strength.EMAIL),
            ("email", "text", Strength.EMAIL),
            ("text", "text", Strength.TEXT),
            ("call", "text", Strength.TEXT),
            ("text", "call", Strength.TEXT),
            ("email", "call", Strength.EMAIL),
            ("call", "email", Strength.EMAIL),
        ],
    )
    def test_it_is_worth_what_the_weakest_channel_is_worth(self, ada, begin, asker, answer, first, then, strength):
        challenge = begin(ada, factor=first, now=self.NOW)
        self.resend(challenge, asker, 30 * SECOND, factor=then)
        assert answer(challenge, code_of(challenge), now=self.NOW + MINUTE).strength == strength

    def test_an_app_proves_what_an_app_proves_whatever_was_sent_before(self, ada, begin, asker, answer):
        challenge = begin(ada, factor="email", now=self.NOW)
        challenges.choose(challenge, asker=asker(ada), factor="authenticator", now=self.NOW)
        assert answer(challenge, totp_of(ada, self.NOW), now=self.NOW).strength == Strength.AUTHENTICATOR

    def test_choosing_an_app_does_not_raise_what_a_mail_is_worth(self, ada, begin, asker, answer):
        challenge = begin(ada, factor="email", now=self.NOW)
        challenges.choose(challenge, asker=asker(ada), factor="authenticator", now=self.NOW)
        with pytest.raises(WrongCode):
            answer(challenge, code_of(challenge), now=self.NOW)

    def test_a_factor_below_the_policy_is_not_sent_to(self, ada, begin, asker):
        challenge = begin(ada, purpose=Purpose.MANAGE_FACTORS, factor="authenticator", now=self.NOW)
        with pytest.raises(ChallengeOver):
            challenges.choose(challenge, asker=asker(ada), factor="email", now=self.NOW)
        assert not Message.objects.exists()

    def test_a_guest_has_the_one_contact(self, db, begin, asker):
        challenge = begin(contact="guest@example.org", now=self.NOW)
        with pytest.raises(NotYours):
            challenges.send(challenge, asker=asker(contact="guest@example.org"), factor="text", now=self.NOW + MINUTE)

    def test_a_guest_with_a_mailbox_is_not_called(self, db, begin, asker):
        challenge = begin(contact="guest@example.org", now=self.NOW)
        with pytest.raises(NotYours):
            challenges.send(challenge, asker=asker(contact="guest@example.org"), factor="call", now=self.NOW + MINUTE)

    def test_a_guest_with_a_phone_is_called_with_the_code_of_the_text(self, db, begin, asker, answer):
        contact = "+4915123456789"
        challenge = begin(contact=contact, factor=None, now=self.NOW)
        challenges.send(challenge, asker=asker(contact=contact), factor="call", now=self.NOW + MINUTE)
        assert list(Message.objects.order_by("send_number").values_list("channel", "destination")) == [
            ("text", contact),
            ("call", contact),
        ]
        grant = answer(challenge, code_of(challenge), now=self.NOW + MINUTE)
        assert (grant.factor, grant.strength, grant.contact) == ("call", Strength.TEXT, contact)

    def test_a_guest_is_asked_again_in_the_way_that_was_chosen(self, db, begin):
        assert begin(contact="+4915123456789", factor="call").factor == "call"
        assert begin(contact="guest@example.org", factor="call").factor == "email"

    def test_calls_and_texts_are_one_budget(self, ada, begin, asker):
        for number in range(12):
            factor = "call" if number % 2 else "text"
            begin(ada, asker=asker(ada, browser=f"{number:064d}"), factor=factor, now=self.NOW)
        assert Message.objects.count() == 10

    def test_a_destination_has_a_budget_over_all_browsers(self, ada, begin, asker):
        for number in range(12):
            begin(ada, asker=asker(ada, browser=f"{number:064d}"), now=self.NOW)
        assert Message.objects.count() == 10
        assert Challenge.objects.filter(sends=0).count() == 2

    def test_an_address_has_a_budget_over_all_people(self, db, begin, asker):
        for number in range(32):
            who = asker(contact=f"guest{number}@example.org", browser=f"{number:064d}", ip="203.0.113.9")
            begin(asker=who, now=self.NOW)
        assert Message.objects.count() == 30

    def test_what_a_budget_refuses_takes_no_send_and_no_pause(self, ada, begin, asker):
        for number in range(11):
            last = begin(ada, asker=asker(ada, browser=f"{number:064d}"), now=self.NOW)
        last.refresh_from_db()
        assert (last.sends, last.next_send_at, last.weakest_sent) == (0, None, None)

    def test_support_sends_it_again_with_a_reason(self, ada, begin, sam):
        challenge = begin(ada, now=self.NOW)
        message = challenges.resend_for(challenge, actor=sam, reason="no text came", now=self.NOW + MINUTE)
        assert message.send_number == 2
        event = events("code_resent_by_support").get()
        assert (event.user, event.actor, event.detail["reason"]) == (ada, sam, "no text came")


class TestAttempts:
    """Rule 4: paid for before the code is compared."""

    def test_five_and_no_more(self, ada, begin, answer):
        challenge = begin(ada)
        left = []
        for number in range(1, 6):
            with pytest.raises(WrongCode) as wrong:
                answer(challenge, wrong_code_of(challenge, number))
            left.append(wrong.value.attempts_left)
        assert left == [4, 3, 2, 1, 0]
        challenge.refresh_from_db()
        assert challenge.state == State.USED_UP
        with pytest.raises(ChallengeOver):
            answer(challenge, code_of(challenge))

    def test_it_is_paid_before_it_is_compared(self, ada, begin, answer, monkeypatch):
        challenge = begin(ada)
        seen = []

        def same(typed, code):
            seen.append(Challenge.objects.get().attempts_left)
            raise SystemExit  # the worker dies right here

        monkeypatch.setattr(codes, "same", same)
        with pytest.raises(SystemExit):
            answer(challenge, code_of(challenge))
        assert seen == [4] and Challenge.objects.get().attempts_left == 4

    def test_the_fifth_may_be_right(self, ada, begin, answer):
        challenge = begin(ada)
        for number in range(1, 5):
            with pytest.raises(WrongCode):
                answer(challenge, wrong_code_of(challenge, number))
        assert answer(challenge, code_of(challenge))

    @pytest.mark.parametrize("typed", ["", "12345", "1234567", "+12345", "１２３４５６", "abcdef", "1" * 10_240])
    def test_what_can_not_be_a_code_takes_no_attempt(self, ada, begin, answer, typed):
        challenge = begin(ada)
        with pytest.raises(MalformedCode):
            answer(challenge, typed)
        challenge.refresh_from_db()
        assert challenge.attempts_left == 5 and not events("proof_failed").exists()

    def test_a_wrong_code_of_an_app_counts_too(self, ada, begin, answer):
        challenge = begin(ada, factor="authenticator")
        now = timezone.now()
        wrong = f"{(int(totp_of(ada, now)) + 1) % 10**6:06d}"
        with pytest.raises(WrongCode):
            answer(challenge, wrong, now=now)
        challenge.refresh_from_db()
        assert (challenge.attempts_left, challenge.state) == (4, State.LIVE)
        assert events("proof_failed").count() == 1

    def test_ten_an_hour_over_all_browsers_and_factors(self, ada, begin, answer, asker):
        now = timezone.now()
        text, app = begin(ada, now=now), begin(ada, asker=asker(ada, browser="b" * 64), factor="authenticator", now=now)
        for number in range(1, 6):
            with pytest.raises(WrongCode):
                answer(text, wrong_code_of(text, number), now=now)
        for _ in range(5):
            with pytest.raises(WrongCode):
                answer(app, f"{(int(totp_of(ada, now)) + 1) % 10**6:06d}", now=now)
        third = begin(ada, factor="authenticator", now=now)
        with pytest.raises(attempts.FactorResting):
            answer(third, totp_of(ada, now), now=now)
        third.refresh_from_db()
        assert third.attempts_left == 5  # nothing was compared

    def test_at_the_limit_the_owner_is_told_once(self, ada, begin, answer, asker):
        for number in range(3):
            challenge = begin(ada, asker=asker(ada, browser=f"{number:064d}"))
            for wrong in range(1, 6):
                with pytest.raises((WrongCode, attempts.FactorResting)):
                    answer(challenge, wrong_code_of(challenge, wrong))
        event = events("factor_resting").get()
        assert event.detail == {"factor": "text"}
        notice = Message.objects.get(kind=Message.Kind.NOTICE, reference=str(event.pk))
        assert notice.destination == "ada@example.org"

    def test_at_the_limit_the_owner_gets_in_by_another_factor(self, ada, begin, answer, asker):
        for number in range(2):
            challenge = begin(ada, asker=asker(ada, browser=f"{number:064d}"))
            for wrong in range(1, 6):
                with pytest.raises(WrongCode):
                    answer(challenge, wrong_code_of(challenge, wrong))
        challenge = begin(ada, asker=asker(ada, browser="c" * 64), factor="authenticator")
        assert answer(challenge, totp_of(ada, timezone.now()))

    def test_at_the_limit_a_phone_rests_for_calls_as_for_texts(self, ada, begin, answer, asker):
        """Else a guesser would have twice the tries at one code."""
        for number, factor in enumerate(("text", "call")):
            challenge = begin(ada, asker=asker(ada, browser=f"{number:064d}"), factor=factor)
            for wrong in range(1, 6):
                with pytest.raises(WrongCode):
                    answer(challenge, wrong_code_of(challenge, wrong))
        for factor in ("text", "call"):
            challenge = begin(ada, asker=asker(ada, browser=f"{factor:>064}"), factor=factor)
            with pytest.raises(attempts.FactorResting):
                answer(challenge, code_of(challenge))

    def test_a_success_elsewhere_clears_none_of_it(self, ada, begin, answer, asker):
        thief = begin(ada, asker=asker(ada, browser="b" * 64))
        for wrong in range(1, 5):
            with pytest.raises(WrongCode):
                answer(thief, wrong_code_of(thief, wrong))
        own = begin(ada)
        with pytest.raises(WrongCode):
            answer(own, wrong_code_of(own))
        answer(own, code_of(own))
        spent = dict(Counter.objects.filter(scope__startswith="codes").values_list("scope", "spent"))
        # Of the hour nothing is given back but the success itself; in a row, the owner's own slip too.
        assert spent == {"codes an hour": 5, "codes in a row": 4}
        thief.refresh_from_db()
        assert thief.attempts_left == 1

    def test_the_attempts_of_a_guest_are_counted_by_contact(self, db, begin, answer, asker):
        for number in range(2):
            who = asker(contact="guest@example.org", browser=f"{number:064d}")
            challenge = begin(asker=who)
            for wrong in range(1, 6):
                with pytest.raises(WrongCode):
                    answer(challenge, wrong_code_of(challenge, wrong))
        challenge = begin(contact="guest@example.org")
        with pytest.raises(attempts.FactorResting):
            answer(challenge, code_of(challenge))
        assert events("factor_resting").get().contact == "guest@example.org"
        other = begin(contact="other@example.org")
        assert answer(other, code_of(other))


class TestWhose:
    """Rule 5: one browser session, one person, one purpose, one digest."""

    @pytest.fixture
    def other(self, asker, ada, ben):
        return {
            "another browser": {"asker": asker(ada, browser="b" * 64)},
            "another person": {"asker": asker(ben)},
            "nobody": {"asker": asker(contact="ada@example.org")},
            "the same person with a contact": {"asker": asker(ada, contact="ada@example.org")},
            "another purpose": {"purpose": Purpose.SIGN_IN},
            "another digest": {"digest": OTHER_DIGEST},
        }

    @pytest.mark.parametrize(
        "where",
        ["another browser", "another person", "nobody", "the same person with a contact", "another purpose",
         "another digest"],
    )  # fmt: skip
    def test_posted_elsewhere_it_is_refused_and_costs_nothing(self, ada, begin, answer, other, where):
        challenge = begin(ada)
        before = SecurityEvent.objects.count()
        for code in (code_of(challenge), wrong_code_of(challenge)):
            with pytest.raises(NotYours):
                answer(challenge, code, **other[where])
        challenge.refresh_from_db()
        assert (challenge.state, challenge.attempts_left) == (State.LIVE, 5)
        assert (
            not Counter.objects.filter(scope__startswith="codes").exists() and SecurityEvent.objects.count() == before
        )
        assert answer(challenge, code_of(challenge))

    @pytest.mark.parametrize("where", ["another browser", "another person", "nobody"])
    def test_nothing_is_sent_from_elsewhere(self, ada, begin, other, where):
        challenge = begin(ada)
        later = timezone.now() + MINUTE
        with pytest.raises(NotYours):
            challenges.send(challenge, **other[where], factor="text", now=later)
        with pytest.raises(NotYours):
            challenges.choose(challenge, **other[where], factor="authenticator", now=later)

    def test_an_unknown_one_is_nobodys(self, ada, begin, answer):
        challenge = begin(ada)
        code = code_of(challenge)
        Challenge.objects.all().delete()
        with pytest.raises(NotYours):
            answer(challenge, code)

    def test_it_does_not_survive_a_change_of_the_password(self, ada, begin, answer):
        challenge = begin(ada)
        ada.set_password("another password")
        ada.save()
        with pytest.raises(ChallengeOver):
            answer(challenge, code_of(challenge))

    def test_it_does_not_survive_the_end_of_the_account(self, ada, begin, answer):
        challenge = begin(ada)
        ada.is_active = False
        ada.save()
        with pytest.raises(ChallengeOver):
            answer(challenge, code_of(challenge))

    @pytest.mark.parametrize("others_left", [True, False])
    def test_it_does_not_survive_its_phone(self, ada, begin, answer, others_left):
        challenge = begin(ada)
        ada.phones.all().delete()
        if not others_left:
            ada.mailboxes.all().delete(), ada.authenticators.all().delete()
        with pytest.raises(ChallengeOver):
            answer(challenge, code_of(challenge))

    def test_an_exchanged_phone_does_not_inherit_it(self, ada, begin, answer):
        challenge = begin(ada)
        phone = ada.phones.get()
        phone.pk, phone.number = None, "+4915112345679"
        ada.phones.all().delete()
        phone.save()
        with pytest.raises(ChallengeOver):
            answer(challenge, code_of(challenge))


class TestSingleUse:
    """Rule 6: an app's and a backup code's single use, over all purposes."""

    def test_a_code_used_to_sign_in_does_not_pay(self, ada, begin, answer):
        now = timezone.now()
        sign_in = begin(ada, purpose=Purpose.SIGN_IN, factor="authenticator", now=now)
        pay = begin(ada, factor="authenticator", now=now)
        assert answer(sign_in, totp_of(ada, now), now=now)
        with pytest.raises(WrongCode):
            answer(pay, totp_of(ada, now), now=now)
        assert answer(pay, totp_of(ada, now + 30 * SECOND), now=now + 30 * SECOND)

    def test_a_backup_code_is_crossed_out(self, ada, begin, answer, asker):
        code, *_rest = make_backup_codes(ada)
        first, second = (
            begin(ada, factor="backup_code"),
            begin(ada, asker=asker(ada, browser="b" * 64), factor="backup_code"),
        )
        assert answer(first, code.lower()).strength == Strength.TEXT
        with pytest.raises(WrongCode):
            answer(second, code)

    def test_a_code_that_came_too_late_is_not_used_up(self, ada, begin, answer):
        """The challenge is over, so the app's code stays good for the next one."""
        now = timezone.now()
        challenge = begin(ada, factor="authenticator", now=now - 10 * MINUTE)
        with pytest.raises(ChallengeOver):
            answer(challenge, totp_of(ada, now), now=now)
        assert Authenticator.objects.get().last_step == -1


def test_the_numbers_are_those_of_the_design():
    assert django_settings.CODE_LIFE == 5 * MINUTE
    assert django_settings.CHALLENGE_LIFE == 10 * MINUTE
    assert (django_settings.CODE_ATTEMPTS, django_settings.SENDS_PER_CHALLENGE) == (5, 5)
    assert [gap.total_seconds() for gap in django_settings.SEND_GAPS] == [30, 60, 120]
    assert (attempts.A_HOUR, attempts.IN_A_ROW, attempts.REST) == (10, 100, 15 * MINUTE)
