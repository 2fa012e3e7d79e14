"""The main job, in a real browser: find a thing, sign in with a code, pay with a code."""

import re
from collections.abc import Callable
from decimal import Decimal

from playwright.sync_api import Route, expect

from tests.browser.stack import App, Inbox, Stack, code_in
from tests.browser.visitor import APPROVED, DECLINED, DEMO_PASSWORD, PASSWORD, Visitor, new_email, new_phone

ANOTHER = Callable[[], Visitor]


def test_a_new_shopper_from_sign_up_to_the_order(visitor: Visitor, inbox: Inbox) -> None:
    nina = new_email("nina")
    visitor.go("/")
    visitor.sign_up(nina, "Nina New")

    app, backup_codes, used_code = visitor.enrol()
    assert len(set(backup_codes)) == 10
    visitor.link("I have kept them, go on").click()
    visitor.title("Account security")
    visitor.sees("10 left")
    for path in ("/account/security/", "/account/security/backup-codes/"):
        visitor.go(path)
        assert not any(code in visitor.page.content() for code in backup_codes)

    visitor.put_into_cart("enamel-mug", 2)
    visitor.sign_out()
    visitor.type_password(nina)
    visitor.title("Confirm it’s you")
    visitor.sees("Open your authenticator app")
    visitor.type_code(used_code)  # it set the app up, so it counts no more
    visitor.sees("That is not the code.")
    visitor.type_code(app.code())
    visitor.title("Well-made things, safely bought.")

    visitor.go_to_checkout()
    visitor.say_where_to()
    visitor.ask_to_approve()
    visitor.button("E-mail a code to n•••@example.org").click()
    visitor.sees("We e-mailed a code to n•••@example.org.")
    visitor.type_code(inbox.code(nina, "pay"))
    visitor.pay()
    order = visitor.order_code()
    visitor.sees("E-mail")
    assert f"Your order {order} is paid" in inbox.message(nina, f"order {order} is paid")
    visitor.link("All your orders").click()
    expect(visitor.page.get_by_role("main").get_by_role("listitem")).to_have_count(1)
    visitor.link(order).click()
    assert visitor.order_code() == order
    expect(visitor.page.get_by_role("banner").get_by_role("link", name="Cart")).not_to_contain_text("item")


def test_a_guest_with_a_phone(visitor: Visitor, inbox: Inbox) -> None:
    phone = new_phone()
    visitor.go("/")
    visitor.link("See all products").first.click()
    visitor.link("Leather card wallet").first.click()
    visitor.add_to_cart()
    visitor.go_to_checkout()
    visitor.say_where_to(phone=phone)
    visitor.ask_to_approve()
    visitor.sees(f"We texted a code to +49 ••• ••{phone[-2:]}.")
    text = inbox.message(phone, "code to pay")
    code = code_in(text)
    assert text.rstrip().endswith(f"@localhost #{code}")
    visitor.type_code(code)
    visitor.pay()
    order = visitor.order_code()
    assert f"order {order} is paid" in inbox.message(phone, "is paid")


def test_a_declined_card_costs_neither_the_cart_nor_the_stock(
    visitor: Visitor, another: ANOTHER, inbox: Inbox, shop: Stack
) -> None:
    phone = new_phone()
    shop.python("Variant.objects.filter(sku='KIT-MIL').update(on_hand=F('reserved') + 3)")
    looker = another()

    def shows(stock: str) -> None:
        looker.go("/products/pepper-mill/")
        looker.sees(stock)

    shows("Only 3 left")
    visitor.go_as_far_as_the_challenge("pepper-mill", phone=phone)
    shows("Only 2 left")  # set aside while it is approved and paid
    visitor.type_code(inbox.code(phone))
    visitor.pay(DECLINED)
    visitor.sees("Your bank declined this card. Nothing was charged")
    shows("Only 2 left")
    visitor.page.get_by_role("banner").get_by_role("link", name="Cart").click()
    expect(visitor.page.get_by_role("main").get_by_role("heading", name="Turned pepper mill")).to_be_visible()
    visitor.go("/checkout/pay/")
    visitor.pay(APPROVED)
    visitor.order_code()
    shows("Only 2 left")
    assert shop.python("print(Variant.objects.get(sku='KIT-MIL').reserved)") == "0"


def test_what_a_guest_picked_is_there_after_sign_in(visitor: Visitor, js: bool, inbox: Inbox) -> None:
    name, phone = ("ada@example.org", "+4915123456789") if js else ("+4915198765432", "+4915198765432")
    visitor.put_into_cart("garden-twine", 2)
    visitor.type_password(name, DEMO_PASSWORD)
    visitor.title("Confirm it’s you")
    visitor.type_code(inbox.code(phone, "sign in"))
    visitor.is_told("We put the 2 things you picked before signing in into your cart.")
    visitor.page.get_by_role("banner").get_by_role("link", name="Cart").click()
    visitor.sees("Garden twine")


def test_a_wrong_code_and_then_the_right_one_pasted(visitor: Visitor, inbox: Inbox) -> None:
    phone = new_phone()
    visitor.go_as_far_as_the_challenge("hand-balm", phone=phone)
    code = inbox.code(phone)
    visitor.type_code(f"{(int(code) + 1) % 10**6:06}")
    visitor.sees("That is not the code. You can try 4 more times.")
    visitor.page.get_by_role("textbox", name="Code", exact=True).fill(f"{code[:3]} {code[3:]}")
    if not visitor.js:
        visitor.press_confirm()
    visitor.title("Approved. Now pay.")


def test_a_code_is_sent_again_but_not_at_once(visitor: Visitor, inbox: Inbox, shop: Stack) -> None:
    phone = new_phone()
    if visitor.js:
        visitor.page.clock.install()
    path = visitor.go_as_far_as_the_challenge("hand-balm", phone=phone)
    code = inbox.code(phone)
    if visitor.js:
        expect(visitor.button("Send it again")).to_be_disabled()
        visitor.sees(re.compile("You can ask again in 0:[0-3][0-9]"))
        visitor.page.clock.fast_forward(31_000)
        visitor.sees("You can ask again now.")
    with visitor.page.expect_response("**/send/") as answer:
        visitor.button("Send it again").click()
    assert answer.value.status == 429
    visitor.sees("A code is on its way. You can ask again in")
    assert inbox.count(phone, "code to pay") == 1

    shop.python(
        f"Challenge.objects.filter(pk='{path.split('/')[3]}').update(next_send_at=None)"
    )  # as half a minute later
    visitor.go(path)
    visitor.button("Send it again").click()
    assert inbox.code(phone) == code
    visitor.type_code(code)
    visitor.title("Approved. Now pay.")


def test_the_back_button_after_the_payment_pays_nothing_twice(visitor: Visitor, inbox: Inbox) -> None:
    phone = new_phone()
    visitor.go_as_far_as_the_challenge("hand-balm", phone=phone)
    visitor.type_code(inbox.code(phone))
    visitor.pay()
    order = visitor.order_code()
    visitor.page.go_back()
    visitor.title("Your cart")
    visitor.sees("Your cart is empty")
    visitor.go(f"/orders/{order}/")
    assert visitor.order_code() == order


def test_two_tabs_one_order(visitor: Visitor, inbox: Inbox, shop: Stack) -> None:
    phone = new_phone()
    path = visitor.go_as_far_as_the_challenge("hand-balm", phone=phone)
    second = Visitor(visitor.page.context.new_page(), js=visitor.js, url=shop.url, inbox=inbox)
    second.go(path)
    second.title(re.compile("^Approve €"))
    code = inbox.code(phone)
    visitor.type_code(code)
    visitor.title("Approved. Now pay.")
    second.type_code(code)  # it passed a moment ago; the second tab is led where the first one is
    second.title("Approved. Now pay.")
    visitor.pay()
    order = visitor.order_code()
    second.pay()
    assert second.order_code() == order
    assert shop.python(f"print(Order.objects.filter(phone='{phone}').count())") == "1"
    second.go(path)
    second.title("Your cart")


def test_a_challenge_that_is_somebody_elses_or_over(
    visitor: Visitor, another: ANOTHER, inbox: Inbox, shop: Stack
) -> None:
    phone = new_phone()
    path = visitor.go_as_far_as_the_challenge("hand-balm", phone=phone)
    code = inbox.code(phone)
    stranger = another()
    for address in (path, "/account/challenge/01234567-89ab-cdef-0123-456789abcdef/"):
        stranger.go(address)
        stranger.title("Nothing to confirm here")

    shop.python(f"Challenge.objects.filter(pk='{path.split('/')[3]}').update(expires_at=timezone.now())")
    visitor.type_code(code)
    visitor.sees("This code is over")
    visitor.button("Send a new code").click()
    visitor.title(re.compile("^Approve €"))
    assert visitor.challenge_path() != path
    visitor.type_code(inbox.code(phone))
    visitor.title("Approved. Now pay.")


def test_a_password_reset_does_not_skip_the_second_factor(visitor: Visitor, inbox: Inbox) -> None:
    rosa = new_email("rosa")
    visitor.sign_up(rosa, "Rosa Ring")
    app, _, _ = visitor.enrol()
    visitor.sign_out()
    visitor.go("/account/sign-in/")
    visitor.link("Forgot your password?").click()
    visitor.fill(contact=rosa)
    visitor.button("Send me a code").click()
    visitor.type_code(inbox.code(rosa, "choose a new password"))
    visitor.title("Choose a new password")
    visitor.fill(password="another rainy day")
    visitor.button("Change my password").click()
    visitor.is_told("Your password is changed")
    visitor.title("Sign in")

    visitor.type_password(rosa, PASSWORD)
    visitor.sees("don’t go together")
    visitor.type_password(rosa, "another rainy day")
    visitor.title("Confirm it’s you")
    visitor.sees("Open your authenticator app")
    expect(visitor.button(re.compile("^E-mail a code"))).to_have_count(0)  # whoever reads the mail has had that already
    visitor.go("/account/security/")
    visitor.title("Sign in")
    visitor.type_password(rosa, "another rainy day")
    visitor.type_code(app.code())
    visitor.title("Account security")


def test_rita_changes_a_price(visitor: Visitor, js: bool, demo_app: Callable[[str], App]) -> None:
    price = Decimal("46.00") + (1 if js else 2)
    app = demo_app("rita@example.org")
    visitor.go("/demo/inbox/")
    hers = visitor.page.locator("#demo-codes div").filter(has_text="rita@example.org").locator("code").inner_text()
    assert hers.replace("\u00a0", "") in [app.code_of(App.step_now() + either_side) for either_side in (-1, 0, 1)]

    visitor.go("/admin/")
    visitor.title("Sign in")
    visitor.type_password("rita@example.org", DEMO_PASSWORD)
    visitor.type_code(app.code())
    visitor.at("/admin/")
    page = visitor.page
    page.goto(f"{visitor.url}/admin/product/product/?q=brass-compass")
    page.get_by_role("link", name="Pocket compass").click()
    page.locator("[name=variants-0-price]").fill(str(price))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    visitor.go("/products/brass-compass/")
    visitor.sees(f"€\u00a0{price}")


def test_sam_sends_a_code_again_and_never_sees_it(
    visitor: Visitor, another: ANOTHER, inbox: Inbox, shop: Stack, demo_app: Callable[[str], App]
) -> None:
    phone = new_phone()
    guest = another()
    path = guest.go_as_far_as_the_challenge("hand-balm", phone=phone)
    code = inbox.code(phone)
    shop.let_half_a_minute_pass(path)

    def never_the_code() -> None:
        assert code not in visitor.page.content()

    visitor.go("/support/")
    visitor.type_password("sam@example.org", DEMO_PASSWORD)
    visitor.type_code(demo_app("sam@example.org").code())
    visitor.title("Support")
    visitor.fill(q=phone)
    visitor.button("Find").click()
    visitor.sees("Guest")
    never_the_code()
    visitor.link("Guest").click()
    visitor.title("Guest")
    never_the_code()
    visitor.sees(f"+49 ••• ••{phone[-2:]}")
    visitor.page.get_by_label("Why?").select_option("It did not arrive")
    visitor.button("Send the code again").click()
    visitor.is_told(f"Sent again to +49 ••• ••{phone[-2:]}.")
    never_the_code()
    assert inbox.code(phone) == code
    visitor.page.reload()
    visitor.sees(re.compile("^2, "))
    never_the_code()

    visitor.go("/admin/product/product/")
    visitor.title("Not for this account")
    guest.type_code(code)
    guest.title("Approved. Now pay.")


def test_a_fresh_superuser_is_led_to_an_authenticator_and_only_then_let_in(
    visitor: Visitor, inbox: Inbox, shop: Stack
) -> None:
    boss = new_email("boss")
    shop.manage("createsuperuser", "--noinput", DJANGO_SUPERUSER_EMAIL=boss, DJANGO_SUPERUSER_PASSWORD=DEMO_PASSWORD)
    visitor.go("/admin/")
    visitor.type_password(boss, DEMO_PASSWORD)
    visitor.type_code(inbox.code(boss, "sign in"))
    visitor.is_told("To work in the shop you need an authenticator app")
    for closed in ("/admin/", "/admin/product/product/", "/support/"):
        visitor.go(closed)
        visitor.title("For staff")
    visitor.link("Set up an authenticator app").click()
    app, _, _ = visitor.confirm_app()
    visitor.link("I have kept the codes, go on").click()
    visitor.title("For staff")
    visitor.button("Continue").click()
    visitor.type_code(app.code())
    visitor.at("/(admin|support)/")
    visitor.go("/admin/product/product/")
    expect(visitor.page.get_by_role("link", name="Pocket compass")).to_be_visible()


def test_the_cart_changes_as_one_counts(visitor: Visitor) -> None:
    visitor.put_into_cart("enamel-mug")
    visitor.go("/cart/")
    page = visitor.page
    line = page.get_by_role("listitem").filter(has_text="Speckled enamel mug")
    if visitor.js:
        expect(line.get_by_role("button", name="Update")).to_be_hidden()
        held: list[Route] = []
        page.route("**/cart/update/", lambda route: held.append(route), times=1)
        with page.expect_request("**/cart/update/"):
            line.get_by_role("button", name="One more").click()
        line.get_by_role("button", name="One more").click()  # the answer to the first must not undo this one
        expect(line.get_by_role("spinbutton")).to_have_value("3")
        held[0].continue_()
    else:
        expect(line.get_by_role("button", name="One more")).to_be_hidden()
        line.get_by_role("spinbutton").fill("3")
        line.get_by_role("button", name="Update").click()
    expect(page.locator("#cart-summary")).to_contain_text("€\u00a037.50")
    expect(page.get_by_role("banner").get_by_role("link", name="Cart")).to_contain_text("3 items")
    line.get_by_role("button", name="Remove").click()
    visitor.sees("Your cart is empty")
    visitor.go("/checkout/")
    visitor.is_told("Your cart is empty, so there is nothing to pay.")


def test_what_is_not_there_says_so_calmly(visitor: Visitor) -> None:
    for path in ("/products/no-such-thing/", "/products/?category=no-such", "/orders/AAAAAAAA/", "/admin/no/"):
        visitor.go(path)
        visitor.title(re.compile("^(Nothing here|Sign in)$"))
