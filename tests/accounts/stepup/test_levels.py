"""Rule 8: the session key changes at every gain of level, and a level carries the time it was reached."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from accounts.factors.base import Strength
from accounts.stepup import levels
from accounts.stepup.browser import browser_of
from accounts.stepup.models import Purpose

NOW = timezone.now()
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def visit(rf):
    def visit(user):
        request = rf.get("/")
        request.user, request.session = user, SessionStore()
        request.session.create()
        return request

    return visit


def raised(request, strength=Strength.AUTHENTICATOR, factor="authenticator", ago=timedelta()):
    levels.raise_level(request, strength=strength, factor=factor, at=timezone.now() - ago)
    return request


def test_the_session_key_changes(visit, ada):
    request = visit(ada)
    before = request.session.session_key
    raised(request)
    assert request.session.session_key != before
    assert not SessionStore().exists(before)


def test_a_level_knows_its_time(visit, ada):
    request = visit(ada)
    levels.raise_level(request, strength=Strength.TEXT, factor="text", at=NOW)
    assert levels.level_of(request) == levels.Level(Strength.TEXT, "text", NOW)


def test_nobody_has_no_level(visit, ada):
    request = raised(visit(ada))
    request.user = AnonymousUser()
    assert levels.level_of(request) is None


@pytest.mark.parametrize(
    ("strength", "ago", "enough"),
    [
        (Strength.AUTHENTICATOR, 0 * MINUTE, True),
        (Strength.TEXT, 9 * MINUTE, True),
        (Strength.TEXT, 10 * MINUTE, False),
        (Strength.EMAIL, 0 * MINUTE, False),  # Ada has stronger ones
    ],
)
def test_a_recent_proof_serves_where_the_policy_lets_it(visit, ada, strength, ago, enough):
    request = raised(visit(ada), strength, "text", ago)
    assert levels.has_recent_proof(request, Purpose.MANAGE_FACTORS) is enough


def test_no_proof_is_recent_enough_to_pay(visit, ada):
    assert not levels.has_recent_proof(raised(visit(ada)), Purpose.PAY)


@pytest.mark.parametrize(
    ("strength", "ago", "enough"),
    [
        (Strength.AUTHENTICATOR, 0 * HOUR, True),
        (Strength.AUTHENTICATOR, 11 * HOUR, True),
        (Strength.AUTHENTICATOR, 12 * HOUR, False),
        (Strength.TEXT, 0 * HOUR, False),
    ],
)
def test_staff_prove_it_with_an_authenticator_each_half_day(visit, sam, strength, ago, enough):
    factor = "authenticator" if strength == Strength.AUTHENTICATOR else "email"
    assert levels.has_staff_level(raised(visit(sam), strength, factor, ago)) is enough


def test_shoppers_and_former_staff_have_no_staff_level(visit, ada, sam):
    assert not levels.has_staff_level(raised(visit(ada)))
    request = raised(visit(sam))
    sam.is_active = False
    assert not levels.has_staff_level(request)
    sam.is_active, sam.is_staff = True, False
    assert not levels.has_staff_level(request)


def test_a_browser_stays_itself_when_the_session_key_changes(visit, ada):
    request = visit(ada)
    browser = browser_of(request)
    raised(request)
    assert browser_of(request) == browser
    assert browser_of(visit(ada)) != browser
    assert request.session["browser"] not in browser and len(browser) == 64
