"""Two of staff confirm a recovery, each with a proof made for it; and what they must never see or do."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.delivery.models import Message
from accounts.factors.authenticator import Authenticator
from accounts.factors.base import Strength
from accounts.models import SecurityEvent, User
from accounts.security import recovery
from accounts.security.models import Confirmation, Recovery
from accounts.stepup import grants
from accounts.stepup.credentials import credentials_of
from accounts.stepup.models import Challenge, Grant, Purpose
from tests.accounts.sign_in.recovering import CONTACT, REASON, open_one
from tests.accounts.sign_in.steps import app_code
from tests.people import PASSWORD

pytestmark = pytest.mark.django_db
State = Recovery.State


@pytest.fixture
def opened(ada):
    return open_one(Client())


@pytest.fixture
def sams(sam, as_staff):
    sam.user_permissions.add(Permission.objects.get(codename="support_people"))
    return as_staff(sam)


@pytest.fixture
def ritas(rita, as_staff):
    return as_staff(rita)


def url(found, act=""):
    return f"/support/recoveries/{found.pk}/{act}"


def ask(client, found, reason=REASON):
    return client.post(url(found), {"reason": reason})


def prove(client, staff, steps=0):
    challenge = Challenge.objects.filter(purpose=Purpose.CONFIRM_RECOVERY, user=staff).latest("requested_at")
    return client.post(f"/account/challenge/{challenge.pk}/", {"code": app_code(staff, steps=steps)})


def confirm(client, staff, found, reason=REASON):
    ask(client, found, reason)
    return client.get(prove(client, staff).url, follow=True)


def count(found):
    found.refresh_from_db()
    return found.confirmations


def test_two_of_staff_confirm_it_each_with_the_app_and_a_reason(sams, ritas, sam, rita, ada, opened):
    assert "Confirmed." in confirm(sams, sam, opened).content.decode()
    assert count(opened) == 1
    confirm(ritas, rita, opened, "Called back on the number of the order of May.")
    assert count(opened) == 2
    assert set(Confirmation.objects.values_list("staff", "reason")) == {
        (sam.pk, REASON),
        (rita.pk, "Called back on the number of the order of May."),
    }
    events = SecurityEvent.objects.filter(kind=SecurityEvent.Kind.RECOVERY_CONFIRMED, user=ada).order_by("pk")
    assert [event.actor for event in events] == [sam, rita]
    grants = Grant.objects.filter(purpose=Purpose.CONFIRM_RECOVERY)
    assert {(grant.factor, grant.used_at is not None) for grant in grants} == {("authenticator", True)}


def test_the_list_and_the_page_show_masked_facts_alone(sams, ada, opened):
    listed = sams.get("/support/recoveries/").content.decode()
    page = sams.get(url(opened)).content.decode()
    assert "Ada Long" in listed and "Ada Long" in page
    assert "0 of 2" in listed
    for text in (listed, page):
        assert CONTACT not in text
        assert "ada@example.org" not in text
        assert "4915112345678" not in text
        assert "a•••@example.org" in text
    assert SecurityEvent.objects.filter(kind=SecurityEvent.Kind.SUPPORT_LOOKED_UP, user=ada).count() == 1


def test_with_nothing_open_the_list_says_so(sams):
    assert "No recovery is open" in sams.get("/support/recoveries/").content.decode()


def test_a_name_that_nobody_has_is_nothing_to_confirm(sams, ada):
    nobodys = open_one(Client(), "nobody@example.org")
    assert "No recovery is open" in sams.get("/support/recoveries/").content.decode()
    assert sams.get(url(nobodys)).status_code == 404
    assert ask(sams, nobodys).status_code == 404


def test_one_of_staff_counts_once(sams, sam, opened, time_machine):
    confirm(sams, sam, opened)
    assert "You have confirmed it" in sams.get(url(opened)).content.decode()
    ask(sams, opened, "I am as sure as before about it.")
    sams.get(url(opened, "confirm/"))
    assert count(opened) == 1


def test_the_database_lets_nobody_confirm_twice(sams, sam, opened, browser_id):
    """Even where the look before it saw nothing, as in two tabs at once."""
    for n in range(2):
        Grant.objects.create(
            challenge=Challenge.objects.create(
                user=sam, browser=browser_id, purpose=Purpose.CONFIRM_RECOVERY, context_digest=b"x" * 32,
                next_path="/", factor="authenticator", code_key="x", attempts_left=1, state="passed",
                expires_at=timezone.now(), credentials=credentials_of(sam),
            ),
            user=sam, browser=browser_id, purpose=Purpose.CONFIRM_RECOVERY,
            context_digest=recovery.confirmation_digest(opened, REASON), factor="authenticator",
            strength=Strength.AUTHENTICATOR, granted_at=timezone.now() + timedelta(seconds=n),
            expires_at=timezone.now() + timedelta(minutes=5),
        )  # fmt: skip
    recovery.confirm(opened, staff=sam, reason=REASON, browser=browser_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "check_may_confirm", lambda *args: None)
        with pytest.raises(recovery.AlreadyConfirmed):
            recovery.confirm(opened, staff=sam, reason=REASON, browser=browser_id)
    assert count(opened) == 1


def test_a_code_is_asked_for_every_time(sams, sam, opened, ben):
    confirm(sams, sam, opened)
    other = open_one(Client(), "ben@example.org", "ben.new@example.org")
    answer = ask(sams, other)
    assert answer.url.startswith("/account/challenge/")
    sams.get(url(other, "confirm/"))
    assert count(other) == 0


def test_a_proof_for_one_recovery_confirms_no_other(sams, sam, opened, ben):
    other = open_one(Client(), "ben@example.org", "ben.new@example.org")
    ask(sams, opened)
    prove(sams, sam)
    session = sams.session
    session["recovery_reason"] = {str(other.pk): REASON}
    session.save()
    sams.get(url(other, "confirm/"))
    assert count(other) == 0
    with pytest.raises(grants.NoGrant):
        recovery.confirm(other, staff=sam, reason=REASON, browser=Grant.objects.latest("granted_at").browser)


def test_a_proof_for_one_reason_stands_for_no_other(sams, sam, opened):
    ask(sams, opened)
    prove(sams, sam)
    session = sams.session
    session["recovery_reason"] = {str(opened.pk): "Something else altogether."}
    session.save()
    sams.get(url(opened, "confirm/"))
    assert count(opened) == 0


@pytest.mark.parametrize("reason", ["", "ok", "x" * 501])
def test_without_a_reason_nothing_is_asked(sams, opened, reason):
    assert ask(sams, opened, reason).status_code == 422
    assert not Challenge.objects.filter(purpose=Purpose.CONFIRM_RECOVERY).exists()


def test_staff_without_the_right_and_shoppers_find_nothing(sam, opened, as_staff, ben):
    without = as_staff(sam)
    shopper = Client()
    shopper.force_login(ben)
    for client in (without, shopper):
        assert client.get("/support/recoveries/").status_code == 404
        assert client.get(url(opened)).status_code == 404
        assert ask(client, opened).status_code == 404
        assert client.get(url(opened, "confirm/")).status_code == 404
        assert client.post(url(opened, "refuse/"), {"reason": REASON}).status_code == 404
    opened.refresh_from_db()
    assert opened.state == State.OPEN


def test_a_weak_sign_in_of_staff_is_led_to_the_app(sam, opened, as_staff):
    sam.user_permissions.add(Permission.objects.get(codename="support_people"))
    assert as_staff(sam, strength=Strength.EMAIL).get(url(opened)).url.startswith("/account/staff/")


@pytest.mark.parametrize("how", ["own account", "own mailbox"])
def test_nobody_confirms_what_is_or_would_be_theirs(sams, sam, ada, how):
    if how == "own account":
        found = open_one(Client())
        Recovery.objects.update(user=sam)
        found.refresh_from_db()
    else:
        sam.mailboxes.create(address="sams.private@example.org")
        found = open_one(Client(), contact="sams.private@example.org")
    page = sams.get(url(found)).content.decode()
    assert "Nobody confirms the recovery of their own account" in page
    assert ask(sams, found).url == url(found)
    with pytest.raises(recovery.OwnAccount):
        recovery.confirm(found, staff=sam, reason=REASON, browser="x" * 64)
    assert count(found) == 0


def test_one_who_does_not_believe_it_ends_it(sams, sam, ada, opened):
    assert sams.post(url(opened, "refuse/"), {"reason": ""}).status_code == 422
    sams.post(url(opened, "refuse/"), {"reason": "Knew neither an order nor the town."})
    opened.refresh_from_db()
    assert opened.state == State.REFUSED
    event = SecurityEvent.objects.get(kind=SecurityEvent.Kind.RECOVERY_CANCELLED)
    assert (event.user, event.actor) == (ada, sam)
    assert Message.objects.filter(kind="recovery", destination=CONTACT).exists()


@pytest.mark.parametrize("wrong", ["cancelled", "too old"])
def test_what_is_over_is_not_confirmed(sams, sam, opened, wrong):
    ask(sams, opened)
    prove(sams, sam)
    if wrong == "cancelled":
        recovery.cancel(opened)
    else:
        Recovery.objects.update(expires_at=timezone.now())
    page = sams.get(url(opened, "confirm/"), follow=True).content.decode()
    assert "This recovery is over" in page
    assert count(opened) == 0
    assert "Confirm with my app" not in page


def test_one_that_ends_in_the_last_moment_is_not_confirmed(sams, sam, opened):
    ask(sams, opened)
    prove(sams, sam)
    stale = Recovery.objects.get(pk=opened.pk)
    recovery.cancel(opened)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "check_may_confirm", lambda *args: None)
        browser = Grant.objects.get(purpose=Purpose.CONFIRM_RECOVERY).browser
        with pytest.raises(recovery.RecoveryOver):
            recovery.confirm(stale, staff=sam, reason=REASON, browser=browser)
    assert count(opened) == 0
    assert not Confirmation.objects.exists()


def test_the_page_of_a_double_tap_confirms_once(sams, sam, opened):
    ask(sams, opened)
    done = prove(sams, sam).url
    sams.get(done)
    sams.get(done)
    assert count(opened) == 1


def test_staff_who_are_recovered_that_way_are_nobody(sams):
    boss = User.objects.create_superuser(email="boss@example.org", password=PASSWORD)
    Authenticator.objects.create(user=boss)
    assert open_one(Client(), "boss@example.org").user is None
