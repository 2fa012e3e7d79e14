"""Twenty workers look at a code that left us in the dark: one more goes out."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.delivery import failover
from accounts.delivery.models import Message, State
from accounts.delivery.services import hand_over, report
from accounts.stepup import challenges
from accounts.stepup.models import Challenge
from tests.codes import code_of
from tests.conftest import in_threads

from .conftest import meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def dark(ada, asker, order, twilio, vonage):
    """Twilio took it nine seconds ago and said nothing since."""
    challenges.begin(asker=asker(ada), factor="text", **order)
    message = Message.objects.get()
    hand_over(message.pk)
    past = timezone.now() - timedelta(seconds=9)
    Message.objects.filter(pk=message.pk).update(handing_over_at=past, handed_over_at=past)
    message.refresh_from_db()
    return message


def test_twenty_sweeps_make_one_more_message(dark, twilio, vonage):
    assert in_threads(20, lambda number: failover.sweep()) == [None] * 20
    second = Message.objects.get(instead_of=dark)
    assert Message.objects.count() == Challenge.objects.get().sends == 2
    assert in_threads(20, lambda number: hand_over(second.pk)) == [None] * 20
    assert (len(twilio.messages), len(vonage.messages)) == (1, 1)
    code = code_of(Challenge.objects.get())
    assert code in twilio.messages[0].body and code in vonage.messages[0].text


def test_control_looking_first_makes_several(dark):
    """The constraint on send numbers does not help: each takes the next one."""
    together = meeting(5)

    def naive(number):
        found = Message.objects.get(pk=dark.pk)
        in_the_dark = found.replaced_at is None and found.state == State.HANDED_OVER
        together()
        if in_the_dark:
            found.replaced_at = timezone.now()
            found.save()
            Message.objects.create(
                kind=found.kind, channel=found.channel, destination=found.destination, challenge=found.challenge,
                send_number=2 + number,
            )  # fmt: skip

    in_threads(5, naive)
    assert Message.objects.count() > 2


def test_the_shopper_and_the_sweep_at_once_take_two_numbers(ada, asker, dark):
    """Whoever comes second finds the challenge changed: the shopper may ask again at once, the sweep looks again."""
    Challenge.objects.filter(pk=dark.challenge_id).update(next_send_at=None)

    def work(number):
        if number % 2:
            return failover.sweep()
        return challenges.send(Challenge.objects.get(pk=dark.challenge_id), asker=asker(ada), factor="text")

    in_threads(10, work)
    failover.sweep()
    messages = list(Message.objects.order_by("send_number").values_list("send_number", "instead_of"))
    assert [number for number, _ in messages] == list(range(1, len(messages) + 1))
    assert len(messages) == Challenge.objects.get().sends <= 3
    assert [instead for _, instead in messages].count(dark.pk) == 1


def test_a_report_and_the_sweep_at_once_leave_a_true_state(dark):
    in_threads(10, lambda number: failover.sweep() if number % 2 else report(dark, State.DELIVERED))
    dark.refresh_from_db()
    assert dark.state == State.DELIVERED
    assert Message.objects.count() == 1 + (dark.replaced_at is not None)
