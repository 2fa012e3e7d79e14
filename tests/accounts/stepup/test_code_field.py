"""The one field a code is typed into, as phones, password managers and screen readers see it."""

import re

import pytest

from accounts.factors.backup_code import make_backup_codes
from tests.accounts.sign_in.steps import challenge_of, choose, type_code, type_password
from tests.codes import wrong_code_of


@pytest.fixture
def asking(client, cleo):
    """The challenge page, with a code by text."""
    type_password(client, str(cleo.phone))
    return client


def page_of(client):
    return client.get(f"/account/challenge/{challenge_of(client).pk}/").content.decode()


def field_of(page):
    found = re.findall(r'<input [^>]*name="code"[^>]*>', page)
    assert len(found) == 1
    return found[0]


def title_of(page):
    return re.search("<title>(.*?)</title>", page, re.S)[1].strip()


def test_it_is_one_field_that_phones_fill_in(asking):
    field = field_of(page_of(asking))
    for attribute in ('autocomplete="one-time-code"', 'inputmode="numeric"', 'enterkeyhint="done"', 'type="text"'):
        assert attribute in field
    assert "maxlength" not in field  # "123 456" and a whole message may be pasted
    assert "autofocus" in field and "required" in field
    assert "aria-invalid" not in field


def test_a_backup_code_is_not_asked_of_the_texts(client, ada):
    make_backup_codes(ada)
    type_password(client, "ada@example.org")
    choose(client, "backup_code")
    field = field_of(page_of(client))
    assert 'autocomplete="off"' in field and "numeric" not in field and "data-code" not in field


def test_an_error_is_in_the_title_and_described_first_at_the_field(asking):
    page = type_code(asking, wrong_code_of(challenge_of(asking))).content.decode()
    assert title_of(page).startswith("Error: Confirm it’s you")
    field = field_of(page)
    assert 'aria-invalid="true"' in field and 'aria-describedby="id_code_error id_code_helptext"' in field
    assert "autofocus" in field and "value=" not in field
    assert re.search(r'id="id_code_error"[^>]*>\s*<li>That is not the code', page)
    assert 'id="id_code_helptext"' in page


def test_a_page_without_an_error_says_none(asking):
    assert title_of(page_of(asking)).startswith("Confirm it’s you")


def test_the_title_tells_that_a_code_is_over(asking):
    for number in range(1, 6):
        page = type_code(asking, wrong_code_of(challenge_of(asking), number)).content.decode()
    assert title_of(page).startswith("This code is over")


def test_the_countdown_is_no_live_region_before_its_end(asking):
    countdown = re.search(r"<p class=\"countdown[^>]*>", page_of(asking))[0]
    assert "aria-live" not in countdown and "role" not in countdown
    assert "data-countdown-over=" in countdown
