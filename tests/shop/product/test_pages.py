"""Home, listing and product page."""

from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from accounts.factors.base import Strength
from shop.cart.models import Cart, CartLine
from shop.product import stock
from shop.product.listing import PAGE_SIZE
from shop.product.models import Attribute, Brand, ProductPicture, Related, Variant
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

    def test_looking_makes_no_session_and_costs_three_queries(self, client, django_assert_num_queries):
        for n in range(12):
            variant(of=product(f"Mug {n}"), sale_price="9.00")
        with django_assert_num_queries(3):
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

    def test_it_costs_the_same_with_everything_on_it(self, client, django_assert_num_queries):
        pot = full_of_everything()
        with django_assert_num_queries(1):
            client.get(pot.get_absolute_url())

    def test_only_reading_is_allowed(self, client):
        assert client.post(variant().product.get_absolute_url()).status_code == 405
        assert Variant.objects.count() == 1


def full_of_everything():
    """A product in two sizes and two colours, of which Large and Red is not made; with facts, pictures and friends."""
    clay = category("Clay", parent=category("Garden"))
    pot = product("Pot", category=clay, brand=Brand.objects.create(name="Garth", slug="garth"))
    option(pot, "Size", "Small", "Large")
    option(pot, "Colour", "Red", "Blue")
    variant(of=pot, option_values=["Large", "Blue"], price="30.00", on_hand=0)
    variant(of=pot, option_values=["Small", "Blue"], price="20.00", sale_price="15.00", on_hand=3)
    variant(of=pot, option_values=["Small", "Red"], price="10.00")
    for n, (path, shows) in enumerate([("a", ""), ("b", "Blue"), ("c", "Red")]):
        ProductPicture.objects.create(
            product=pot, static_path=f"img/{path}.svg", alt=f"Picture {path}", shows=shows, position=n
        )
    for fact, values in (("Material", ["Clay", "Glaze"]), ("Made in", ["Wales"])):
        attribute = Attribute.objects.create(name=fact, slug=fact.lower().replace(" ", "-"))
        pot.attribute_values.add(*(attribute.values.create(name=value, slug=value.lower()) for value in values))
    by_hand = [variant(of=product(f"Friend {n}")).product for n in range(2)]
    for n, friend in enumerate(reversed(by_hand)):
        Related.objects.create(product=pot, other=friend, position=n)
    for n in range(4):
        variant(of=product(f"Neighbour {n}", category=clay, publish_at=timezone.now() - timedelta(days=9 - n)))
    variant(of=product("Secret", category=clay, status="draft"))
    return pot


def shown(client, pot, **wanted):
    return client.get(pot.get_absolute_url(), wanted)


class TestChoosing:
    def test_the_first_that_is_there_is_chosen_in_the_order_of_the_values(self, client):
        page = shown(client, full_of_everything()).context["page"]
        assert [choice.name for choice in page.choices] == ["Small, Red", "Small, Blue", "Large, Blue"]
        assert page.chosen.name == "Small, Red"

    @pytest.mark.parametrize("by", ["values", "key"])
    def test_a_variant_has_an_address(self, client, by):
        pot = full_of_everything()
        key = pot.variants.get(name="Small, Blue").pk
        wanted = {"option-0": "Small", "option-1": "Blue"} if by == "values" else {"variant": key}
        response = shown(client, pot, **wanted)
        page = response.context["page"]
        assert (page.chosen.name, page.chosen.price, page.chosen.before) == ("Small, Blue", Decimal(15), Decimal(20))
        assert [picture.alt for picture in page.pictures] == ["Picture b", "Picture a", "Picture c"]
        words = " ".join(strip_tags(response.text).split())
        assert "Now € 15.00 before € 20.00" in words and "Only 3 left" in words and "Sale" in words

    def test_what_is_not_made_or_sold_out_is_said_of_each_value(self, client):
        pot = full_of_everything()
        small_red, small_blue, large_blue, large_red = (
            shown(client, pot, **{"option-0": size, "option-1": colour})
            for size, colour in (("Small", "Red"), ("Small", "Blue"), ("Large", "Blue"), ("Large", "Red"))
        )
        sizes = {value.name: value for value in small_red.context["page"].options[0].values}
        assert (sizes["Small"].is_free, sizes["Large"].choice) == (True, None)
        sizes = {value.name: value for value in small_blue.context["page"].options[0].values}
        assert (sizes["Large"].choice.name, sizes["Large"].is_free) == ("Large, Blue", False)
        assert "Sold out" in large_blue.text
        assert "not made like this" in small_red.text
        assert large_red.context["page"].chosen is None
        assert "choose another combination" in large_red.text
        for page, can in ((small_red, True), (small_blue, True), (large_blue, False), (large_red, False)):
            assert ('<button class="button button--wide">' in page.text) is can

    @pytest.mark.parametrize(
        "wanted",
        [{"variant": "x"}, {"variant": "9" * 99}, {"option-0": "\0"}, {"option-1": "Blue"}, {"option-7": "Red"}],
    )
    def test_nonsense_is_no_error(self, client, wanted):
        assert shown(client, full_of_everything(), **wanted).status_code == 200

    def test_without_javascript_the_form_leads_to_what_is_ticked(self, client):
        pot = full_of_everything()
        ticked = {"option-0": "Small", "option-1": "Blue", "csrfmiddlewaretoken": "s3cret", "quantity": "2"}
        response = client.post(reverse("product:choose", args=[pot.slug]), ticked)
        assert response.url == f"{pot.get_absolute_url()}?option-0=Small&option-1=Blue"

    @pytest.mark.parametrize("status_code", [302, 422])
    def test_the_values_are_put_into_the_cart(self, client, status_code):
        pot = full_of_everything()
        values = {"option-0": "Small" if status_code == 302 else "Large", "option-1": "Red"}
        response = client.post(reverse("cart:add"), {"product": pot.pk, "quantity": 1, **values})
        assert response.status_code == status_code
        if status_code == 302:
            assert CartLine.objects.get().variant.name == "Small, Red"
            assert "Size: Small, Colour: Red" in client.get("/cart/").text
        else:
            assert "choose another combination" in response.text

    def test_the_sale_is_what_the_cart_and_the_cart_line_say(self, client):
        blue = full_of_everything().variants.get(name="Small, Blue")
        client.post(reverse("cart:add"), {"variant": blue.pk, "quantity": 2})
        assert CartLine.objects.get().price_seen == Decimal("15.00")
        text = client.get("/cart/").text
        assert "€\xa030.00" in text and "The price changed" not in text
        Variant.objects.filter(pk=blue.pk).update(sale_until=timezone.now())
        text = client.get("/cart/").text
        assert "The price changed from €\xa015.00 to €\xa020.00" in text and "€\xa040.00" in text


class TestAround:
    def test_facts_brand_and_the_way_here(self, client):
        text = shown(client, full_of_everything()).text
        assert "Garth" in text and "Clay, Glaze" in text and "Wales" in text
        assert text.index("category=garden") < text.index("category=clay")

    def test_what_goes_with_it_is_by_hand_first_then_the_newest_of_its_kind(self, client):
        related = shown(client, full_of_everything()).context["page"].related
        assert [each.name for each in related] == ["Friend 1", "Friend 0", "Neighbour 3", "Neighbour 2"]
        assert [(each.price_from, each.in_stock) for each in related] == [(Decimal(10), True)] * 4

    def test_staff_see_a_draft_and_nobody_else(self, client, ben, rita, as_staff):
        pot = variant(of=product("Draft", status="draft", publish_at=timezone.now() + timedelta(days=1))).product
        client.force_login(ben)
        assert client.get(pot.get_absolute_url()).status_code == 404
        assert as_staff(rita, Strength.TEXT).get(pot.get_absolute_url()).status_code == 404
        page = as_staff(rita).get(pot.get_absolute_url())
        assert "Only staff see this page" in page.text
        assert "disabled" in page.text[page.text.index('class="button button--wide"') :][:60]


CARDS = ["New", "Few", "Gone", "Sale", "Usual"]


class TestCards:
    def test_they_say_what_is_reduced_new_few_and_gone(self, client):
        old = timezone.now() - timedelta(days=30)
        variant(of=product("New"))
        variant(of=product("Few", publish_at=old), on_hand=2)
        variant(of=product("Gone", publish_at=old), on_hand=0)
        variant(of=product("Sale", publish_at=old), sale_price="8.00")
        variant(of=product("Usual", publish_at=old))
        text = client.get(LIST, {"sort": "name"}).text
        cards = {name: card for card in text.split("<article")[1:] for name in CARDS if f">{name}</a>" in card}
        for name, badge in zip(CARDS, ("New", "Only 2 left", "Sold out", "Sale"), strict=False):
            assert f">{badge}</span>" in cards[name], name
        assert "badge" not in cards["Usual"]
        assert "<del" in cards["Sale"]

    def test_a_category_shows_what_is_below_it(self, client):
        pot = full_of_everything()
        found = names(client.get(LIST, {"category": "garden"}))
        assert pot.name in found and "Neighbour 0" in found and "Friend 0" not in found

    def test_the_menu_is_open_where_one_is_and_the_crumbs_lead_up(self, client):
        full_of_everything()
        category("Pots", parent=category("Clay"))
        for slug, menu in (("", ["Garden", "Kitchen"]), ("garden", ["Garden", "Clay", "Kitchen"])):
            page = client.get(LIST, {"category": slug})
            assert [each.name for each in page.context["categories"]] == menu
        page = client.get(LIST, {"category": "pots"})
        assert [each.name for each in page.context["categories"]] == ["Garden", "Clay", "Pots", "Kitchen"]
        assert [name for name, _url in page.context["crumbs"]] == ["Home", "Products", "Garden", "Clay", "Pots"]
