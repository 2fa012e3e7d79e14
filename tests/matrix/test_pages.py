"""Every URL, every kind of person, every strength and age of a session's proof: through, or led to a proof, as stated.

What is stated: who, in shop/access.py; how strongly, in POLICY. New pages join by themselves.
"""

import re
import uuid
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.factors.base import Strength
from accounts.factors.registry import all_factors
from accounts.models import SecurityEvent, User
from accounts.stepup.models import Challenge, Purpose
from accounts.stepup.policy import POLICY, STAFF_LEVEL_LIFE
from shop.access import ACCESS, Who, row_of, views

from .people import EVERYTHING, FACTORS, STRENGTH, Someone, owning

pytestmark = pytest.mark.django_db

ARGUMENTS = {"int": 1, "uuid": uuid.UUID(int=1), "str": "ABCDEFGH", "slug": "teapot", "path": "1"}
METHODS = ["get", "post"]
JSON = {"Accept": "application/json", "X-Requested-With": "XMLHttpRequest"}
HTMX = {"HX-Request": "true"}

# Pages that ask by themselves, and before anything else, as @step_up does.
ASKS_FIRST = {"security:authenticator", "security:add_passkey"}


def urls_of(who: Who) -> dict[str, str]:
    """A path for each URL that is stated to be for them, by its name."""
    found = {}
    for name, route, _view in views():
        if ACCESS[row_of(name)].who != who or "<" in name:
            continue
        arguments = ["product"] if "app_label" in route else [ARGUMENTS[kind] for kind in re.findall(r"<(\w+):", route)]
        if "(?P<url>" not in route:
            found[name] = reverse(name, args=arguments)
    return found


PERSONAL, FOR_STAFF = urls_of(Who.PERSON), urls_of(Who.STAFF)
PROVEN = {
    name: path
    for name, path in PERSONAL.items()
    if ACCESS[name].purpose and (not ACCESS[name].by_view or name in ASKS_FIRST)
}


def browser_with(user, strength: Strength | None, ago: timedelta = timedelta(minutes=1)) -> Client:
    """A browser in which this person signed in with a proof of this strength, so long ago."""
    client = Client()
    client.force_login(user)
    session = client.session
    if strength is not None:
        factor = next(code for code in FACTORS if STRENGTH[code] == strength)
        session["level"] = {"strength": int(strength), "factor": factor, "at": (timezone.now() - ago).isoformat()}
        if user.is_staff and strength >= Strength.AUTHENTICATOR and user.authenticators.exists():
            session["otp_device_id"] = user.authenticators.get().persistent_id
    session.save()
    return client


def ask(client: Client, method: str, path: str, **more):
    """What the page answers; what it changed is taken back."""
    with transaction.atomic():
        answer = getattr(client, method)(path, **more)
        answer.begun = Challenge.objects.order_by("-requested_at").first()
        transaction.set_rollback(True)
    return answer


STRENGTHS = [None, *sorted({*STRENGTH.values()})]


@pytest.mark.parametrize(
    "someone",
    [
        Someone(owning("email")),
        Someone(owning("email", "text")),
        Someone(EVERYTHING),
        Someone(frozenset()),
        Someone(owning("email"), staff=True),
        Someone(EVERYTHING, staff=True),
    ],
    ids=str,
)
class TestAPageWithAPurpose:
    @pytest.mark.parametrize("name", PROVEN)
    def test_opens_to_what_the_table_finds_enough_and_else_asks_for_it(self, someone, name):
        user, path, purpose = someone.come(), PROVEN[name], ACCESS[name].purpose
        rule, least, allowed = POLICY[purpose, someone.kind], someone.needs(purpose), someone.may_use(purpose)
        reached = set()
        moment = timedelta(minutes=1)
        for strength in STRENGTHS:
            for ago in [moment, rule.recent - moment, rule.recent + moment] if strength and rule.recent else [moment]:
                enough = bool(rule.recent and strength is not None and strength >= least and ago < rule.recent)
                client = browser_with(user, strength, ago)
                for method in METHODS:
                    answer = ask(client, method, path)
                    case = f"{method} {path} with {strength} of {ago}: {answer.status_code}"
                    if answer.status_code == 405:
                        continue
                    reached.add(method)
                    if enough:
                        assert not answer.get("Location", "").startswith("/account/challenge/"), case
                        assert not answer.get("Location", "").startswith("/account/sign-in/"), case
                    elif allowed:
                        assert answer.status_code == 302, case
                        assert answer.url == f"/account/challenge/{answer.begun.pk}/", case
                        assert (answer.begun.purpose, answer.begun.user) == (purpose, user), case
                        assert answer.begun.factor in allowed, case
                    else:
                        assert (answer.status_code, answer.get("Location")) == (302, "/account/security/"), case
                    if not enough:
                        assert answer.content == b"", case
        assert reached, f"{path} answers neither GET nor POST"


ASKING = {name: path for name, path in PERSONAL.items() if ACCESS[name].by_view}
SOMETHING_NEW = {
    "email": "new@example.org", "phone": "+4915112349999", "contact": "new@example.org", "code": "123456",
    "password": "quite another one", "name": "new", "device": "1", "confirm": "on",
}  # fmt: skip


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("name", ASKING)
def test_a_page_that_asks_by_itself_changes_nothing_unasked(name, strength):
    user = Someone(EVERYTHING).come()
    client = browser_with(user, strength, timedelta(hours=1))

    def account():
        kept = [User.objects.filter(pk=user.pk).values().get()]
        for factor in all_factors():
            kept += factor.model.objects.filter(user=user, confirmed=True).order_by("pk").values()
        return kept

    before = account()
    for method in METHODS:
        answer = getattr(client, method)(ASKING[name], SOMETHING_NEW)
        assert answer.status_code < 500
    assert account() == before
    assert not SecurityEvent.objects.filter(user=user).exclude(kind__in=["code_sent", "proof_failed"]).exists()


@pytest.mark.parametrize("headers", [{}, JSON, HTMX], ids=["page", "json", "htmx"])
def test_a_stranger_gets_the_sign_in_or_nothing(client, headers):
    for path in (PERSONAL | FOR_STAFF).values():
        for method in METHODS:
            answer = getattr(client, method)(path, headers=headers)
            assert answer.status_code in (302, 401, 403, 404, 405), f"{method} {path}: {answer.status_code}"
            if answer.status_code == 302:
                assert answer.url in [f"{door}?next={quote(path)}" for door in ("/admin/login/", "/account/sign-in/")]
                assert answer.content == b""
    assert "_auth_user_id" not in client.session
    assert not Challenge.objects.exists()


class TestPagesForStaff:
    def test_do_not_open_to_a_shopper_however_proven(self):
        client = browser_with(Someone(EVERYTHING).come(), max(STRENGTH.values()))
        for name, path in FOR_STAFF.items():
            for method in METHODS:
                self._is_refused(name, ask(client, method, path), may_know=False)

    @pytest.mark.parametrize(
        ("strength", "ago"),
        [
            (None, timedelta(0)),
            (Strength.EMAIL, timedelta(0)),
            (Strength.TEXT, timedelta(0)),
            (Strength.AUTHENTICATOR, STAFF_LEVEL_LIFE + timedelta(minutes=1)),
        ],
        ids=str,
    )
    def test_lead_staff_to_a_stronger_or_younger_proof(self, strength, ago):
        client = browser_with(Someone(EVERYTHING, staff=True).come(), strength, ago)
        for name, path in FOR_STAFF.items():
            for method in METHODS:
                self._is_refused(name, ask(client, method, path), may_know=True)

    def test_do_not_open_to_staff_whose_authenticator_is_gone(self):
        user = Someone(EVERYTHING, staff=True).come()
        client = browser_with(user, Strength.AUTHENTICATOR)
        user.authenticators.all().delete()
        for name, path in FOR_STAFF.items():
            self._is_refused(name, ask(client, "get", path), may_know=True)

    def test_open_to_staff_with_a_young_authenticator(self):
        client = browser_with(Someone(EVERYTHING, staff=True).come(), Strength.AUTHENTICATOR)
        for name, path in FOR_STAFF.items():
            answer = ask(client, "get", path)
            assert "/staff/" not in answer.get("Location", ""), name
            assert "/login/" not in answer.get("Location", ""), name

    def _is_refused(self, name, answer, *, may_know):
        where = answer.get("Location", "")
        if answer.status_code == 302:
            assert where.startswith(("/account/staff/", "/admin/login/")) or where == "/admin/", (name, where)
            assert may_know or name.startswith("admin:"), (name, where)
        else:
            assert answer.status_code in (404, 405), (name, answer.status_code)


@pytest.mark.parametrize("purpose", [Purpose.SIGN_IN, Purpose.PAY, Purpose.MANAGE_FACTORS])
def test_a_challenge_is_there_for_its_own_browser_only(client, ben, purpose):
    challenge = Challenge.objects.create(
        user=ben, browser="f" * 64, purpose=purpose, context_digest=bytes(32), next_path="/", factor="email",
        device_id=ben.mailboxes.get().persistent_id, attempts_left=5, expires_at=timezone.now() + timedelta(minutes=9),
    )  # fmt: skip
    before = Challenge.objects.values().get()
    paths = [
        reverse(name, args=[challenge.pk]) for name, route, _view in views()
        if name.startswith("stepup:") and "challenge_id" in route
    ]  # fmt: skip
    assert len(paths) >= 4
    for browser in (client, browser_with(ben, Strength.EMAIL), browser_with(Someone(EVERYTHING).come(), None)):
        for path in paths:
            for method in METHODS:
                answer = getattr(browser, method)(path, {"code": "123456"})
                assert answer.status_code in (404, 405), path
    assert Challenge.objects.values().get() == before
