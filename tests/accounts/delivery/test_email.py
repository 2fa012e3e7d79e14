"""Mail through Django's SMTP backend, to a server that speaks SMTP."""

import socket
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.delivery.models import State
from accounts.delivery.services import hand_over
from tests.codes import code_of
from tests.servers.smtp import Accept, CutAfter, Hang, Refuse

from .conftest import challenge_of, fresh


def test_a_mail_leaves_with_its_code_and_an_id_of_ours(ben, queued, deliver, smtp):
    message = queued(ben, "email")
    deliver()
    [mail] = smtp.wait_for(1)
    message = fresh(message)
    assert (mail.recipients, mail.sender) == (("ben@example.org",), "shop@localhost")
    assert code_of(challenge_of(message)) in mail.text
    assert code_of(challenge_of(message)) not in mail.subject  # subjects show on locked screens and in lists
    assert mail.message["Message-ID"] == message.provider_id == f"<{message.pk}@localhost>"
    assert mail.message.get_body(("html",)) is not None
    assert (message.state, message.provider) == (State.HANDED_OVER, "email")
    assert challenge_of(message).expires_at == message.handed_over_at + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("behaviour", "state", "reason", "code"),
    [
        (Accept(), "handed_over", "", ""),
        (Refuse(550, "5.1.1 No such mailbox"), "failed", "bad_mailbox", "550"),
        (Refuse(552, "5.2.2 Mailbox full"), "failed", "bad_mailbox", "552"),
        (Refuse(554, "5.7.1 Rejected", at="DATA"), "failed", "provider", "554"),
        (Refuse(450, "4.2.0 Greylisted"), "queued", "", ""),
        (Refuse(451, "4.3.0 Try again later", at="DATA"), "queued", "", ""),
        (Refuse(421, "4.3.2 Going down"), "queued", "", ""),
        (Hang(5), "unknown", "", ""),
        (CutAfter(), "unknown", "", ""),
    ],
)
def test_what_the_server_answers_decides_what_happens(
    ben, queued, deliver, smtp, settings, behaviour, state, reason, code
):
    settings.PROVIDER_TIMEOUT = 0.3
    smtp.answer_next(behaviour)
    message = queued(ben, "email")
    deliver()
    message = fresh(message)
    assert (message.state, message.reason, message.provider_code) == (state, reason, code)
    kept = len(smtp.messages)
    hand_over(message.pk, timezone.now() + timedelta(minutes=1))
    assert len(smtp.messages) == kept + (state == "queued")
    assert fresh(message).state == ("handed_over" if state == "queued" else state)


def test_a_server_that_is_not_there_is_tried_again(ben, queued, deliver, smtp, settings):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings.EMAIL_PORT = probe.getsockname()[1]
        message = queued(ben, "email")
        deliver()
    assert fresh(message).state == State.QUEUED and not smtp.messages


def test_a_server_that_never_greets_is_tried_again(ben, queued, deliver, smtp, settings):
    settings.PROVIDER_TIMEOUT = 0.3
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        settings.EMAIL_PORT = deaf.getsockname()[1]
        message = queued(ben, "email")
        deliver()
    assert fresh(message).state == State.QUEUED


def test_no_log_holds_the_code_or_the_address(ben, queued, deliver, smtp, caplog):
    with caplog.at_level("DEBUG"):
        smtp.answer_next(Refuse(450, "4.2.0 Greylisted ben@example.org"))
        message = queued(ben, "email")
        deliver()
        hand_over(message.pk, timezone.now() + timedelta(minutes=1))
    assert len(smtp.messages) == 1
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name != "mail.log")  # the server's own
    assert code_of(challenge_of(message)) not in ours and "ben@example.org" not in ours
