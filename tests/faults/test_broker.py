"""The broker is down: whoever asks for a code gets an answer, and the code when it is back."""

import socket
import threading
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from accounts.delivery import services
from accounts.delivery.models import Message, State
from accounts.stepup import challenges
from accounts.stepup.models import Purpose
from shop.celery import app

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
    """As in production, but for less long."""
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
