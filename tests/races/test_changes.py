"""A change of e-mail is made once and undone once, however often it is posted at the same moment."""

from collections import Counter as Tally

import pytest
from django.utils import timezone

from accounts.delivery.models import Message
from accounts.factors.email import Mailbox
from accounts.models import EmailChange, SecurityEvent
from accounts.security import contacts
from accounts.security.contacts import EMAIL
from accounts.stepup import challenges
from tests.codes import code_of
from tests.conftest import in_threads

from .conftest import meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

NEW = "new@example.org"
Kind = SecurityEvent.Kind


@pytest.fixture
def proven(ben, asker):
    """Ben has proven that he wants the new address, and that he has it."""
    me = asker(ben)
    for begin in (contacts.begin_change, contacts.begin_proof_of_new):
        challenge = begin(asker=me, field=EMAIL, new=NEW, next_path="/")
        challenges.answer(
            challenge.pk,
            asker=asker(ben, challenge.contact),
            purpose=challenge.purpose,
            digest=bytes(challenge.context_digest),
            code=code_of(challenge),
        )
    return me


def test_twenty_posts_change_it_once(proven, ben):
    results = in_threads(20, lambda _number: contacts.change(asker=proven, field=EMAIL, new=NEW))
    assert Tally(type(result).__name__ for result in results) == {"NoneType": 1, "NoGrant": 19}
    ben.refresh_from_db()
    assert ben.email == NEW
    assert Mailbox.objects.filter(user=ben).count() == EmailChange.objects.count() == 1
    assert SecurityEvent.objects.filter(kind=Kind.EMAIL_CHANGED).count() == 1


def undo_token():
    """Out of the link that the old address gets."""
    event = SecurityEvent.objects.get(kind=Kind.EMAIL_CHANGED)
    return contacts.undo_path(event, Message.objects.get(destination="ben@example.org", kind="notice")).split("/")[-2]


def test_twenty_posts_undo_it_once(proven, ben):
    contacts.change(asker=proven, field=EMAIL, new=NEW)
    token = undo_token()
    results = in_threads(20, lambda _number: contacts.undo_email_change(token, ip=None))
    assert Tally(type(result).__name__ for result in results) == {"User": 1, "NothingToUndo": 19}
    ben.refresh_from_db()
    assert ben.email == "ben@example.org"
    assert SecurityEvent.objects.filter(kind=Kind.EMAIL_CHANGE_UNDONE).count() == 1


def test_control_undoing_it_after_looking_undoes_it_often(proven):
    contacts.change(asker=proven, field=EMAIL, new=NEW)
    together = meeting(5)

    def naive(_number):
        change = EmailChange.objects.get()
        is_open = change.undone_at is None
        together()
        if is_open:
            change.undone_at = timezone.now()
            change.save()
        return is_open

    assert sum(in_threads(5, naive)) > 1
