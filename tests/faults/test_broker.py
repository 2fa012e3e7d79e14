"""The broker is down: whoever asks for a code gets an answer, and the code when it is back."""

import socket
import threading
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.delivery import queues, services
from accounts.delivery.models import Message, State
from accounts.delivery.numbers import queue_lengths
from accounts.factors.backup_code import make_backup_codes
from accounts.stepup import challenges
from accounts.stepup.models import Challenge, Purpose
from shop.celery import app
from tests.accounts.sign_in.steps import app_code, challenge_of, choose, is_signed_in, type_code, type_password
from tests.passkeys import options_on, passkey_of

from .conftest import until, use_broker

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def ask(asker):
    def ask() -> Message:
        who = asker(contact="+4915112345000")
        options = {"purpose": Purpose.SIGN_UP, "digest": bytes(32), "next_path": "/account/sign-up/done/"}
        return Message.objects.get(challenge=challenges.begin(asker=who, **options))

    return ask


@pytest.fixture
def impatient(monkeypatch):
    """As in production, but for less long; nothing is known of a broker yet."""
    monkeypatch.setattr(queues, "_rests_until", 0.0)
    quick = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3}
    monkeypatch.setitem(app.conf, "broker_transport_options", app.conf.broker_transport_options | quick)


def broken(kind: str, url: str) -> tuple[str, socket.socket]:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    if kind == "nobody listens":
        server.close()
    elif kind == "wrong password":
        return urlsplit(url)._replace(netloc=f":wrong@{urlsplit(url).netloc.split('@')[-1]}").geturl(), server
    elif kind == "unknown host":
        return "redis://broker.invalid:6379/0", server
    return f"redis://127.0.0.1:{port}/0", server


@pytest.mark.parametrize("kind", ["nobody listens", "nobody answers", "wrong password", "unknown host"])
def test_who_asks_gets_an_answer_and_the_code_later(kind, ask, broker, workers, twilio, impatient, caplog):
    url, server = broken(kind, broker)
    with server:
        use_broker(url)
        message = ask()
    assert Message.objects.get().state == State.QUEUED
    assert f"message {message.pk} waits for the sweep" in caplog.text

    use_broker(broker)
    services.sweep(timezone.now() + services.REQUEUE_AFTER)
    workers.start()
    until(lambda: Message.objects.get().state == State.HANDED_OVER)
    assert len(twilio.messages) == 1


def test_nobody_waits_for_further_tries(ask, broker, impatient):
    """Each try takes its time; while a broker is down, one a request is enough."""
    tries = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up():
            while True:
                try:
                    line, _address = server.accept()
                except OSError:
                    return
                tries.append(line.close())

        threading.Thread(target=hang_up, daemon=True).start()
        use_broker(f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        ask()
        asked = len(tries)
        assert 1 <= asked <= 2
        for number in range(10):
            Message.objects.create(kind=Message.Kind.ORDER, channel="email", destination=f"{number}@example.org")
        Message.objects.update(queued_at=timezone.now() - 2 * services.REQUEUE_AFTER)
        services.sweep()
        assert len(tries) <= 2 * asked
        server.shutdown(socket.SHUT_RDWR)
    assert set(Message.objects.values_list("state", flat=True)) == {State.QUEUED}


def test_a_broker_that_hangs_is_waited_for_once(ask, broker, workers, twilio, impatient):
    """Not at each message of each page. When it is back the sweep finds out, and codes go straight to it again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        use_broker(f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        message = ask()
        knocks = _accepted(server)
        assert knocks
        for _ in range(50):
            assert not services.enqueue(message.pk, message.kind)
        assert not _accepted(server)
    use_broker(broker)
    assert not services.enqueue(message.pk, message.kind)
    services.sweep(timezone.now() + services.REQUEUE_AFTER)
    assert services.enqueue(message.pk, message.kind)
    workers.start()
    until(lambda: Message.objects.get().state == State.HANDED_OVER)
    assert len(twilio.messages) == 1


def _accepted(server: socket.socket) -> int:
    """How many have connected since the last look."""
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def with_an_app(ada):
    return lambda client: type_code(client, app_code(ada))


def with_a_backup_code(ada):
    [code, *_others] = make_backup_codes(ada)
    return lambda client: (choose(client, "backup_code"), type_code(client, code))


def with_a_passkey(ada):
    key = passkey_of(ada)

    def answer(client):
        choose(client, "passkey")
        page = client.get(reverse("stepup:challenge", args=[challenge_of(client).pk]))
        type_code(client, key.sign(options_on(page)))

    return answer


@pytest.mark.parametrize("way", [with_an_app, with_a_backup_code, with_a_passkey])
def test_a_broker_that_hangs_stops_no_sign_in_without_a_message(way, ada, broker, client, impatient):
    """What waits for it is the notice of the new browser, once."""
    passed = way(ada)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        use_broker(f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        type_password(client, "ada@example.org")
        passed(client)
        assert challenge_of(client).state == Challenge.State.PASSED
        client.get(challenge_of(client).next_path)
        assert is_signed_in(client, ada)
        assert _accepted(server) <= 2
    assert set(Message.objects.values_list("state", flat=True)) <= {State.QUEUED}


@pytest.mark.parametrize("kind", ["nobody listens", "nobody answers", "wrong password", "unknown host"])
def test_a_load_balancer_is_told_and_goes_on_sending_people(kind, client, broker):
    url, server = broken(kind, broker)
    with server:
        use_broker(url)
        answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "secret" not in answer.content.decode() and "redis" not in answer.content.decode()


def test_what_waits_in_each_queue_is_counted(broker, client):
    assert queue_lengths() == {"codes": 0, "mail": 0, "slow": 0}
    for queue, count in [("codes", 3), ("slow", 1)]:
        for _ in range(count):
            app.send_task("accounts.delivery.tasks.beat", (queue,), queue=queue)
    assert queue_lengths() == {"codes": 3, "mail": 0, "slow": 1}
    assert client.get("/health/ready").json()["status"] == "ok"
