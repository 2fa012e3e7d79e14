"""Every page, measured: one h1, a label for each field, nothing to scroll sideways on the smallest phone."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext

from tests.browser.stack import App, Inbox, Stack
from tests.browser.tour import tour
from tests.browser.visitor import Visitor

SMALLEST = {"width": 320, "height": 640}

FAULTS = """() => {
  const faults = [];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const headings = [...document.querySelectorAll("h1")].filter(shown);
  if (headings.length !== 1) faults.push(`${headings.length} h1`);
  for (const field of document.querySelectorAll("input:not([type=hidden], [type=submit]), select, textarea")) {
    const named = field.labels?.length || field.ariaLabel || field.getAttribute("aria-labelledby");
    if (shown(field) && !named) faults.push(`no label: ${field.outerHTML}`);
  }
  for (const button of document.querySelectorAll("button, a[href]")) {
    const drawn = button.querySelector("[aria-label], img[alt]:not([alt=''])");
    const named = button.textContent.trim() || button.ariaLabel || drawn;
    if (shown(button) && !named) faults.push(`no name: ${button.outerHTML}`);
  }
  for (const picture of document.querySelectorAll("img:not([alt])")) faults.push(`no alt: ${picture.outerHTML}`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) faults.push(`twice: #${id}`);
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    const wide = [...document.querySelectorAll("body *")].filter(
      (element) => shown(element) && element.getBoundingClientRect().right > width + 1);
    for (const element of wide.slice(0, 3)) faults.push(`too wide: ${element.outerHTML.slice(0, 120)}`);
  }
  return faults;
}"""


def test_every_page_is_in_order(
    new_context: Callable[..., BrowserContext], shop: Stack, inbox: Inbox, demo_app: Callable[[str], App]
) -> None:
    def come() -> Visitor:
        return Visitor(new_context(viewport=SMALLEST).new_page(), js=True, url=shop.url, inbox=inbox)

    faults = []
    for name, page in tour(come(), come(), demo_app, inbox):
        if not name.startswith("admin"):  # whose pages are Django's
            faults += [f"{name}: {fault}" for fault in page.evaluate(FAULTS)]
    assert not faults, "\n".join(faults)
