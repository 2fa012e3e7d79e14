"""How many taps it takes.

A tap is a press on a button, a link or a choice, as the browser itself counts them. Typing is none, nor is touching a
field to type into it: an address, a card and a code are mostly filled in by the phone. Counted is what comes after the
cart, so from the address page on; the cart's own "To checkout" is the tap that leaves it.

With JavaScript, that is: without it each of the two codes takes a button more.
"""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import BrowserContext, Locator

from tests.browser.stack import App, Inbox, Stack
from tests.browser.visitor import Visitor, new_email

COUNT_TAPS = """
document.addEventListener("click", (event) => {
  if (!event.isTrusted || event.target.matches("input[type=text], input[type=tel], input[type=email]")) return;
  sessionStorage.setItem("taps", Number(sessionStorage.getItem("taps")) + 1);
  if (event.target.matches("a[href^='otpauth:']")) event.preventDefault();  // a phone opens the app; here is none
}, true);
"""


def test_a_new_shopper_sets_up_an_app_and_pays_in_six_taps_after_the_cart(
    new_context: Callable[..., BrowserContext], shop: Stack, inbox: Inbox
) -> None:
    page = new_context(js=True, is_mobile=True).new_page()  # 390 pixels wide
    page.add_init_script(COUNT_TAPS)
    visitor = Visitor(page, js=True, url=shop.url, inbox=inbox)
    done: list[str] = []

    def tap(what: Locator) -> None:
        done.append(what.inner_text())
        what.tap()

    visitor.go("/")
    visitor.sign_up(new_email("tess"), "Tess Taps")
    visitor.put_into_cart("enamel-mug")
    visitor.go_to_checkout()
    page.evaluate("sessionStorage.removeItem('taps')")

    visitor.title("Where to?")
    visitor.fill(name="Tess Taps", line1="Ackerstraße 3", postcode="10115", city="Berlin")
    tap(visitor.button("On to the review"))
    visitor.title("Is everything right?")
    tap(visitor.link("Set one up now"))
    visitor.title("Set up an authenticator app")
    open_app = visitor.link("The app is on this device: open it")
    app = App(parse_qs(urlsplit(open_app.get_attribute("href") or "").query)["secret"][0])
    tap(open_app)
    visitor.fill(code=app.code())
    visitor.title("Your backup codes")
    tap(visitor.link("I have kept them, go on"))
    visitor.title("Is everything right?")
    tap(visitor.button(re.compile("^Approve .* with a code$")))
    visitor.sees("Open your authenticator app")
    visitor.type_code(app.code())
    visitor.title("Approved. Now pay.")
    visitor.fill(card="4242 4242 4242 4242")
    tap(visitor.button(re.compile("^Pay €")))
    visitor.order_code()
    visitor.sees("Authenticator app")

    counted = int(page.evaluate("sessionStorage.getItem('taps')"))
    assert counted == len(done), done
    assert counted <= 6, done
