"""The shop as `make run` starts it, and Chromium on a phone's screen, with and without JavaScript."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.loud import browser_program, oathtool
from tests.browser.stack import App, Inbox, Stack, what_the_shops_said
from tests.browser.visitor import Visitor
from tests.browser.watch import Watch
from tests.embedded.test_run import free_port

QUIET = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --disable-quic"
)
PHONE = {"width": 390, "height": 844}
LONGEST_WAIT = 15_000  # ms; pages answer in a tenth of a second, but the machine may be doing three other things

_numbers = count(1)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(__file__.rpartition("/")[0]):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


# Scope "package" and not "session": while Playwright runs, Django refuses this thread its database, and other tests
# may come after these.


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = browser_program()
    oathtool()
    with sync_playwright() as playwright:
        expect.set_options(timeout=LONGEST_WAIT)
        found = playwright.chromium.launch(executable_path=program, args=QUIET.split())
        yield found
        found.close()


@pytest.fixture(scope="package")
def shop(browser: Browser) -> Iterator[Stack]:
    """`make run`, with data of its own. Asks for the browser first: without one there is nothing to start it for."""
    stack = Stack(port=free_port(), DEMO="1")
    yield stack
    stack.stop()


@pytest.fixture(scope="package")
def inbox(shop: Stack) -> Inbox:
    return Inbox(shop.url)


@pytest.fixture(scope="package")
def demo_app(shop: Stack) -> Callable[[str], App]:
    """`demo_app("rita@example.org")`: the authenticator app of one of the demo's staff."""

    @cache
    def app_of(email: str) -> App:
        return App(shop.python(f"print(Authenticator.objects.get(user__email='{email}').typed_key)"))

    return app_of


@pytest.fixture(params=[True, False], ids=["js", "no_js"])
def js(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    assert not watch.problems, "\n".join([*watch.problems, what_the_shops_said()])


@pytest.fixture
def new_context(browser: Browser, watch: Watch) -> Iterator[Callable[..., BrowserContext]]:
    """`new_context(js=...)`: a browser of somebody else, on another line."""
    opened: list[BrowserContext] = []

    def open_one(*, js: bool = True, **options: Any) -> BrowserContext:
        number = next(_numbers)
        context = browser.new_context(
            java_script_enabled=js,
            extra_http_headers={"X-Forwarded-For": f"198.51.100.{number % 254 + 1}"},
            **({"viewport": PHONE, "has_touch": True} | options),
        )
        context.set_default_timeout(LONGEST_WAIT)
        watch.over(context)
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()


@pytest.fixture
def page(new_context: Callable[..., BrowserContext], js: bool) -> Page:
    return new_context(js=js).new_page()


@pytest.fixture
def visitor(page: Page, js: bool, shop: Stack, inbox: Inbox) -> Visitor:
    """Somebody new in the shop."""
    return Visitor(page, js=js, url=shop.url, inbox=inbox)


@pytest.fixture
def another(new_context: Callable[..., BrowserContext], js: bool, shop: Stack, inbox: Inbox) -> Callable[[], Visitor]:
    """`another()`: one more person, in a browser of their own."""
    return lambda: Visitor(new_context(js=js).new_page(), js=js, url=shop.url, inbox=inbox)
