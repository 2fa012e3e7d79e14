from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.delivery.models import DemoMessage, Message
from accounts.factors.authenticator import Authenticator
from accounts.models import Counter, SecurityEvent
from accounts.security import services
from accounts.stepup.challenges import WrongCode
from accounts.stepup.models import Purpose
from tests.codes import code_of, totp_of, wrong_code_of

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def warnings():
    return SecurityEvent.objects.filter(kind=SecurityEvent.Kind.WRONG_CODES)


@pytest.fixture
def fail(begin, answer, asker):
    """`fail(ada, 3)`: three wrong codes, each in a browser of its own."""

    def fail(user, times, now=None, ip=None):
        for _ in range(times):
            fail.browsers += 1
            who = asker(user, browser=f"{fail.browsers:064d}", ip=ip)
            challenge = begin(user, asker=who, factor="authenticator", now=now)
            with pytest.raises(WrongCode):
                answer(challenge, f"{(int(totp_of(user, now or timezone.now())) + 1) % 10**6:06d}", asker=who, now=now)

    fail.browsers = 0
    return fail


def test_the_owner_is_told_of_the_third_wrong_code_on_every_channel(ada, fail):
    fail(ada, 2)
    assert not warnings().exists()
    fail(ada, 1, ip="198.51.100.7")
    event = warnings().get()
    assert (event.user, event.ip, event.detail) == (ada, "198.51.100.7", {})
    told = Message.objects.filter(kind=Message.Kind.NOTICE, reference=str(event.pk))
    assert set(told.values_list("channel", "destination")) == {("email", "ada@example.org"), ("text", "+4915112345678")}


def test_the_notice_says_when_and_from_where(ada, fail, deliver):
    fail(ada, 3, ip="198.51.100.7")
    deliver()
    for message in DemoMessage.objects.filter(message__kind=Message.Kind.NOTICE):
        assert "Three wrong codes were typed" in message.text and "198.51.100.7" in message.text


def test_one_notice_an_hour_however_many_are_wrong(ada, fail):
    now = timezone.now()
    fail(ada, 9, now=now)
    assert warnings().count() == 1
    fail(ada, 1, now=now + 59 * MINUTE)
    assert warnings().count() == 1
    fail(ada, 3, now=now + 2 * HOUR)
    assert warnings().count() == 2


def test_three_over_more_than_an_hour_are_slips(ada, fail):
    now = timezone.now()
    for hours in range(3):
        fail(ada, 2, now=now + hours * HOUR)
    assert not warnings().exists()


def test_the_owners_own_slips_are_forgiven_by_the_right_code(ada, begin, answer, fail):
    for _ in range(2):
        challenge = begin(ada)
        for number in (1, 2):
            with pytest.raises(WrongCode):
                answer(challenge, wrong_code_of(challenge, number))
        answer(challenge, code_of(challenge))
    assert not warnings().exists()


def test_a_success_elsewhere_forgives_nobody_elses(ada, begin, answer, fail):
    fail(ada, 2)
    challenge = begin(ada)
    answer(challenge, code_of(challenge))
    fail(ada, 1)
    assert warnings().count() == 1


def test_wrong_codes_for_one_person_warn_no_other(ada, sam, fail):
    fail(ada, 2)
    fail(sam, 2)
    assert not warnings().exists()


def test_a_bare_contact_gets_no_notice_whether_an_account_has_it_or_not(ada, begin, answer, asker):
    """A reset is asked for by anybody: what is sent must not tell whether there is an account."""
    who = asker(contact="ada@example.org")
    challenge = begin(asker=who, purpose=Purpose.RESET_PASSWORD, factor="email")
    for number in range(1, 5):
        with pytest.raises(WrongCode):
            answer(challenge, wrong_code_of(challenge, number))
    assert not warnings().exists() and not Message.objects.filter(kind=Message.Kind.NOTICE).exists()


def test_wrong_codes_of_an_app_that_is_being_set_up_count_too(ben):
    device = Authenticator.objects.create(user=ben, confirmed=False)
    now = timezone.now()
    wrong = f"{(int(totp_of(ben, now)) + 1) % 10**6:06d}"
    for _ in range(3):
        with pytest.raises(services.WrongCode):
            services.confirm_authenticator(user=ben, device_id=device.pk, code=wrong, name="", now=now)
    assert warnings().get().user == ben


def test_the_hours_notice_is_spent_only_with_the_notice(ada, fail, monkeypatch):
    monkeypatch.setattr("accounts.stepup.wrong_codes.tell_owner", lambda *args, **how: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fail(ada, 3)
    assert not warnings().exists()
    assert not Counter.objects.filter(scope="notices of wrong codes").exists()
