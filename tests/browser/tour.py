"""A walk past every page of the shop, for whoever wants to look at them: test_looks and the screenshots."""

import re
from collections.abc import Callable, Iterator

from playwright.sync_api import Page

from tests.browser.stack import App, Inbox
from tests.browser.visitor import DECLINED, DEMO_PASSWORD, PASSWORD, Visitor, new_email

Stop = tuple[str, Page]


def tour(visitor: Visitor, staff: Visitor, app_of: Callable[[str], App], inbox: Inbox) -> Iterator[Stop]:
    """(name, page) at each stop. The page may be resized and looked at, not changed."""
    yield from _window(visitor)
    yield from _shopper(visitor, inbox)
    yield from _staff(staff, app_of)


def _window(visitor: Visitor) -> Iterator[Stop]:
    page = visitor.page
    for name, path in {
        "home": "/",
        "listing": "/products/",
        "category": "/products/?category=kitchen",
        "search": "/products/?q=lamp",
        "nothing found": "/products/?q=zebra",
        "product": "/products/beech-chopping-board/",
        "sold out": "/products/jointed-task-lamp/",
        "several options": "/products/lambswool-blanket/",
        "a combination that is not made": "/products/lambswool-blanket/?option-0=Ink+blue&option-1=190+×+220+cm",
        "on sale": "/products/field-umbrella/",
        "empty cart": "/cart/",
        "not found": "/products/no-such-thing/",
        "sign in": "/account/sign-in/",
        "sign up": "/account/sign-up/",
        "reset": "/account/reset/",
        "recovery": "/account/recovery/",
        "recovery finish": "/account/recovery/finish/",
        "forgot name": "/account/forgot-name/",
        "how to tell": "/account/messages/how-to-tell/",
        "not here": "/account/challenge/01234567-89ab-cdef-0123-456789abcdef/",
    }.items():
        visitor.go(path)
        yield name, page
    visitor.go("/account/sign-in/")
    visitor.type_password("nobody@example.org", "wrong wrong wrong")
    yield "wrong password", page


def _shopper(visitor: Visitor, inbox: Inbox) -> Iterator[Stop]:
    page = visitor.page
    lena = new_email("lena")
    visitor.go("/account/sign-up/")
    visitor.fill(contact=lena)
    visitor.button("Send me a code").click()
    visitor.title("Confirm it’s you")
    code = inbox.code(lena, "open an account")
    page.reload()
    yield "challenge of a sign-up", page
    visitor.type_code(code)
    visitor.title("Choose a password")
    yield "choose a password", page
    visitor.fill(name="Lena Blick", password=PASSWORD)
    visitor.button("Open my account").click()
    visitor.is_told("Welcome!")
    yield "signed in", page

    visitor.go("/account/security/passkeys/")
    visitor.title("Add a passkey")
    yield "passkey", page
    visitor.go("/account/security/authenticator/")
    visitor.title("Set up an authenticator app")
    yield "authenticator", page
    app, _, _ = visitor.confirm_app()
    yield "backup codes", page
    visitor.link("I have kept them, go on").click()
    visitor.title("Account security")
    yield "security", page
    visitor.go("/orders/")
    yield "no orders", page

    visitor.put_into_cart("stoneware-teapot", 2)
    yield "put into the cart", page
    visitor.put_into_cart("linen-tea-towel")
    visitor.put_into_cart("oak-desk-clock")
    visitor.go("/cart/")
    yield "cart", page
    visitor.link("To checkout").click()
    visitor.title("Where to?")
    yield "address", page
    visitor.fill(name="", line1="", postcode="", city="")
    visitor.button("On to the review").click()
    yield "address with errors", page
    visitor.fill(name="Lena Blick", line1="Ackerstraße 3", postcode="10115", city="Berlin", phone="+49 1512 3400000")
    visitor.button("On to the review").click()
    visitor.title("Is everything right?")
    visitor.link("Change the delivery").click()
    visitor.title("How shall we deliver?")
    yield "delivery", page
    visitor.button("On to the review").click()
    visitor.title("Is everything right?")
    yield "review", page
    visitor.ask_to_approve()
    visitor.sees("Open your authenticator app")
    yield "challenge by app", page
    visitor.button(re.compile("^E-mail a code")).click()
    visitor.sees("We e-mailed a code")
    code = inbox.code(lena, "pay")
    page.reload()
    visitor.sees(re.compile("^Delivered"))
    yield "challenge", page
    visitor.type_code(f"{(int(code) + 1) % 10**6:06}")
    visitor.sees("That is not the code.")
    yield "challenge with a wrong code", page
    visitor.type_code(code)
    visitor.title("Approved. Now pay.")
    yield "pay", page
    visitor.pay(DECLINED)
    visitor.sees("Your bank declined this card")
    yield "declined", page
    visitor.pay()
    visitor.order_code()
    yield "order", page
    visitor.go("/orders/")
    yield "orders", page
    yield from _changes(visitor, app)
    visitor.go("/account/messages/")
    yield "messages", page
    visitor.go("/demo/inbox/")
    page.get_by_role("main").get_by_role("link", name=re.compile("code to pay", re.I)).first.click()
    yield "demo inbox", page


def _changes(visitor: Visitor, app: App) -> Iterator[Stop]:
    page = visitor.page
    visitor.link(re.compile("^[A-Z0-9]{8}$")).first.click()
    visitor.link("Payment details").click()
    visitor.type_code(app.code())
    visitor.title(re.compile("^Payment of order"))
    yield "payment details", page
    visitor.link("Statement to print").click()
    visitor.title(re.compile("^Statement of order"))
    yield "statement", page
    for name, path in {
        "addresses": "/account/addresses/",
        "address form": "/account/addresses/add/",
        "change e-mail": "/account/security/email/",
        "add phone": "/account/security/phone/",
        "nothing to undo": "/account/security/email/undo/x/",
    }.items():
        visitor.go(path)
        yield name, page
    visitor.go("/account/security/data/")
    visitor.type_code(app.code())
    visitor.title("Download your data")
    yield "download data", page


def _staff(staff: Visitor, app_of: Callable[[str], App]) -> Iterator[Stop]:
    page = staff.page
    staff.go("/support/")
    staff.type_password("rita@example.org", DEMO_PASSWORD)
    staff.type_code(app_of("rita@example.org").code())
    staff.title("Support")
    yield "support", page
    staff.fill(q="lena")
    staff.button("Find").click()
    yield "support found", page
    staff.link("Lena Blick").first.click()
    staff.title("Lena Blick")
    yield "support person", page
    for name, path in {
        "admin": "/admin/",
        "admin products": "/admin/product/product/",
        "admin product": "/admin/product/product/1/change/",
        "admin orders": "/admin/order/order/",
        "admin numbers": "/admin/numbers/?period=30",
        "admin approval rules": "/admin/stepup/approvalrules/",
        "admin what if": "/admin/stepup/approvalrules/what-if/?relax_below=100.00&failures_a_day=3&days=30",
    }.items():
        staff.go(path)
        yield name, page
