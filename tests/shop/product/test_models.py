"""The tree, the price of now, publishing, and variants that fit their options: rules that the database keeps."""

from datetime import timedelta
from decimal import Decimal
from itertools import product as pairs

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from shop.product.models import Category, Option, Product, ProductPicture, Variant, price_now, published
from tests.shop.product.shelf import category, option, product, variant

pytestmark = pytest.mark.django_db
NOW = timezone.now()
DAY = timedelta(days=1)


def check_now():
    """What the database checks at the end of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


@transaction.atomic
def whole(change):
    change()
    check_now()


def refused(change):
    with pytest.raises(IntegrityError, match="has not one value of each option"):
        whole(change)


class TestTree:
    def test_a_category_knows_all_that_is_below_it(self):
        garden = category("Garden")
        pots = category("Pots", parent=garden)
        clay = category("Clay", parent=pots)
        category("Garden-2")  # whose path begins with the same letters
        assert clay.path == "garden/pots/clay/"
        assert {each.name for each in Category.objects.within(garden)} == {"Garden", "Pots", "Clay"}
        mug = variant(of=product("Flowerpot", category=clay)).product
        assert list(Product.objects.within(garden)) == list(Product.objects.within(pots)) == [mug]

    def test_a_move_takes_everything_below_along(self):
        garden, home = category("Garden"), category("Home")
        pots = category("Pots", parent=garden)
        category("Clay", parent=pots)
        pots.parent, pots.slug = home, "vessels"
        pots.save(update_fields=["parent", "slug"])
        assert set(Category.objects.values_list("path", flat=True)) == {
            "garden/", "home/", "home/vessels/", "home/vessels/clay/"
        }  # fmt: skip

    def test_nothing_is_below_itself(self):
        garden = category("Garden")
        garden.parent = category("Pots", parent=garden)
        with pytest.raises(ValueError, match="below itself"):
            garden.save()

    def test_a_path_that_is_not_its_own_is_refused(self):
        with pytest.raises(IntegrityError, match="category_path_ends_with_its_slug"):
            Category.objects.bulk_create([Category(name="Pots", slug="pots", path="garden/")])


class TestPriceOfNow:
    @pytest.mark.parametrize(
        ("begins", "ends"), list(pairs((None, NOW - DAY, NOW, NOW + DAY), (None, NOW, NOW + 2 * DAY)))
    )
    @pytest.mark.parametrize("sale_price", [None, Decimal("7.50"), Decimal("0.00")])
    def test_sql_and_python_agree(self, begins, ends, sale_price):
        if begins and ends and ends <= begins:
            with pytest.raises(IntegrityError, match="variant_sale_ends_after_it_begins"):
                variant(sale_price=sale_price, sale_from=begins, sale_until=ends)
            return
        mug = variant(sale_price=sale_price, sale_from=begins, sale_until=ends)
        mug.refresh_from_db()
        for now in (NOW - DAY / 2, NOW, NOW + DAY, NOW + 3 * DAY):
            in_sql = Variant.objects.annotate(now=price_now(now=now)).get().now
            on_sale = sale_price is not None and (not begins or begins <= now) and (not ends or now < ends)
            assert in_sql == mug.price_at(now) == (sale_price if on_sale else Decimal("10.00"))

    @pytest.mark.parametrize("sale_price", ["10.00", "10.01", "-0.01"])
    def test_a_sale_lowers_the_price(self, sale_price):
        with pytest.raises(IntegrityError, match="variant_sale_below_price"):
            variant(sale_price=sale_price)

    def test_it_is_decided_once_for_what_was_read(self):
        mug = variant()
        mug = Variant.objects.get(pk=mug.pk)
        assert mug.price_now == Decimal("10.00")
        Variant.objects.update(price="12.00")
        mug.price = Decimal("12.00")
        assert mug.price_now == Decimal("10.00")
        mug.refresh_from_db()
        assert mug.price_now == Decimal("12.00")


@pytest.mark.parametrize(
    ("status", "publish_at", "shown"),
    [("draft", NOW - DAY, False), ("published", NOW - DAY, True), ("published", NOW + DAY, False)],
)
def test_what_is_scheduled_appears_by_itself(status, publish_at, shown):
    mug = variant(of=product(status=status, publish_at=publish_at))
    assert mug.product.is_public is shown
    assert Product.objects.on_sale().exists() is shown
    assert Variant.objects.on_sale().exists() is shown
    assert Product.objects.filter(published(now=NOW + DAY)).exists() is (status == "published")


class TestOptions:
    @pytest.fixture
    def shirt(self):
        shirt = product("Shirt")
        option(shirt, "Size", "S", "M")
        option(shirt, "Colour", "Red", "Blue")
        return shirt

    def test_a_variant_is_named_after_its_values(self, shirt):
        small = variant(of=shirt, option_values=["S", "Red"])
        check_now()
        assert str(small) == "Shirt, S, Red"

    @pytest.mark.parametrize("values", [[], ["S"], ["Red", "S"], ["S", "Green"], ["S", "Red", "Wool"]], ids=str)
    def test_the_database_refuses_what_does_not_fit(self, shirt, values):
        refused(lambda: variant("Odd", of=shirt, option_values=values))
        variant("Old", of=shirt, option_values=values, is_active=False)  # what is retired may be as it was
        check_now()
        refused(lambda: Variant.objects.update(is_active=True))

    def test_a_value_in_use_stays(self, shirt):
        variant(of=shirt, option_values=["S", "Red"])
        Option.objects.filter(name="Colour").update(values=["Red"])
        check_now()
        refused(lambda: Option.objects.filter(name="Colour").update(values=["Blue"]))
        refused(shirt.options.all().delete)

    def test_a_combination_is_there_once(self, shirt):
        variant(of=shirt, option_values=["S", "Red"])
        with pytest.raises(IntegrityError, match="variant_values_once_a_product"), transaction.atomic():
            Variant.objects.bulk_create(
                [Variant(product=shirt, sku="2", name="x", price=1, option_values=["S", "Red"])]
            )


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"alt": "A mug"}, "picture_is_uploaded_or_static"),
        ({"alt": "A mug", "static_path": "img/a.svg", "image": "products/a.webp"}, "picture_is_uploaded_or_static"),
        ({"alt": "", "static_path": "img/a.svg"}, "picture_has_words"),
    ],
)
def test_a_picture_has_one_source_and_words(fields, rule):
    with pytest.raises(IntegrityError, match=rule):
        ProductPicture.objects.bulk_create([ProductPicture(product=product(), **fields)])
