"""Pictures of every page, to be looked at: `python -m tests.browser.screenshots FOLDER` (outside the repository)."""

import argparse
import re
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import LONGEST_WAIT, QUIET
from tests.browser.loud import browser_program
from tests.browser.stack import App, Inbox, Stack
from tests.browser.tour import tour
from tests.browser.visitor import Visitor
from tests.embedded.test_run import free_port

SIZES = {"390": {"width": 390, "height": 844}, "1280": {"width": 1280, "height": 900}}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="a pattern of the pages' names")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    shop = Stack(port=free_port(), DEMO="1")
    inbox = Inbox(shop.url)
    try:
        with sync_playwright() as playwright:
            expect.set_options(timeout=LONGEST_WAIT)
            browser = playwright.chromium.launch(executable_path=browser_program(), args=QUIET.split())

            def come() -> Visitor:
                return Visitor(
                    browser.new_context(viewport=SIZES["1280"]).new_page(), js=True, url=shop.url, inbox=inbox
                )

            def app_of(email: str) -> App:
                return App(shop.python(f"print(Authenticator.objects.get(user__email='{email}').typed_key)"))

            for number, (name, page) in enumerate(tour(come(), come(), app_of, inbox), 1):
                if re.search(options.only, name):
                    _take(page, options.folder, f"{number:02} {name}")
            browser.close()
    finally:
        shop.stop()


def _take(page: Page, folder: Path, name: str) -> None:
    before = page.viewport_size
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width, size in SIZES.items():
            page.set_viewport_size(size)
            page.screenshot(path=folder / f"{name} {width} {scheme}.png", full_page=True, animations="disabled")
    page.emulate_media(color_scheme="light")
    if before:
        page.set_viewport_size(before)


if __name__ == "__main__":
    main()
