"""Passkeys in a real browser, with Chromium's virtual authenticator."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.stack import Inbox, Stack
from tests.browser.visitor import DEMO_PASSWORD, Visitor, new_email
from tests.software_authenticator import SoftwareAuthenticator, data

HOME = "Well-made things, safely bought."
NOTHING = "Nothing was confirmed"
REFUSED = "That passkey does not count here"

# Signs other things than those the page asks for, as a thief's script would.
SIGN = """async (asked) => {
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const publicKey = { ...asked, challenge: bytes(asked.challenge) };
  publicKey.allowCredentials = (asked.allowCredentials ?? []).map((each) => ({ ...each, id: bytes(each.id) }));
  const made = await navigator.credentials.get({ publicKey });
  const { clientDataJSON, authenticatorData, signature } = made.response;
  const response = {
    clientDataJSON: text(clientDataJSON), authenticatorData: text(authenticatorData), signature: text(signature) };
  return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response });
}"""
POST = """(said) => {
  const form = document.querySelector("form[data-passkey]");
  form.querySelector("[name=code]").value = said;
  form.requestSubmit();
}"""


class Device:
    """A virtual authenticator in the browser of one page."""

    def __init__(self, page: Page, *, verifies: bool = True) -> None:
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable", {"enableUI": False})
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": verifies,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        self.id = self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def verify(self, succeeds: bool) -> None:
        self._cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": succeeds})

    def credentials(self) -> list[dict[str, Any]]:
        return list(self._cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})["credentials"])

    def put(self, credential: dict[str, Any], **changes: Any) -> None:
        """A copy of a passkey, as a thief may have made it."""
        self._cdp.send("WebAuthn.clearCredentials", {"authenticatorId": self.id})
        self._cdp.send("WebAuthn.addCredential", {"authenticatorId": self.id, "credential": credential | changes})

    def key(self) -> SoftwareAuthenticator:
        """Its passkey taken out of it, to sign what no browser would."""
        found = self.credentials()[0]
        key = SoftwareAuthenticator()
        key.key = load_der_private_key(base64.b64decode(found["privateKey"]), None)  # type: ignore[assignment]
        key.id, key.user_handle = base64.b64decode(found["credentialId"]), base64.b64decode(found["userHandle"])
        key.count = found["signCount"] + 10
        return key


@pytest.fixture
def come(
    new_context: Callable[..., BrowserContext], shop: Stack, inbox: Inbox
) -> Callable[..., tuple[Visitor, Device]]:
    """`come()`: somebody new, in a browser with an authenticator. With `offers`, it offers passkeys by itself: the
    virtual person touches it at once, and so would be signed in by looking at the page."""

    def come(*, offers: bool = False, **how: Any) -> tuple[Visitor, Device]:
        context = new_context()
        if not offers:
            context.add_init_script(
                "if (window.PublicKeyCredential)"
                " PublicKeyCredential.isConditionalMediationAvailable = async () => false"
            )
        visitor = Visitor(context.new_page(), js=True, url=shop.url, inbox=inbox)
        return visitor, Device(visitor.page, **how)

    return come


def add_passkey(visitor: Visitor) -> None:
    visitor.go("/account/security/")
    visitor.link("Add a passkey").click()
    visitor.title("Add a passkey")
    visitor.fill(name="my laptop")
    visitor.button("Add a passkey").click()
    visitor.title("Your backup codes")
    visitor.link("I have kept them, go on").click()
    visitor.title("Account security")
    visitor.sees("my laptop")


def sign_up_with_a_passkey(visitor: Visitor, name: str) -> str:
    email = new_email(name)
    visitor.sign_up(email, name.title())
    add_passkey(visitor)
    return email


def asked_on(page: Page) -> dict[str, Any]:
    return dict(json.loads(page.locator("form[data-passkey]").get_attribute("data-passkey") or ""))


def go_to_sign_in_challenge(visitor: Visitor, email: str) -> None:
    visitor.go("/")
    visitor.type_password(email)
    visitor.title("Confirm it’s you")


def test_from_enrolment_to_a_payment_and_a_change(come: Callable[..., Any], shop: Stack) -> None:
    visitor, _device = come()
    email = sign_up_with_a_passkey(visitor, "paula")
    visitor.put_into_cart("enamel-mug")
    visitor.sign_out()

    visitor.type_password(email)
    visitor.title("Confirm it’s you")
    visitor.button("Use your passkey").click()
    visitor.title(HOME)

    visitor.go_to_checkout()
    visitor.say_where_to()
    visitor.ask_to_approve()
    visitor.sees("What your passkey signs approves this order and nothing else.")
    visitor.button("Approve with your passkey").click()
    visitor.pay()
    order = visitor.order_code()
    visitor.sees("Passkey")
    said = shop.manage("verify_approval", order)
    assert f"signed exactly this purchase, on {shop.url}," in said

    visitor.go("/account/password/")
    visitor.title("Confirm it’s you")
    visitor.sees("One more step to change your password.")
    visitor.button("Use your passkey").click()
    visitor.title("Change your password")
    visitor.fill(password="another rainy afternoon")
    visitor.button("Change my password").click()
    visitor.at("/account/security/")

    visitor.go("/account/security/")
    visitor.sees(re.compile("last used"))
    visitor.page.get_by_role("link", name="Remove my laptop").click()
    visitor.title("Remove “my laptop”?")
    visitor.button("Remove").click()
    visitor.is_told("The passkey is removed.")
    visitor.sees("No passkey yet")


def test_without_a_password(come: Callable[..., Any]) -> None:
    visitor, device = come()
    sign_up_with_a_passkey(visitor, "walter")
    visitor.sign_out()
    visitor.go("/account/sign-in/?next=/orders/")
    visitor.button("Sign in with a passkey").click()
    visitor.at("/orders/")
    visitor.sign_out()

    visitor.go("/account/sign-in/")
    device.verify(False)
    visitor.button("Sign in with a passkey").click()
    visitor.sees(NOTHING)
    device.verify(True)
    visitor.button("Sign in with a passkey").click()
    visitor.title(HOME)


def test_the_browser_offers_it_by_itself(come: Callable[..., Any]) -> None:
    visitor, _device = come(offers=True)
    sign_up_with_a_passkey(visitor, "otto")
    visitor.sign_out()
    visitor.go("/account/sign-in/?next=/orders/")
    visitor.at("/orders/")


def test_staff_reach_the_back_rooms(come: Callable[..., Any], demo_app: Any) -> None:
    visitor, _device = come()
    visitor.go("/support/")
    visitor.type_password("rita@example.org", DEMO_PASSWORD)
    visitor.type_code(demo_app("rita@example.org").code())
    visitor.title("Support")
    visitor.go("/account/security/passkeys/")
    visitor.button("Add a passkey").click()
    visitor.sees("Your passkey is set up.")
    visitor.sign_out()
    visitor.go("/support/")
    visitor.button("Sign in with a passkey").click()
    visitor.title("Support")
    visitor.go("/account/security/")
    visitor.page.get_by_role("listitem").filter(has_text="Passkey").get_by_role("link", name="Remove").click()
    visitor.button("Remove").click()
    visitor.is_told("The passkey is removed.")
    visitor.go("/support/")
    visitor.title("For staff")


def test_a_device_that_checks_nobody_serves_behind_the_password_only(come: Callable[..., Any]) -> None:
    visitor, _device = come(verifies=False)
    email = sign_up_with_a_passkey(visitor, "ulla")
    visitor.sees("its device does not check who holds it, so it serves at sign-in only")
    visitor.sign_out()
    visitor.go("/account/sign-in/")
    visitor.button("Sign in with a passkey").click()
    visitor.sees(NOTHING)
    go_to_sign_in_challenge(visitor, email)
    visitor.button("Use your passkey").click()
    visitor.title(HOME)
    visitor.go_as_far_as_the_challenge("hand-balm")
    visitor.sees("We e-mailed a code")
    expect(visitor.button(re.compile("passkey"))).to_have_count(0)


def test_a_payment_whose_device_checked_nobody_is_refused(come: Callable[..., Any]) -> None:
    visitor, device = come()
    sign_up_with_a_passkey(visitor, "vera")
    visitor.go_as_far_as_the_challenge("hand-balm")
    device.verify(False)
    visitor.button("Approve with your passkey").click()  # the browser refuses it already
    visitor.sees(NOTHING)
    key = device.key()
    key.origin, key.verifies = visitor.url, False
    visitor.page.evaluate(POST, key.sign(asked_on(visitor.page)))
    visitor.sees("Your passkey’s device did not check that it is you.")
    device.verify(True)
    device.put(device.credentials()[0], signCount=key.count + 1)
    visitor.button("Approve with your passkey").click()
    visitor.title("Approved. Now pay.")


def test_what_was_signed_for_something_else_is_refused(come: Callable[..., Any], shop: Stack) -> None:
    visitor, device = come()
    email = sign_up_with_a_passkey(visitor, "olga")
    visitor.sign_out()
    go_to_sign_in_challenge(visitor, email)
    page = visitor.page
    asked = asked_on(page)

    # another challenge
    page.evaluate(POST, page.evaluate(SIGN, asked | {"challenge": "AAAA"}))
    visitor.sees(f"{REFUSED}. You can try 4 more times.")
    # another host: the browser asks for none of its passkeys
    error = page.evaluate(f"asked => ({SIGN})(asked).catch((error) => error.name)", asked | {"rpId": "evil.example"})
    assert error == "SecurityError"
    # what no browser would sign: another origin, another host
    key = device.key()
    key.origin = "https://evil.example"
    page.evaluate(POST, key.sign(asked))
    visitor.sees(f"{REFUSED}. You can try 3 more times.")
    key.origin, key.rp_id = shop.url, "evil.example"
    page.evaluate(POST, key.sign(asked))
    visitor.sees(f"{REFUSED}. You can try 2 more times.")

    # the right one, and the same once more elsewhere
    said = page.evaluate(SIGN, asked)
    page.evaluate(POST, said)
    visitor.title(HOME)
    visitor.sign_out()
    go_to_sign_in_challenge(visitor, email)
    page.evaluate(POST, said)
    visitor.sees(REFUSED)


def test_somebody_elses_passkey_is_refused(come: Callable[..., Any]) -> None:
    visitor, _device = come()
    email = sign_up_with_a_passkey(visitor, "paul")
    visitor.sign_out()
    thief, thiefs = come()
    sign_up_with_a_passkey(thief, "mallory")
    thief.sign_out()
    go_to_sign_in_challenge(thief, email)
    thief.button("Use your passkey").click()  # the page asks for Paul's, which is not here
    thief.sees(NOTHING)
    thief.page.evaluate(POST, thief.page.evaluate(SIGN, asked_on(thief.page) | {"allowCredentials": []}))
    thief.sees(REFUSED)
    assert data(asked_on(thief.page)["allowCredentials"][0]["id"]) != thiefs.key().id


def test_a_copy_whose_count_went_back_is_refused(come: Callable[..., Any]) -> None:
    visitor, device = come()
    email = sign_up_with_a_passkey(visitor, "klaus")
    copy = device.credentials()[0]
    visitor.sign_out()
    go_to_sign_in_challenge(visitor, email)
    visitor.button("Use your passkey").click()
    visitor.title(HOME)
    visitor.sign_out()
    device.put(copy)
    go_to_sign_in_challenge(visitor, email)
    visitor.button("Use your passkey").click()
    visitor.sees(REFUSED)


def test_a_removed_one_is_refused(come: Callable[..., Any]) -> None:
    visitor, device = come()
    sign_up_with_a_passkey(visitor, "rolf")
    visitor.page.get_by_role("link", name="Remove my laptop").click()
    visitor.button("Use your passkey").click()
    visitor.button("Remove").click()
    visitor.is_told("The passkey is removed.")
    visitor.sign_out()
    assert device.credentials()
    visitor.go("/account/sign-in/")
    visitor.button("Sign in with a passkey").click()
    visitor.sees("That passkey does not count here, or it took too long.")


def test_without_javascript_the_page_says_so_and_offers_the_rest(
    come: Callable[..., Any], new_context: Callable[..., BrowserContext], shop: Stack, inbox: Inbox
) -> None:
    visitor, _device = come()
    email = sign_up_with_a_passkey(visitor, "nora")
    plain = Visitor(new_context(js=False).new_page(), js=False, url=shop.url, inbox=inbox)
    go_to_sign_in_challenge(plain, email)
    plain.sees("Passkeys need JavaScript and a browser that knows them")
    plain.button("E-mail a code to n•••@example.org").click()
    plain.type_code(inbox.code(email, "sign in"))
    plain.title(HOME)
