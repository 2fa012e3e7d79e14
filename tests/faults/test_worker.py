"""A worker dies between its claim and the provider's answer."""

from collections import Counter as Tally

import pytest
import redis
from django.utils import timezone

from accounts.delivery import services
from accounts.delivery.models import Message, State
from accounts.stepup import challenges
from accounts.stepup.models import Challenge, Purpose
from tests.codes import code_of
from tests.servers.twilio import Accept, Hang, Slow

from .conftest import until

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def ask(asker):
    """`ask(7)`: the seventh guest asks for a code by text; the message, which is then on its way."""

    def ask(number: int) -> Message:
        challenge = challenges.begin(
            asker=asker(contact=f"+49151123450{number:02d}", browser=f"{number:064d}"),
            purpose=Purpose.SIGN_UP,
            digest=bytes(32),
            next_path="/account/sign-up/done/",
        )
        return Message.objects.get(challenge=challenge)

    return ask


def state_of(message: Message) -> str:
    return str(Message.objects.values_list("state", flat=True).get(pk=message.pk))


def test_killed_twenty_times_it_sends_nothing_twice_and_loses_nothing(workers, twilio, ask, asker):
    twilio.behaviour = Hang(60)
    messages = []
    for number in range(20):
        worker = workers.start()
        messages.append(ask(number))
        twilio.wait_for_requests(number + 1, timeout=60)  # the request has left, and is never answered
        workers.kill(worker)
        assert state_of(messages[-1]) == State.HANDING_OVER

    # The broker gives the tasks of the dead back, and a healthy worker takes them: nothing is sent by that.
    twilio.behaviour = Accept()
    twilio.release()
    for message in messages:
        services.enqueue(message.pk, message.kind)
    workers.start()
    last = ask(20)
    until(lambda: state_of(last) == State.HANDED_OVER)
    assert Tally(request.form["To"] for request in twilio.requests) == {
        message.destination: 1 for message in [*messages, last]
    }
    assert {state_of(message) for message in messages} == {State.HANDING_OVER}

    # After the claims' life each is in a state that says what is known of it.
    services.sweep(timezone.now() + services.CLAIM_LIFE)
    assert {state_of(message) for message in messages} == {State.UNKNOWN}
    assert len(twilio.requests) == 21

    # The shopper asks again and gets the same code.
    challenge = Challenge.objects.get(pk=messages[0].challenge_id)
    Challenge.objects.update(next_send_at=None)
    challenges.send(challenge, asker=asker(contact=challenge.contact, browser=challenge.browser), factor="text")
    twilio.wait_for_requests(22, timeout=30)
    first, again = (r.form["Body"] for r in twilio.requests if r.form["To"] == challenge.contact)
    assert code_of(challenge) in first and code_of(challenge) in again


def test_what_twilio_took_from_a_dying_worker_is_known_by_its_report(workers, twilio, ask, client):
    """The answer is lost with the worker, the status callback is not."""
    twilio.behaviour = Slow(60)
    worker = workers.start()
    message = ask(0)
    twilio.wait_for_requests(1, timeout=60)
    workers.kill(worker)
    twilio.release()
    [taken] = twilio.wait_for(1)
    services.sweep(timezone.now() + services.CLAIM_LIFE)
    assert state_of(message) == State.UNKNOWN
    webhook = twilio.status_webhook(taken.sid, "delivered")
    path = "/" + webhook.url.split("/", 3)[3]
    assert client.post(path, webhook.form, headers=webhook.headers).status_code == 204
    assert state_of(message) == State.DELIVERED


def test_what_the_broker_forgets_is_not_lost(workers, twilio, ask, broker):
    """The task is gone; the row still waits, and the sweep tells the next worker."""
    message = ask(0)
    with redis.Redis.from_url(broker) as client:
        client.flushdb()
    services.sweep(timezone.now() + services.REQUEUE_AFTER)
    workers.start()
    until(lambda: state_of(message) == State.HANDED_OVER)
    assert len(twilio.requests) == 1


def test_a_code_overtakes_a_hundred_mails(workers, twilio, ask, settings):
    """The queue of codes is emptied first."""
    for number in range(100):
        services.queue_message(
            kind=Message.Kind.NOTICE, channel="text", destination="+4915112345699", reference=f"0{number}"
        )
    message = ask(0)
    workers.start()
    until(lambda: state_of(message) == State.HANDED_OVER)
    waiting = Message.objects.filter(kind=Message.Kind.NOTICE, state=State.QUEUED).count()
    assert waiting > 50
