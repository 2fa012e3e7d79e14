"""Home, listing and product page."""

from urllib.parse import quote

import pytest
from django.urls import reverse
from django.utils import timezone

from shop.cart.models import Cart, CartLine
from shop.product import stock
from shop.product.listing import PAGE_SIZE
from shop.product.models import Variant
from tests.shop.product.shelf import category, option, product, variant

pytestmark = pytest.mark.django_db
LIST = "/products/"


def names(response):
    return [each.name for each in response.context["page_obj"]]


class TestHome:
    def test_it_shows_categories_and_new_products(self, client):
        variant(of=product("Teapot"))
        category("Empty shelf")
        page = client.get(reverse("product:home"))
        assert page.status_code == 200
        assert "Teapot" in page.text
        assert "Kitchen" in page.text
        assert "Empty shelf" not in page.text

    def test_an_empty_shop_is_a_page_too(self, client):
        assert "being filled" in client.get("/").text

    def test_looking_makes_no_session_and_costs_two_queries(self, client, django_assert_num_queries):
        for n in range(12):
            variant(of=product(f"Mug {n}"))
        with django_assert_num_queries(2):
            page = client.get("/")
        assert "session" not in page.cookies


class TestListing:
    def test_it_shows_what_is_on_sale(self, client):
        variant(of=product("Teapot"))
        variant(of=product("Secret", status="draft"))
        variant(of=product("Retired"), is_active=False)
        product("Unborn")
        assert names(client.get(LIST)) == ["Teapot"]

    @pytest.mark.parametrize(
        ("q", "found"),
        [
            ("creme", ["Crème pot"]),
            ("CRÈME", ["Crème pot"]),
            ("pot creme", ["Crème pot"]),
            ("stoneware", ["Crème pot"]),
            ("outdoors", ["Tent"]),
            ("creme tent", []),
            ("100%", []),
            ("' OR 1=1 --", []),
            ("   ", ["Tent", "Crème pot"]),
        ],
    )
    def test_it_finds_each_word_in_name_summary_or_category(self, client, q, found):
        variant(of=product("Crème pot", slug="creme-pot", summary="Of stoneware"))
        variant(of=product("Tent", category=category("Outdoors")))
        page = client.get(LIST, {"q": q})
        assert names(page) == found
        if not found:
            assert "Nothing found" in page.text
            assert "See all products" in page.text

    def test_it_keeps_to_a_category(self, client):
        variant(of=product("Mug"))
        variant(of=product("Tent", category=category("Outdoors")))
        assert names(client.get(LIST, {"category": "outdoors"})) == ["Tent"]

    def test_nothing_found_in_a_category_offers_the_others(self, client):
        category("Outdoors")
        page = client.get(LIST, {"q": "mug", "category": "outdoors"})
        assert "We looked in Outdoors only." in page.text
        assert 'href="?q=mug"' in page.text

    @pytest.mark.parametrize("slug", ["nope", "%00", "x" * 200, "../kitchen", "Kitchen "])
    def test_an_unknown_category_is_not_found(self, client, slug):
        category("Kitchen")
        assert client.get(f"{LIST}?category={slug}").status_code in ((404,) if slug != "Kitchen " else (404, 200))

    @pytest.mark.parametrize(
        ("sort", "order"),
        [
            ("name", ["Ant", "Bee", "Cat"]),
            ("price", ["Bee", "Cat", "Ant"]),
            ("-price", ["Ant", "Cat", "Bee"]),
            ("newest", ["Cat", "Ant", "Bee"]),
            ("", ["Cat", "Ant", "Bee"]),
            ("nonsense", ["Cat", "Ant", "Bee"]),
        ],
    )
    def test_it_sorts(self, client, sort, order):
        for name, price in (("Bee", "1.00"), ("Ant", "9.00"), ("Cat", "5.00")):
            variant(of=product(name), price=price)
        assert names(client.get(LIST, {"sort": sort})) == order

    @pytest.mark.parametrize(
        ("page", "number"),
        [("", 1), ("2", 2), ("abc", 1), ("99", 2), ("0", 2), ("-1", 2), ("1e3", 1), ("9" * 5000, 1), ("%00", 1)],
    )
    def test_a_nonsense_page_is_the_first_or_the_last(self, client, page, number):
        for n in range(PAGE_SIZE + 1):
            variant(of=product(f"Mug {n}"))
        assert client.get(f"{LIST}?page={page}").context["page_obj"].number == number

    @pytest.mark.parametrize("q", ["\0", "x" * 5000, "%ff%fe", "<script>alert(1)</script>", "a " * 50])
    def test_odd_words_are_no_error(self, client, q):
        page = client.get(f"{LIST}?q={quote(q, safe='%')}")
        assert page.status_code == 200
        assert "<script>alert" not in page.text

    def test_it_costs_three_queries_however_many_there_are(self, client, django_assert_num_queries):
        for n in range(PAGE_SIZE + 5):
            variant(of=product(f"Mug {n}"))
        with django_assert_num_queries(3):
            page = client.get(LIST, {"q": "mug", "category": "kitchen", "sort": "price"})
        assert len(names(page)) == PAGE_SIZE
        assert "session" not in page.cookies


class TestProduct:
    def test_it_shows_variants_with_price_and_stock(self, client):
        pot = product("Pot")
        option(pot, "Size", "Small", "Large", "Huge")
        variant(option_values=["Small"], of=pot, price="7.50")
        variant(option_values=["Large"], of=pot, price="34.00", on_hand=2)
        variant(option_values=["Huge"], of=pot, price="50.00", on_hand=0)
        variant("Retired", of=pot, is_active=False)
        text = client.get(pot.get_absolute_url()).text
        assert "Small" in text and "€\xa034.00" in text and "only 2 left" in text and "sold out" in text
        assert "Retired" not in text

    def test_sold_out_says_so_and_offers_no_button(self, client):
        mug = variant(on_hand=0)
        text = client.get(mug.product.get_absolute_url()).text
        assert "Sold out" in text
        assert "Add to cart" not in text

    def test_a_lapsed_hold_leaves_it_in_stock(self, client):
        mug = variant(on_hand=1)
        stock.place_hold(Cart().pk, {mug.pk: 1}, timezone.now() - stock.HOLD_LIFE)
        assert "Only 1 left" in client.get(mug.product.get_absolute_url()).text

    @pytest.mark.parametrize("fields", [{"status": "draft"}, {}])
    def test_what_is_not_on_sale_is_not_found(self, client, fields):
        pot = product("Pot", **fields)
        if fields:
            variant(of=pot)
        assert client.get(pot.get_absolute_url()).status_code == 404
        assert client.get("/products/nothing-like-this/").status_code == 404

    def test_a_product_without_a_picture_has_one(self, client):
        assert "no-picture.svg" in client.get(variant().product.get_absolute_url()).text

    def test_an_anonymous_visitor_costs_one_query_and_gets_no_session(self, client, django_assert_num_queries):
        url = variant().product.get_absolute_url()
        with django_assert_num_queries(1):
            page = client.get(url)
        assert "session" not in page.cookies

    def test_a_signed_in_shopper_costs_four_queries(self, client, ben, django_assert_num_queries):
        """Session, person, variants, the number of things in the cart."""
        mugs = [variant(str(n), of=mug) for mug in [product()] for n in range(9)]
        cart = Cart.objects.create(user=ben)
        CartLine.objects.create(cart=cart, variant=mugs[0], quantity=3, price_seen="10.00")
        client.force_login(ben)
        with django_assert_num_queries(4):
            page = client.get(mugs[0].product.get_absolute_url())
        assert '<span class="count">3' in page.text

    def test_only_reading_is_allowed(self, client):
        assert client.post(variant().product.get_absolute_url()).status_code == 405
        assert Variant.objects.count() == 1
