"""Choosing among several options: what the page says changes with it, and what is ticked is what is bought."""

from playwright.sync_api import expect

from tests.browser.visitor import Visitor


def test_a_variant_is_chosen_and_bought(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/products/lambswool-blanket/")
    expect(page.locator(".product-page__price")).to_contain_text("€ 98.00")
    page.get_by_label("Moss").check(force=True)  # the label is drawn over it
    if visitor.js:
        expect(page.locator(".gallery img").first).to_have_attribute("alt", "Lambswool blanket, moss")
        expect(page.get_by_label("Moss")).to_be_focused()
    page.get_by_label("190 × 220 cm").check(force=True)
    if not visitor.js:
        visitor.button("Show price and stock").click()
    expect(page.locator(".product-page__price")).to_contain_text("€ 156.00")
    visitor.sees("Only 3 left")
    page.go_back()
    page.go_forward()
    expect(page.locator(".product-page__price")).to_contain_text("€ 156.00")

    page.get_by_label("Ink blue").check(force=True)
    if not visitor.js:
        visitor.button("Show price and stock").click()
    visitor.sees("We don't make it like this")
    expect(visitor.button("Add to cart")).to_be_disabled()

    page.get_by_label("Moss").check(force=True)
    if not visitor.js:
        visitor.button("Show price and stock").click()
    visitor.add_to_cart()
    visitor.go("/cart/")
    visitor.sees("Colour: Moss, Size: 190 × 220 cm")
