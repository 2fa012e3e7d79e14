"""E-mail, phone and password are changed with a proof: by mail, by text, from an authenticator app; and undone."""

import re
from collections.abc import Callable

from tests.browser.stack import App, Inbox
from tests.browser.visitor import PASSWORD, Visitor, new_email, new_phone

NEW_PASSWORD = "plenty of sun tomorrow"


def change_contact(visitor: Visitor, link: str, new: str, code: Callable[[], str]) -> None:
    """From the security page to the button; `code` is the person's own proof."""
    visitor.go("/account/security/")
    visitor.link(link).click()
    visitor.fill(new=new)
    visitor.button("Continue").click()
    visitor.title("Confirm it’s you")
    visitor.type_code(code())
    visitor.sees("One more step to confirm a new e-mail or phone.")
    visitor.type_code(visitor.inbox.code(new, "confirm a new e-mail or phone"))
    visitor.title(re.compile("^Your new (e-mail|phone)$"))
    visitor.sees(new)
    visitor.button(re.compile("^Use this (e-mail|phone)$")).click()
    visitor.is_told(re.compile("is changed"))
    visitor.title("Account security")


def change_password(visitor: Visitor, code: Callable[[], str]) -> None:
    visitor.go("/account/security/")
    visitor.link("Choose a new one").click()
    visitor.title("Confirm it’s you")
    visitor.type_code(code())
    visitor.title("Change your password")
    visitor.fill(password=NEW_PASSWORD)
    visitor.button("Change my password").click()
    visitor.is_told("Your password is changed. Everybody else is signed out.")
    visitor.title("Account security")  # still signed in


def test_with_codes_by_mail_and_text(visitor: Visitor, inbox: Inbox) -> None:
    old, new, phone = new_email("olga"), new_email("olga"), new_phone()
    visitor.go("/")
    visitor.sign_up(old, "Olga Alt")
    change_contact(visitor, "Change your e-mail", new, lambda: inbox.code(old, "change your e-mail"))
    assert "put this e-mail address back" in inbox.message(old, "e-mail changed").lower()
    change_contact(visitor, "Add your phone", phone, lambda: inbox.code(new, "change your phone number"))
    visitor.sees(f"+49 ••• ••{phone[-2:]}")
    change_password(visitor, lambda: inbox.code(phone, "change your password"))
    visitor.sign_out()
    visitor.type_password(old, NEW_PASSWORD)
    visitor.sees("don’t go together")
    visitor.type_password(phone, NEW_PASSWORD)
    visitor.type_code(inbox.code(phone, "sign in"))
    visitor.title("Well-made things, safely bought.")
    visitor.go("/account/security/")
    visitor.title("Account security")


def test_with_an_authenticator_and_undone_by_the_owner_of_the_old_address(
    visitor: Visitor, another: Callable[[], Visitor], inbox: Inbox
) -> None:
    old, new, phone = new_email("paul"), new_email("thief"), new_phone()
    visitor.go("/")
    visitor.sign_up(old, "Paul Prüfer")
    app: App = visitor.enrol()[0]
    visitor.link("I have kept them, go on").click()
    change_contact(visitor, "Add your phone", phone, app.code)
    change_contact(visitor, "Change your e-mail", new, app.code)

    link = re.search(r"/account/security/email/undo/\S+", inbox.message(old, "e-mail changed"))
    assert link is not None
    owner = another()
    owner.go(link[0])
    owner.title("Put your old e-mail back")
    owner.button("Put it back").click()
    owner.is_told("Your old e-mail is back, and everybody is signed out.")
    owner.title("Choose a new password")
    owner.go(link[0])
    owner.title("This link is over")

    visitor.go("/account/security/")
    visitor.title("Sign in")
    visitor.type_password(old, PASSWORD)
    visitor.sees("don’t go together")
    owner.link("Choose a new password").click()
    owner.fill(contact=old)
    owner.button("Send me a code").click()
    owner.type_code(inbox.code(old, "choose a new password"))
    owner.fill(password=NEW_PASSWORD)
    owner.button("Change my password").click()
    owner.type_password(old, NEW_PASSWORD)
    owner.type_code(app.code())
    owner.title("Well-made things, safely bought.")
    owner.go("/account/security/")
    owner.title("Account security")


def test_the_password_with_an_authenticator(visitor: Visitor, inbox: Inbox) -> None:
    rita = new_email("renate")
    visitor.go("/")
    visitor.sign_up(rita, "Renate Neu")
    app: App = visitor.enrol()[0]
    change_password(visitor, app.code)
    visitor.sign_out()
    visitor.type_password(rita, NEW_PASSWORD)
    visitor.type_code(app.code())
    visitor.title("Well-made things, safely bought.")
    visitor.go("/account/security/data/")
    visitor.title("Confirm it’s you")
    visitor.type_code(app.code())
    visitor.title("Download your data")
    with visitor.page.expect_download() as download:
        visitor.button("Download").click()
    assert rita in download.value.path().read_text()
    visitor.go("/account/addresses/add/")
    visitor.fill(name="Renate Neu", line1="Ackerstraße 3", postcode="10115", city="Berlin")
    visitor.button("Save").click()
    visitor.is_told("The address is saved.")
    visitor.go("/account/security/close/")
    visitor.type_code(app.code())
    visitor.title("Close your account?")
    visitor.button("Close my account").click()
    visitor.is_told("Your account is closed.")
    visitor.go("/account/sign-in/")
    visitor.type_password(rita, NEW_PASSWORD)
    visitor.sees("don’t go together")
    assert "account was closed" in inbox.message(rita, "account closed")
