"""Several ways on one account: two authenticators, one of them renamed, and a text that is asked for first."""

import re

from playwright.sync_api import Locator, expect

from tests.browser.stack import App, Inbox
from tests.browser.visitor import Visitor, new_phone


def line(visitor: Visitor, words: str) -> Locator:
    return visitor.page.get_by_role("main").get_by_role("listitem").filter(has_text=words).first


def add_second_app(visitor: Visitor, name: str) -> App:
    visitor.link("Add another authenticator app").click()
    visitor.title("Set up an authenticator app")
    app = App(visitor.page.locator("#typed-key").inner_text())
    visitor.fill(name=name, code=app.code())  # with JavaScript the sixth digit sends it
    if not visitor.js:
        visitor.button("Confirm").click()
    visitor.title("One more way to prove it is you")
    visitor.link("Go on").click()
    visitor.title("Account security")
    return app


def sign_in_as_far_as_the_code(visitor: Visitor, name: str) -> None:
    visitor.sign_out()
    visitor.type_password(name)
    visitor.title("Confirm it’s you")


def test_the_second_of_two_apps_a_new_name_and_a_text_first(visitor: Visitor, inbox: Inbox) -> None:
    tess = new_phone()
    visitor.sign_up(tess, "Tess Twice")
    visitor.go("/account/security/")
    visitor.sees("Basic")
    visitor.link("Set up an authenticator app").click()
    visitor.confirm_app()
    if visitor.js:
        with visitor.page.expect_download() as saved:
            visitor.button("Save as a file").click()
        assert saved.value.suggested_filename == "backup-codes.txt"
        said = saved.value.path().read_text()
        assert f"{tess[:3]} {tess[3:7]} {tess[7:]} for Countersign" in said
        assert len(re.findall(r"\b[0-9A-Z]{5}-[0-9A-Z]{5}\b", said)) == 10
    else:
        visitor.sees("Print them, or write them down")
    visitor.link("I have kept them, go on").click()
    visitor.sees("Good")
    tablet = add_second_app(visitor, "tablet")

    sign_in_as_far_as_the_code(visitor, tess)
    visitor.sees("Open your authenticator app")
    visitor.type_code(tablet.code())
    visitor.title("Well-made things, safely bought.")
    visitor.go("/account/security/")
    expect(line(visitor, "Authenticator app: tablet")).to_contain_text("Last used")

    line(visitor, "Authenticator app: tablet").get_by_role("link", name="Rename").click()
    visitor.title("Rename “tablet”")
    visitor.fill(name="kitchen tablet")
    visitor.button("Save").click()
    visitor.is_told("has a new name")
    sign_in_as_far_as_the_code(visitor, tess)
    visitor.type_code(tablet.code())
    visitor.title("Well-made things, safely bought.")

    visitor.go("/account/security/")
    expect(line(visitor, "Authenticator app: kitchen tablet")).to_contain_text("asked for first")
    line(visitor, "+49").get_by_role("button", name="Text me first").click()
    visitor.is_told("We ask for this first from now on")
    expect(line(visitor, "+49")).to_contain_text("texted first")
    sign_in_as_far_as_the_code(visitor, tess)
    visitor.sees("We texted a code to")
    expect(visitor.button("Use the code in your authenticator app")).to_be_visible()
    visitor.type_code(inbox.code(tess, "sign in"))
    visitor.title("Well-made things, safely bought.")
