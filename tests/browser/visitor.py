"""What people do in the shop, by what they see: labels, buttons, headings."""

import re
from itertools import count

from playwright.sync_api import Locator, Page, expect

from tests.browser.stack import App, Inbox

PASSWORD = "plenty of rain today"
DEMO_PASSWORD = "demo demo demo"
APPROVED, DECLINED = "4242 4242 4242 4242", "4000 0000 0000 0002"

_numbers = count(1)


def new_email(name: str) -> str:
    return f"{name}{next(_numbers)}@example.org"


def new_phone() -> str:
    return f"+491512{next(_numbers):07}"


class Visitor:
    def __init__(self, page: Page, *, js: bool, url: str, inbox: Inbox) -> None:
        self.page = page
        self.js = js
        self.url = url
        self.inbox = inbox

    # Looking

    def go(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}")

    def at(self, path: str) -> None:
        """On this page; `path` is a pattern."""
        expect(self.page).to_have_url(re.compile(f"^{re.escape(self.url)}{path}$"))

    def sees(self, words: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_role("main").get_by_text(words).first).to_be_visible()

    def is_told(self, words: str | re.Pattern[str]) -> None:
        expect(self.page.locator("#messages")).to_contain_text(words)

    def title(self, words: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(words)

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("main").get_by_role("button", name=name)

    def link(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("main").get_by_role("link", name=name)

    def fill(self, **fields: str) -> None:
        """By the name of each field; that each has a label is test_looks' business."""
        for name, value in fields.items():
            self.page.get_by_role("main").locator(f"[name={name}]").fill(value)

    # Codes

    def type_code(self, code: str) -> None:
        """Into the challenge's one field. With JavaScript its sixth digit is enough."""
        field = self.page.get_by_role("textbox", name="Code", exact=True)
        if self.js:
            field.press_sequentially(code)
        else:
            field.fill(code)
            self.press_confirm()

    def press_confirm(self) -> None:
        self.button(re.compile("^(Approve|Confirm)$")).click()

    def challenge_path(self) -> str:
        self.at("/account/challenge/[0-9a-f-]{36}/")
        return self.page.url.removeprefix(self.url)

    # People

    def sign_up(self, contact: str, name: str, password: str = PASSWORD) -> None:
        self.go("/account/sign-in/")
        self.link("Create an account").click()
        self.fill(contact=contact)
        self.button("Send me a code").click()
        self.title("Confirm it’s you")
        self.type_code(self.inbox.code(contact, "open an account"))
        self.title("Choose a password")
        self.fill(name=name, password=password)
        self.button("Open my account").click()
        self.is_told("Welcome! Your account is open.")

    def enrol(self) -> tuple[App, list[str], str]:
        """An authenticator app: the app, the backup codes, and the code that confirmed it."""
        self.open_menu()
        self.page.get_by_role("banner").get_by_role("link", name="Security").click()
        self.title("Account security")
        self.page.get_by_role("listitem").filter(has_text="Authenticator app").get_by_role(
            "link", name="Set up"
        ).click()
        return self.confirm_app()

    def confirm_app(self) -> tuple[App, list[str], str]:
        self.title("Set up an authenticator app")
        expect(self.page.get_by_role("img", name="QR code").locator("svg")).to_be_visible()
        app = App(self.page.locator("#typed-key").inner_text())
        code = app.code()
        self.fill(name="my phone", code=code)  # with JavaScript the sixth digit sends it
        if not self.js:
            self.button("Confirm").click()
        self.title("Your backup codes")
        codes = self.page.locator("#codes code")
        expect(codes).to_have_count(10)
        return app, codes.all_inner_texts(), code

    def open_menu(self) -> None:
        self.page.get_by_role("banner").locator("summary", has_text="Account").click()

    def sign_out(self) -> None:
        self.open_menu()
        self.page.get_by_role("banner").get_by_role("button", name="Sign out").click()
        self.is_told("You are signed out.")

    def type_password(self, name: str, password: str = PASSWORD) -> None:
        """The first half of a sign-in, from whichever page."""
        if not self.page.url.startswith(f"{self.url}/account/sign-in/"):
            self.page.get_by_role("banner").get_by_role("link", name="Sign in").click()
        self.fill(name=name, password=password)
        self.button("Continue").click()

    # Buying

    def put_into_cart(self, slug: str, quantity: int = 1) -> None:
        self.go(f"/products/{slug}/")
        self.fill(quantity=str(quantity))
        self.add_to_cart()

    def add_to_cart(self) -> None:
        self.button("Add to cart").click()
        expect(self.page.get_by_text("in your cart.").first).to_be_visible()

    def go_to_checkout(self) -> None:
        self.page.get_by_role("banner").get_by_role("link", name="Cart").click()
        self.title("Your cart")
        self.link("To checkout").click()

    def say_where_to(self, **contact: str) -> None:
        self.title("Where to?")
        self.fill(name="Fritz Kurz", line1="Ackerstraße 3", postcode="10115", city="Berlin", **contact)
        self.button("On to the review").click()
        self.title("Is everything right?")
        self.link("Change the delivery").click()
        self.title("How shall we deliver?")
        self.page.get_by_role("radio", name="Express").check()
        self.button("On to the review").click()
        self.title("Is everything right?")

    def ask_to_approve(self) -> None:
        self.button(re.compile("^Approve .* with a code$")).click()
        self.title(re.compile("^Approve €"))

    def go_as_far_as_the_challenge(self, slug: str, **contact: str) -> str:
        """A guest with goods, an address and a live challenge; its path."""
        self.put_into_cart(slug)
        self.go_to_checkout()
        self.say_where_to(**contact)
        self.ask_to_approve()
        return self.challenge_path()

    def pay(self, card: str = APPROVED) -> None:
        self.title("Approved. Now pay.")
        self.fill(card=card)
        self.button(re.compile("^Pay €")).click()

    def order_code(self) -> str:
        """Of the order on the page, which is paid."""
        self.title("Thank you, your order is paid")
        self.at("/orders/[A-Z0-9]{8}/")
        return self.page.url.rstrip("/").rpartition("/")[2]
