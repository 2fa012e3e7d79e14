"""The code field with JavaScript: filled in by the phone, pasted, submitted once, and heard as well as seen."""

import re

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.stack import Inbox
from tests.browser.test_looks import FAULTS, SMALLEST
from tests.browser.visitor import Visitor, new_email, new_phone

pytestmark = pytest.mark.parametrize("js", [True], ids=["js"])

# A phone with WebOTP: it reads a text's last line as browsers do, and gives the code to the page of that host only.
# Source: WICG, "Origin-bound one-time codes delivered via SMS" and "WebOTP API".
PHONE_WITH_WEBOTP = r"""
window.OTPCredential = class {};
window.asked = [];
Object.defineProperty(navigator, "credentials", { configurable: true, value: {
  get: (options) => new Promise((resolve, reject) => {
    window.asked.push(options);
    options.signal.addEventListener("abort", () => {
      sessionStorage.setItem("aborted", "yes");
      reject(new DOMException("", "AbortError"));
    });
    window.comes = (text) => {
      const line = text.trim().split("\n").at(-1).match(/^@(\S+) #(\S+)$/);
      if (line && line[1] === location.hostname) resolve({ code: line[2] });
    };
  }),
}});
"""


def field_of(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Code", exact=True)


def ask_for_a_code(visitor: Visitor, contact: str) -> None:
    visitor.go("/account/sign-up/")
    visitor.fill(contact=contact)
    visitor.button("Send me a code").click()
    visitor.title("Confirm it’s you")


@pytest.fixture
def phone() -> str:
    return new_phone()


@pytest.fixture
def asked(visitor: Visitor, phone: str) -> Visitor:
    """Somebody who was texted a code, on the page that asks for it."""
    ask_for_a_code(visitor, phone)
    return visitor


@pytest.fixture
def posts(asked: Visitor) -> list[str]:
    """The codes that were submitted."""
    seen: list[str] = []

    def look(request: Request) -> None:
        if request.method == "POST" and "code=" in (request.post_data or ""):
            seen.append(re.findall(r"code=(\w*)", request.post_data or "")[-1])

    asked.page.on("request", look)
    return seen


def paste(page: Page, text: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    field_of(page).focus()
    page.keyboard.press("ControlOrMeta+V")


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


@pytest.mark.parametrize(
    "written",
    [
        "{code}",
        "{first} {last}",
        "{first}-{last}",
        " {first}\u00a0{last}\n",
        "{first} {last} is your code",
        "{code} is your code to pay € 1,234.50 to Shop 24. Never share it.",
        "{code} is your code to pay € 123 456 to Shop.\n\n@localhost #{code}",
    ],
)
def test_a_pasted_code_is_found_and_submitted(asked: Visitor, phone: str, inbox: Inbox, written: str) -> None:
    code = inbox.code(phone)
    paste(asked.page, written.format(code=code, first=code[:3], last=code[3:]))
    asked.title("Choose a password")


def test_a_whole_text_may_be_pasted(asked: Visitor, phone: str, inbox: Inbox) -> None:
    paste(asked.page, inbox.message(phone, "code to open an account"))
    asked.title("Choose a password")


def test_a_text_with_two_codes_is_left_to_its_reader(asked: Visitor, posts: list[str]) -> None:
    paste(asked.page, "111111 or 222222")
    expect(field_of(asked.page)).to_have_value("111111222222")
    assert not posts


def test_a_value_that_the_phone_fills_in_is_submitted(asked: Visitor, phone: str, inbox: Inbox) -> None:
    field_of(asked.page).fill(inbox.code(phone))
    asked.title("Choose a password")


def test_the_sixth_digit_submits_once(asked: Visitor, posts: list[str], phone: str, inbox: Inbox) -> None:
    code = inbox.code(phone)
    field_of(asked.page).press_sequentially(code[:5])
    assert not posts
    field_of(asked.page).evaluate(
        """(field, last) => {
          field.value += last;
          for (let times = 0; times < 3; times += 1) field.dispatchEvent(new Event("input", { bubbles: true }));
          field.form.requestSubmit();
        }""",
        code[5:],
    )
    asked.title("Choose a password")
    assert posts == [code]


def test_letters_and_blanks_are_dropped_while_typing(asked: Visitor) -> None:
    field_of(asked.page).press_sequentially("1a 2-3")
    expect(field_of(asked.page)).to_have_value("123")


# --- WebOTP ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def webotp(visitor: Visitor, phone: str) -> Visitor:
    visitor.page.add_init_script(PHONE_WITH_WEBOTP)
    ask_for_a_code(visitor, phone)
    return visitor


def test_the_phone_gives_the_code_of_the_text_to_the_page(webotp: Visitor, phone: str, inbox: Inbox) -> None:
    page = webotp.page
    asked = page.evaluate("window.asked.map(({ otp }) => otp)")
    assert asked == [{"transport": ["sms"]}]
    page.evaluate("text => window.comes(text)", inbox.message(phone, "code to open an account"))
    webotp.title("Choose a password")


def test_a_text_bound_to_another_host_fills_in_nothing(webotp: Visitor, phone: str, inbox: Inbox) -> None:
    text = inbox.message(phone, "code to open an account").replace("@localhost", "@elsewhere.example")
    webotp.page.evaluate("text => window.comes(text)", text)
    expect(field_of(webotp.page)).to_have_value("")
    webotp.title("Confirm it’s you")


def test_who_types_no_longer_waits_for_the_text(webotp: Visitor, phone: str, inbox: Inbox) -> None:
    webotp.type_code(inbox.code(phone))
    webotp.title("Choose a password")
    assert webotp.page.evaluate("sessionStorage.getItem('aborted')") == "yes"


def test_after_a_wrong_code_the_phone_is_asked_again(webotp: Visitor, phone: str, inbox: Inbox) -> None:
    text = inbox.message(phone, "code to open an account")
    webotp.type_code(wrong(text[:6]))
    webotp.sees("That is not the code.")
    webotp.page.evaluate("text => window.comes(text)", text)
    webotp.title("Choose a password")


# --- heard as well as seen -------------------------------------------------------------------------------------------


def test_the_field_is_focused_and_says_what_it_wants(asked: Visitor) -> None:
    field = field_of(asked.page)
    expect(field).to_be_focused()
    expect(field).to_have_accessible_description(re.compile("^Six digits"))
    expect(asked.page).to_have_title(re.compile("^Confirm it’s you"))


def test_an_error_is_told_at_the_field_in_focus_and_in_the_title(asked: Visitor, phone: str, inbox: Inbox) -> None:
    asked.type_code(wrong(inbox.code(phone)))
    expect(asked.page).to_have_title(re.compile("^Error: Confirm it’s you"))
    field = field_of(asked.page)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(
        re.compile("^That is not the code. You can try 4 more times. Six digits")
    )
    expect(field).to_have_value("")


def test_of_the_countdown_only_its_end_is_read_out(visitor: Visitor) -> None:
    page = visitor.page
    page.clock.install()
    ask_for_a_code(visitor, new_email("cora"))
    page.evaluate(
        """() => {
          window.ticks = 0;
          window.heard = [];
          new MutationObserver((changes) => {
            window.ticks += 1;
            for (const { target } of changes) {
              const element = target.nodeType === 1 ? target : target.parentElement;
              const live = element?.closest("[aria-live], [role=status], [role=alert]");
              if (live) window.heard.push(live.textContent.trim());
            }
          }).observe(document.querySelector(".countdown"), { childList: true, characterData: true, subtree: true });
        }"""
    )
    resend = visitor.button("Send it again")
    expect(resend).to_be_disabled()
    page.clock.run_for(15_000)
    assert page.evaluate("window.ticks") >= 10
    assert page.evaluate("window.heard") == []
    page.clock.run_for(20_000)
    expect(page.get_by_text("You can ask again now.")).to_be_visible()
    expect(resend).to_be_enabled()
    assert page.evaluate("window.heard") == ["You can ask again now."]


# --- back ------------------------------------------------------------------------------------------------------------


def test_back_after_a_passed_challenge_leads_on(asked: Visitor, phone: str, inbox: Inbox) -> None:
    asked.type_code(inbox.code(phone))
    asked.title("Choose a password")
    asked.page.go_back()
    asked.title("Choose a password")


def test_back_after_a_sign_in_asks_for_nothing_more(visitor: Visitor, inbox: Inbox) -> None:
    bea = new_email("bea")
    visitor.sign_up(bea, "Bea Back")
    visitor.sign_out()
    visitor.type_password(bea)
    visitor.type_code(inbox.code(bea, "sign in"))
    visitor.title("Well-made things, safely bought.")
    visitor.page.go_back()
    visitor.title("Well-made things, safely bought.")
    visitor.open_menu()
    expect(visitor.page.get_by_role("banner").get_by_role("button", name="Sign out")).to_be_visible()


# --- which messages are ours -----------------------------------------------------------------------------------------


def test_the_messages_we_sent_and_how_to_tell_them(visitor: Visitor) -> None:
    page = visitor.page
    page.set_viewport_size(SMALLEST)
    rosa = new_email("rosa")
    visitor.sign_up(rosa, "Rosa Rund")
    visitor.open_menu()
    page.get_by_role("banner").get_by_role("link", name="Messages we sent you").click()
    visitor.title("Messages we sent you")
    visitor.sees("No messages yet")
    visitor.sign_out()
    visitor.type_password(rosa)
    visitor.type_code(visitor.inbox.code(rosa, "sign in"))
    visitor.title("Well-made things, safely bought.")
    visitor.go("/account/messages/")
    visitor.sees("A code to sign in")
    visitor.sees("E-mail to r•••@example.org")
    visitor.sees(re.compile("delivered [0-9:]{5}"))
    assert not page.evaluate(FAULTS)
    visitor.link("How to tell that a message is ours").click()
    visitor.title("Is this message ours?")
    assert not page.evaluate(FAULTS)
    visitor.link("When a code doesn’t come").click()
    expect(page.get_by_role("heading", name="When a code doesn’t come")).to_be_in_viewport()
