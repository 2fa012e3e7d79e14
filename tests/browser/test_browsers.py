"""Trusted browsers, where one is signed in, and "this wasn't me"."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.stack import Inbox
from tests.browser.visitor import PASSWORD, Visitor, new_email

ANOTHER = Callable[[], Visitor]
HOME = "Well-made things, safely bought."
BOX = re.compile("ask for a code here for 30 days")


def test_a_trusted_browser_signs_in_without_a_code_and_pays_with_one(visitor: Visitor, inbox: Inbox) -> None:
    tina = new_email("tina")
    visitor.sign_up(tina, "Tina Trust")
    visitor.sign_out()

    visitor.type_password(tina)
    visitor.title("Confirm it’s you")
    box = visitor.page.get_by_role("checkbox", name=BOX)
    expect(box).not_to_be_checked()
    box.check()
    visitor.type_code(inbox.code(tina, "sign in"))
    visitor.title(HOME)
    inbox.message(tina, "browser trusted")
    visitor.sign_out()
    visitor.type_password(tina)
    visitor.title(HOME)

    visitor.put_into_cart("enamel-mug")
    visitor.go_to_checkout()
    visitor.say_where_to()
    visitor.ask_to_approve()
    expect(visitor.page.get_by_role("checkbox", name=BOX)).to_have_count(0)
    visitor.type_code(inbox.code(tina, "pay"))
    visitor.pay()
    visitor.order_code()

    visitor.go("/account/security/")
    visitor.sees("this browser")
    visitor.button(re.compile("^Stop trusting Chrome on")).click()
    visitor.is_told("That browser is no longer trusted.")
    visitor.sees("None: each sign-in takes a code.")
    visitor.sign_out()
    visitor.type_password(tina)
    visitor.title("Confirm it’s you")
    expect(visitor.page.get_by_role("checkbox", name=BOX)).not_to_be_checked()


def sign_in(visitor: Visitor, name: str, inbox: Inbox) -> None:
    visitor.go("/")
    visitor.type_password(name)
    visitor.title("Confirm it’s you")
    visitor.type_code(inbox.code(name, "sign in"))
    visitor.title(HOME)


def test_one_signs_out_elsewhere(visitor: Visitor, another: ANOTHER, inbox: Inbox) -> None:
    sara = new_email("sara")
    visitor.sign_up(sara, "Sara Session")
    lost, lent = another(), another()
    for browser in (lost, lent):
        sign_in(browser, sara, inbox)
    visitor.go("/account/security/")
    places = visitor.page.get_by_role("region", name="Where you are signed in").get_by_role("listitem")
    expect(places).to_have_count(3)
    places.filter(has_text="last used").get_by_role("button", name="Sign out").first.click()
    visitor.is_told("That browser is signed out.")
    expect(places).to_have_count(2)
    visitor.button("Sign out everywhere else").click()
    visitor.is_told("You are signed out everywhere else.")
    expect(places).to_have_count(1)
    for browser in (lost, lent):
        browser.go("/account/security/")
        browser.title("Sign in")


def test_this_wasnt_me(visitor: Visitor, another: ANOTHER, inbox: Inbox) -> None:
    lea, new_password = new_email("lea"), "quite another rain"
    visitor.sign_up(lea, "Lea Lock")
    thief = another()
    sign_in(thief, lea, inbox)
    visitor.go("/account/security/")
    visitor.link(re.compile("^This wasn’t me.*Signed in with your password")).first.click()
    visitor.title("Lock your account?")
    visitor.button("Lock my account").click()
    visitor.title("Choose a new password")
    visitor.is_told("Your account is locked")
    inbox.message(lea, "account locked")

    thief.go("/account/security/")
    thief.title("Sign in")
    thief.type_password(lea)
    thief.title("Your account is locked")
    thief.page.go_back()
    thief.type_password(lea, "some other words")
    thief.sees("don’t go together")

    visitor.fill(contact=lea)
    visitor.button("Send me a code").click()
    visitor.type_code(inbox.code(lea, "choose a new password"))
    visitor.title("Choose a new password")
    visitor.fill(password=new_password)
    visitor.button(re.compile("password")).click()
    visitor.is_told("Your password is changed")
    thief.type_password(lea, PASSWORD)
    thief.sees("don’t go together")
    visitor.type_password(lea, new_password)
    visitor.sees("was reset by e-mail")  # her only way rests, and the page says until when
