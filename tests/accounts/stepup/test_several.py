"""Somebody with two apps, two phones, two mailboxes: which of them count, which are offered, which one it was."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.delivery.models import Message
from accounts.factors import authenticator
from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import make_backup_codes
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import SecurityEvent
from accounts.stepup import attempts, challenges
from accounts.stepup.challenges import ChallengeOver, WrongCode
from accounts.stepup.models import Challenge, Grant
from tests.accounts.sign_in.steps import challenge_of, code_shown, is_signed_in, type_code, type_password
from tests.codes import code_of

Kind = SecurityEvent.Kind


@pytest.fixture
def old(ada):
    return Authenticator.objects.get(user=ada)


@pytest.fixture
def new(ada):
    return Authenticator.objects.create(user=ada, name="new phone")


@pytest.fixture
def other_phone(ada):
    return Phone.objects.create(user=ada, number="+4915155555599")


@pytest.fixture
def other_mailbox(ada):
    return Mailbox.objects.create(user=ada, address="work@example.com")


@pytest.fixture
def asking(client, ada):
    """Ada's browser, after the password."""
    type_password(client, "ada@example.org")
    return client


def switch(client, factor, device):
    data = {"factor": factor, "device": device.persistent_id if hasattr(device, "pk") else device}
    return client.post(reverse("stepup:resend", args=[challenge_of(client).pk]), data)


def page_of(client):
    return client.get(reverse("stepup:challenge", args=[challenge_of(client).pk])).content.decode()


class TestTwoApps:
    @pytest.mark.parametrize("which", ["old", "new"])
    def test_either_passes_and_it_is_kept_which_one_it_was(self, ada, old, new, which, begin, answer):
        app = {"old": old, "new": new}[which]
        grant = answer(begin(ada, factor="authenticator"), code_shown(app))
        assert grant.challenge.device_id == app.persistent_id
        assert SecurityEvent.objects.get(kind=Kind.PROOF_PASSED).detail["name"] == app.name
        used = dict(Authenticator.objects.values_list("pk", "last_used_at"))
        assert used.pop(app.pk) == grant.granted_at
        assert list(used.values()) == [None]

    def test_each_code_counts_once_over_all_challenges(self, ada, old, new, begin, answer):
        for app in (old, new):
            code = code_shown(app)
            answer(begin(ada, factor="authenticator"), code)
            with pytest.raises(WrongCode):
                answer(begin(ada, factor="authenticator"), code)

    def test_a_code_that_both_happen_to_show_counts_once(self, ada, old, new, begin, answer):
        new.seed = old.seed
        new.save()
        code = code_shown(old)
        answer(begin(ada, factor="authenticator"), code)
        with pytest.raises(WrongCode):
            answer(begin(ada, factor="authenticator"), code)

    def test_a_wrong_code_costs_one_attempt_however_many_apps_there_are(self, ada, old, new, begin, answer):
        challenge = begin(ada, factor="authenticator")
        with pytest.raises(WrongCode) as wrong:
            answer(challenge, f"{(int(code_shown(old)) + 1) % 10**6:06d}")
        assert wrong.value.attempts_left == 4
        for _ in range(9):
            assert attempts.pay(challenge.subject, "authenticator", timezone.now())

    def test_the_work_is_the_same_whichever_matches(self, ada, old, new, begin, answer, monkeypatch):
        compared, matches = [], authenticator._matches
        monkeypatch.setattr(authenticator, "_matches", lambda *seen: compared.append(seen) or matches(*seen))
        work = []
        for app in (old, new):
            answer(begin(ada, factor="authenticator"), code_shown(app))
            work.append(len(compared))
            compared.clear()
        assert work == [6, 6]

    @pytest.mark.parametrize("removed", ["old", "new"])
    def test_the_other_one_still_passes_when_one_is_removed_meanwhile(self, ada, old, new, removed, begin, answer):
        gone, stays = (old, new) if removed == "old" else (new, old)
        challenge, its_code = begin(ada, factor="authenticator"), code_shown(gone)
        gone.delete()
        with pytest.raises(WrongCode):
            answer(challenge, its_code)
        assert answer(challenge, code_shown(stays))

    def test_when_both_are_removed_it_is_over(self, ada, old, new, begin, answer):
        challenge, code = begin(ada, factor="authenticator"), code_shown(new)
        ada.authenticators.all().delete()
        with pytest.raises(ChallengeOver):
            answer(challenge, code)

    def test_an_unconfirmed_one_does_not_count(self, ada, old, new, begin, answer):
        Authenticator.objects.filter(pk=new.pk).update(confirmed=False)
        with pytest.raises(WrongCode):
            answer(begin(ada, factor="authenticator"), code_shown(new))

    def test_the_page_asks_for_the_app_and_not_for_one_of_two(self, asking, old, new):
        page = page_of(asking)
        assert "Open your authenticator app" in page
        assert "Use the code in your authenticator app" not in page

    def test_staff_who_use_the_second_are_out_when_it_is_removed(self, client, rita):
        second = Authenticator.objects.create(user=rita, name="second")
        type_password(client, "rita@example.org", wanted="/admin/")
        client.get(type_code(client, code_shown(second)).url)
        rita.authenticators.exclude(pk=second.pk).delete()
        assert client.get("/admin/").status_code == 200
        second.delete()
        assert client.get("/admin/").status_code == 302


class TestRenamed:
    """A device that isn't called "default" is a second factor as any other."""

    @pytest.mark.parametrize("name", ["default", "my phone", "", "backup"])
    def test_it_is_asked_for_and_works(self, client, ada, old, name):
        Authenticator.objects.filter(pk=old.pk).update(name=name)
        type_password(client, "ada@example.org")
        assert not is_signed_in(client)
        assert challenge_of(client).factor == "authenticator"
        client.get(type_code(client, code_shown(old)).url)
        assert is_signed_in(client, ada)

    def test_phones_and_mailboxes_too(self, client, ben):
        Mailbox.objects.update(name="that old thing")
        type_password(client, "ben@example.org")
        assert not is_signed_in(client)
        client.get(type_code(client).url)
        assert is_signed_in(client, ben)


class TestSwitching:
    def test_each_phone_and_each_mailbox_is_a_way_of_its_own(self, asking, other_phone, other_mailbox):
        page = page_of(asking)
        for way in (
            "Text a code to +49 ••• ••78",
            "Text a code to +49 ••• ••99",
            "Call +49 ••• ••78 and say a code",
            "Call +49 ••• ••99 and say a code",
            "E-mail a code to a•••@example.org",
            "E-mail a code to w•••@example.com",
        ):
            assert page.count(way) == 1, way

    def test_the_code_goes_to_the_one_that_was_chosen(self, asking, other_phone):
        assert switch(asking, "text", other_phone).status_code == 302
        sent = Message.objects.get()
        assert (sent.channel, sent.destination) == ("text", "+4915155555599")
        page = page_of(asking)
        assert 'We texted a code to <strong class="nowrap">+49 ••• ••99' in page
        assert "Text a code to +49 ••• ••78" in page
        assert "Text a code to +49 ••• ••99" not in page
        asking.get(type_code(asking).url)
        assert is_signed_in(asking)
        assert Grant.objects.get().challenge.device_id == other_phone.persistent_id

    def test_a_resend_goes_there_again_and_carries_the_same_code(self, asking, other_phone):
        switch(asking, "text", other_phone)
        code = code_of(challenge_of(asking))
        Challenge.objects.update(next_send_at=None)
        assert (
            asking.post(reverse("stepup:resend", args=[challenge_of(asking).pk]), {"factor": "text"}).status_code == 302
        )
        assert set(Message.objects.values_list("destination", flat=True)) == {"+4915155555599"}
        assert Message.objects.count() == 2
        assert code_of(challenge_of(asking)) == code

    def test_from_one_phone_to_the_other_waits_for_the_countdown_and_carries_the_same_code(
        self, asking, ada, other_phone
    ):
        switch(asking, "text", ada.phones.first())
        code = code_of(challenge_of(asking))
        assert switch(asking, "text", other_phone).status_code == 429
        assert Message.objects.count() == 1
        Challenge.objects.update(next_send_at=None)
        assert switch(asking, "text", other_phone).status_code == 302
        assert Challenge.objects.count() == 1
        assert code_of(challenge_of(asking)) == code

    def test_a_code_by_mail_and_then_by_text_is_worth_the_mail(self, asking, other_mailbox, other_phone):
        switch(asking, "email", other_mailbox)
        Challenge.objects.update(next_send_at=None)
        switch(asking, "text", other_phone)
        asking.get(type_code(asking).url)
        assert Grant.objects.get().strength == 1

    def test_one_comes_back_to_a_code_already_sent_without_another_send(self, asking, ada, other_phone):
        switch(asking, "text", other_phone)
        switch(asking, "authenticator", "")
        assert challenge_of(asking).factor == "authenticator"
        assert switch(asking, "text", other_phone).status_code == 302
        assert Message.objects.count() == 1
        assert "We texted a code to" in page_of(asking)
        # The other phone never got it, so that is a send, for which it is too soon.
        switch(asking, "authenticator", "")
        assert switch(asking, "text", ada.phones.first()).status_code == 429
        assert challenge_of(asking).factor == "authenticator"

    @pytest.mark.parametrize("device", ["theirs", "unconfirmed", "factors.phone/999999", "nonsense", "\x00", "x" * 999])
    def test_what_is_not_ones_own_is_refused_and_costs_nothing(self, asking, ada, cleo, device):
        if device == "theirs":
            device = cleo.phones.get()
        elif device == "unconfirmed":
            device = Phone.objects.create(user=ada, number="+4915155555590", confirmed=False)
        before = Challenge.objects.values().get()
        answer = switch(asking, "text", device)
        assert answer.status_code == 422
        assert "not one of yours any more" in answer.content.decode()
        assert Challenge.objects.values().get() == before
        assert not Message.objects.exists()

    def test_a_device_of_another_factor_is_none_of_this_one(self, asking, ada):
        assert switch(asking, "email", ada.phones.get()).status_code == 422
        assert not Message.objects.exists()

    def test_a_device_that_is_not_enough_for_the_purpose_is_refused(self, client, ada, other_mailbox):
        client.force_login(ada)
        client.get(reverse("security:authenticator"))
        assert "E-mail a code" not in page_of(client)
        assert switch(client, "email", other_mailbox).status_code == 410
        assert not Message.objects.exists()

    def test_a_code_is_not_good_when_its_phone_was_removed(self, asking, other_phone):
        switch(asking, "text", other_phone)
        other_phone.delete()
        assert type_code(asking).status_code == 410
        assert not Grant.objects.exists()

    def test_a_new_code_after_the_end_goes_to_the_same_phone(self, asking, other_phone):
        switch(asking, "text", other_phone)
        Challenge.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        asking.post(reverse("stepup:again", args=[challenge_of(asking).pk]))
        assert set(Message.objects.values_list("destination", flat=True)) == {"+4915155555599"}

    def test_one_backup_code_line_whatever_is_left(self, asking, ada):
        make_backup_codes(ada)
        assert page_of(asking).count("backup codes") == 1

    def test_another_browser_can_not_switch_it(self, asking, other_phone):
        stranger = Client()
        url = reverse("stepup:resend", args=[challenge_of(asking).pk])
        answer = stranger.post(url, {"factor": "text", "device": other_phone.persistent_id})
        assert answer.status_code == 404
        assert not Message.objects.exists()


def test_a_challenge_begins_with_the_device_that_is_asked_for(ada, other_phone, begin):
    assert begin(ada, device_id=other_phone.persistent_id).device_id == other_phone.persistent_id


def test_it_begins_with_ones_own_where_somebody_elses_is_asked_for(ada, cleo, begin):
    assert begin(ada, device_id=cleo.phones.get().persistent_id).device_id == ada.phones.get().persistent_id


def test_the_service_refuses_a_device_of_somebody_else(ada, cleo, begin, asker):
    challenge = begin(ada)
    with pytest.raises(challenges.policy.NoFactor):
        challenges.choose(challenge, asker=asker(ada), factor="call", device_id=cleo.phones.get().persistent_id)
