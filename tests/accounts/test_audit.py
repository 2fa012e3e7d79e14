import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts import audit
from accounts.models import EventSeal, SecurityEvent
from accounts.tasks import seal_events

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain(ada):
    """Nine events of Ada's, sealed in three goes."""
    for number in range(9):
        audit.record(audit.Kind.PROOF_PASSED, user=ada, purpose="pay", number=number)
        if number % 3 == 2:
            seal_events()
    return list(SecurityEvent.objects.order_by("pk"))


def tamper(statement: str, *values: object) -> None:
    """As somebody with the rights of the database's owner."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else this transaction may not alter the table
        cursor.execute("ALTER TABLE accounts_securityevent DISABLE TRIGGER accounts_securityevent_append_only")
        cursor.execute(statement, values)
        cursor.execute("ALTER TABLE accounts_securityevent ENABLE TRIGGER accounts_securityevent_append_only")


def test_a_whole_chain_holds(chain):
    assert EventSeal.objects.count() == 9
    assert list(audit.breaks()) == []
    out = io.StringIO()
    call_command("verify_audit", stdout=out)
    assert "the chain holds" in out.getvalue() and EventSeal.objects.order_by("-position")[0].digest in out.getvalue()


def test_sealing_twice_seals_once(chain):
    assert audit.seal_new() == 0
    assert EventSeal.objects.count() == 9


def test_nothing_sealed_is_no_break():
    out = io.StringIO()
    call_command("verify_audit", stdout=out)
    assert out.getvalue().strip() == "Nothing sealed yet."


def test_sealing_goes_in_steps(ada):
    for _ in range(5):
        audit.record(audit.Kind.SIGNED_IN, user=ada)
    assert [audit.seal_new(limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert list(audit.breaks()) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kind", "signed_out"),
        ("at", timezone.now() - timedelta(days=1)),
        ("contact", "mallory@example.net"),
        ("ip", "203.0.113.9"),
        ("detail", '{"number": 4, "purpose": "sign_in"}'),
        ("user_id", None),
        ("actor_id", "user"),
    ],
)
def test_an_edited_event_is_found(chain, ada, column, value):
    event = chain[4]
    tamper(
        f"UPDATE accounts_securityevent SET {column} = %s WHERE id = %s", ada.pk if value == "user" else value, event.pk
    )
    [found] = audit.breaks()
    assert f"event {event.pk} or a seal before it was edited" in found
    with pytest.raises(CommandError, match="broken in 1 place"):
        call_command("verify_audit", stderr=io.StringIO())


@pytest.mark.parametrize("number", [0, 4, 8])
def test_a_deleted_event_is_found(chain, number):
    tamper("DELETE FROM accounts_securityevent WHERE id = %s", chain[number].pk)
    [found] = audit.breaks()
    assert f"event {chain[number].pk} is missing" in found


def test_an_event_deleted_with_its_seal_is_found(chain):
    tamper("DELETE FROM accounts_securityevent WHERE id = %s", chain[4].pk)
    EventSeal.objects.filter(event_id=chain[4].pk).delete()
    [found] = audit.breaks()
    assert f"event {chain[5].pk} or a seal before it was edited" in found


def test_an_event_edited_with_its_seal_is_found(chain):
    """Whoever forges one seal has to forge all that follow; the head, kept elsewhere, then shows it."""
    tamper("UPDATE accounts_securityevent SET kind = 'signed_out' WHERE id = %s", chain[4].pk)
    seal, before = EventSeal.objects.get(event_id=chain[4].pk), EventSeal.objects.get(event_id=chain[3].pk)
    seal.digest = audit._link(before.digest, SecurityEvent.objects.get(pk=chain[4].pk))
    seal.save()
    [found] = audit.breaks()
    assert f"event {chain[5].pk}" in found


def test_events_in_another_order_are_found(chain):
    first, second = EventSeal.objects.order_by("position")[:2]
    one, two = first.event_id, second.event_id
    EventSeal.objects.filter(pk=first.pk).update(event_id=0)
    EventSeal.objects.filter(pk=second.pk).update(event_id=one)
    EventSeal.objects.filter(pk=first.pk).update(event_id=two)
    assert len(list(audit.breaks())) == 2


def test_an_event_that_commits_late_joins_later(ada):
    """The ids of two transactions say nothing about which of them commits first."""
    late = audit.record(audit.Kind.SIGNED_IN, user=ada)
    audit.record(audit.Kind.SIGNED_OUT, user=ada)
    audit.seal_new()
    EventSeal.objects.all().delete()
    EventSeal.objects.create(event_id=late.pk + 1, digest=audit._link("", SecurityEvent.objects.get(pk=late.pk + 1)))
    assert audit.seal_new() == 1
    assert list(audit.breaks()) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda events: events.update(kind="signed_out"),
        lambda events: events.delete(),
        lambda events: events[0].save(),
    ],
)
def test_the_database_refuses_to_change_an_event(ada, change):
    audit.record(audit.Kind.SIGNED_IN, user=ada)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        change(SecurityEvent.objects.all())
    assert SecurityEvent.objects.get().kind == "signed_in"


def test_an_event_knows_where_the_request_came_from(rf, ada):
    event = audit.record(audit.Kind.SIGNED_IN, user=ada, request=rf.get("/", REMOTE_ADDR="203.0.113.9"))
    assert SecurityEvent.objects.get(pk=event.pk).ip == "203.0.113.9"
