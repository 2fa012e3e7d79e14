"""One recovery is opened, told, cancelled or finished once, however many try at the same moment."""

from collections import Counter as Tally

import pytest
from django.utils import timezone

from accounts.delivery.models import Message
from accounts.security import recovery
from accounts.security.models import Recovery
from accounts.stepup import challenges
from tests.accounts.sign_in.recovering import CONTACT, NEW, confirmed_by, is_due
from tests.codes import code_of
from tests.conftest import in_threads

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
State = Recovery.State


def proven(asker, contact, browser, begin, **how):
    """A passed challenge of this contact, in a browser of its own."""
    who = asker(contact=contact, browser=browser)
    challenge = begin(asker=who, next_path="/", **how)
    challenges.answer(
        challenge.pk,
        asker=who,
        purpose=challenge.purpose,
        digest=bytes(challenge.context_digest),
        code=code_of(challenge),
    )
    return challenge


@pytest.fixture
def ready(ada, asker, sam, rita):
    begun = proven(asker, CONTACT, "o" * 64, recovery.begin_opening, name="ada@example.org")
    found = recovery.open_recovery(begun=begun, browser="o" * 64, ip=None)
    recovery.advance()
    confirmed_by(found, sam, rita)
    is_due(found)
    return found


def test_of_ten_openings_for_one_account_one_is_its(ada, asker, monkeypatch):
    monkeypatch.setattr(recovery, "OPENINGS_A_NAME", (20, recovery.OPENINGS_A_NAME[1]))
    begun = [
        proven(asker, f"{n}@example.org", str(n) * 64, recovery.begin_opening, name="ada@example.org")
        for n in range(10)
    ]
    results = in_threads(10, lambda n: recovery.open_recovery(begun=begun[n], browser=str(n) * 64, ip=None).user_id)
    assert Tally(results) == {ada.pk: 1, None: 9}


def test_eight_finish_it_once(ada, asker, ready):
    for n in range(8):
        proven(asker, CONTACT, str(n) * 64, recovery.begin_finishing)
    results = in_threads(
        8,
        lambda n: recovery.finish(contact=CONTACT, password=f"{NEW} {n}", browser=str(n) * 64, ip=None),
    )
    assert Tally(type(result).__name__ for result in results) == {"User": 1, "NotReady": 7}
    ada.refresh_from_db()
    winner = next(n for n, result in enumerate(results) if type(result).__name__ == "User")
    assert ada.check_password(f"{NEW} {winner}")


def test_it_is_cancelled_or_finished_and_never_both(ada, asker, ready):
    for n in range(4):
        proven(asker, CONTACT, str(n) * 64, recovery.begin_finishing)

    def work(n):
        if n < 4:
            return recovery.finish(contact=CONTACT, password=NEW, browser=str(n) * 64, ip=None)
        return recovery.cancel(Recovery.objects.select_related("user").get(pk=ready.pk))

    results = in_threads(8, work)
    finished = sum(type(result).__name__ == "User" for result in results)
    cancelled = sum(result is True for result in results)
    assert finished + cancelled == 1
    ready.refresh_from_db()
    ada.refresh_from_db()
    assert ready.state == (State.DONE if finished else State.CANCELLED)
    assert ada.check_password(NEW) == bool(finished)


def test_ten_workers_tell_of_it_once(ada, asker, sam, rita):
    begun = proven(asker, CONTACT, "o" * 64, recovery.begin_opening, name="ada@example.org")
    found = recovery.open_recovery(begun=begun, browser="o" * 64, ip=None)
    assert in_threads(10, lambda n: recovery.advance()) == [None] * 10
    assert Message.objects.filter(kind=Message.Kind.NOTICE).count() == 2
    confirmed_by(found, sam, rita)
    is_due(found, timezone.now())
    assert in_threads(10, lambda n: recovery.advance()) == [None] * 10
    assert Message.objects.filter(kind=Message.Kind.RECOVERY).count() == 1
