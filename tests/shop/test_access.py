"""Every URL states who may open it; `manage.py check` refuses one that doesn't, or that does otherwise."""

import pytest
from django.contrib.auth.decorators import login_not_required
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.http import HttpResponse
from django.urls import include, path

from accounts.stepup.decorators import staff_only, step_up
from accounts.stepup.models import Purpose
from shop import access
from shop.access import ANYBODY, BROWSER, PERSON, STAFF, every_view_states_its_access
from shop.urls import urlpatterns as shop_urls

urlpatterns: list = []


def page(request, **kwargs):
    return HttpResponse()


@pytest.fixture
def shop_with(settings):
    """`shop_with(view)`: the shop with one more page, named new:page; what the check says of it."""

    def check(view=None, row=None, name="page"):
        more = [path("new/<int:pk>/", view, name=name)] if view else []
        urlpatterns[:] = [*shop_urls, path("", include((more, "new"), namespace="new"))]
        settings.ROOT_URLCONF = __name__
        if row:
            settings_rows["new:page"] = row
        return [f"{found.msg} {found.hint}" for found in every_view_states_its_access()]

    settings_rows = access.ACCESS
    kept = dict(settings_rows)
    yield check
    settings_rows.clear()
    settings_rows.update(kept)


@pytest.mark.parametrize("demo", [False, True])
def test_every_page_of_the_shop_states_it(settings, demo):
    if demo:
        settings.DEMO, settings.ROOT_URLCONF = True, "tests.shop.demo.urls"
    assert every_view_states_its_access() == []


def test_the_build_fails_at_a_page_that_does_not(shop_with, settings):
    shop_with(page)
    with pytest.raises(SystemCheckError, match="not stated who may open new:page"):
        call_command("check")


@pytest.mark.parametrize(
    ("view", "line"),
    [
        (page, '"new:page": PERSON,'),
        (login_not_required(lambda request, pk: page(request)), '"new:page": ANYBODY,'),
        (staff_only(page), '"new:page": STAFF,'),
        (step_up(Purpose.MANAGE_FACTORS)(page), '"new:page": PERSON.with_proof(Purpose.MANAGE_FACTORS),'),
    ],
)
def test_it_says_which_line_to_add(shop_with, view, line):
    (said,) = shop_with(view)
    assert "It is not stated who may open new:page (“new/<int:pk>/”). Add a line to ACCESS in shop/access.py" in said
    assert line in said


def test_a_page_without_a_name_needs_a_row_too(shop_with):
    assert "who may open new:new/<int:pk>/" in shop_with(page, name=None)[0]


def test_a_row_without_a_page_is_refused(shop_with):
    assert shop_with(row=PERSON) == ["ACCESS in shop/access.py has a row for new:page, but there is no such URL. None"]


@pytest.mark.parametrize(
    ("view", "row", "wrong"),
    [
        (page, ANYBODY, "it needs a sign-in"),
        (page, BROWSER, "it needs a sign-in"),
        (login_not_required(lambda request, pk: page(request)), PERSON, "it needs no sign-in"),
        (login_not_required(staff_only(page)), STAFF, "it needs no sign-in"),
        (page, STAFF, "others than staff get in"),
        (page, PERSON.with_proof(Purpose.MANAGE_FACTORS), "asks for a proof to “None”, and the table says “manage_fac"),
        (step_up(Purpose.MANAGE_FACTORS)(page), PERSON, "asks for a proof to “manage_factors”, and the table says “No"),
        (step_up(Purpose.CHANGE_EMAIL)(page), PERSON.with_proof(Purpose.CHANGE_PHONE), "proof to “change_email”"),
        (step_up(Purpose.SIGN_UP)(page), PERSON.with_proof(Purpose.SIGN_UP), "no rule says what is enough for shopper"),
    ],
)
def test_a_row_that_the_page_does_not_keep_is_refused(shop_with, view, row, wrong):
    assert wrong in shop_with(view, row)[0]


@pytest.mark.parametrize(
    ("view", "row"),
    [
        (page, PERSON),
        (login_not_required(lambda request, pk: page(request)), BROWSER.asks_for(Purpose.PAY)),
        (page, PERSON.asks_for(Purpose.MANAGE_FACTORS)),
        (step_up(Purpose.MANAGE_FACTORS)(page), PERSON.with_proof(Purpose.MANAGE_FACTORS)),
        (staff_only(page), STAFF),
    ],
)
def test_a_row_that_the_page_keeps_is_fine(shop_with, view, row):
    assert shop_with(view, row) == []
