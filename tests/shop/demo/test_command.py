"""`manage.py demo`: goods and people to try the shop with."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.contrib.staticfiles import finders
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.factors.authenticator import Authenticator
from accounts.models import User
from accounts.phones import parse_phone
from shop.demo import bulk
from shop.demo.catalogue import CATEGORIES
from shop.demo.people import PASSWORD, PEOPLE, SUPPORT
from shop.product.models import Category, Option, Product, ProductPicture, Variant, reduced

pytestmark = pytest.mark.django_db


def run(*args):
    out = StringIO()
    call_command("demo", *args, stdout=out)
    return out.getvalue()


def test_without_demo_it_makes_nobody(settings):
    settings.DEMO = False
    for args in ([], ["--people"]):
        with pytest.raises(CommandError, match="DEMO=1"):
            run(*args)
    assert not User.objects.exists()
    assert not Product.objects.exists()


def test_it_fills_the_shop(demo):
    assert "40 products and 4 people were added" in run()
    assert Category.objects.filter(parent=None).count() == len(CATEGORIES) == 8
    assert Category.objects.filter(path__regex="^[^/]+/[^/]+/$").count() == 16
    assert Product.objects.on_sale().for_cards().count() == 38
    assert Product.objects.on_sale(timezone.now() + timedelta(days=30)).count() == 39  # one is scheduled, one a draft
    assert not Product.objects.filter(brand=None).exists()
    assert Variant.objects.filter(reduced(now=timezone.now())).count() == 7
    assert not Product.objects.on_sale().filter(attribute_values=None).exists()
    newest = Product.objects.order_by("-created_at", "-pk")[:8]
    assert len({product.category_id for product in newest}) == 8


def test_each_product_has_its_picture_in_words_too(demo):
    run()
    for picture in ProductPicture.objects.all():
        assert finders.find(picture.static_path), picture.static_path
    for product in Product.objects.prefetch_related("pictures"):
        first = product.pictures.all()[0]
        assert (product.picture, product.picture_alt) == (first.static_path, first.alt)
    tote = Variant.objects.get(sku="BAG-TOT-MOS")
    assert tote.picture == "img/demo/canvas-tote-moss.svg"
    assert tote.product.pictures.get(shows="Ink blue").static_path == tote.product.picture


def test_a_second_run_leaves_everything_as_it_is(demo):
    run()
    ada = User.objects.get(email="ada@example.org")
    ada.name = "Ada King"
    ada.set_password("changed by herself")
    ada.save()
    mug = Variant.objects.get(sku="KIT-MUG")
    mug.on_hand, mug.price = 3, "99.00"
    mug.save()
    Product.objects.filter(pk=mug.product_id).update(name="My mug")
    Category.objects.update(position=5)
    Authenticator.objects.all().delete()
    Variant.objects.filter(sku="KIT-BRD-S").delete()

    assert "0 products and 0 people were added" in run()
    ada.refresh_from_db()
    mug.refresh_from_db()
    assert (ada.name, ada.check_password("changed by herself")) == ("Ada King", True)
    assert (mug.on_hand, str(mug.price), mug.product.name) == (3, "99.00", "My mug")
    assert not Authenticator.objects.exists()
    assert not Variant.objects.filter(sku="KIT-BRD-S").exists()
    assert set(Category.objects.values_list("position", flat=True)) == {5}


def test_a_product_of_the_shops_own_stays(demo):
    shelf = Category.objects.create(name="My kitchen", slug="kitchen")
    Product.objects.create(name="My mug", slug="enamel-mug", category=shelf)
    run()
    own = Product.objects.get(slug="enamel-mug")
    assert (own.name, own.category.name, own.variants.count()) == ("My mug", "My kitchen", 0)


def test_the_people_can_sign_in(demo):
    run()
    for person in PEOPLE:
        assert authenticate(username=person.signs_in_as, password=PASSWORD) is not None
        if person.phone:
            assert parse_phone(person.phone) == person.phone
    ada = User.objects.get(email="ada@example.org")
    assert ada.mailboxes.get().address == "ada@example.org"
    assert str(ada.phones.get().number) == ada.phone == "+4915123456789"
    assert ada.addresses.get().city == "Berlin"


def test_staff_have_an_authenticator_and_their_rights(demo):
    run()
    sam, rita = User.objects.get(email="sam@example.org"), User.objects.get(email="rita@example.org")
    assert sam.is_staff and not sam.is_superuser and sam.groups.get().name == SUPPORT
    assert sam.get_all_permissions() == {"delivery.support_people"}
    assert rita.is_superuser
    assert all(each.authenticators.get().confirmed for each in (sam, rita))
    assert not Authenticator.objects.exclude(user__is_staff=True).exists()


def test_it_tells_who_can_be_signed_in_as(demo):
    run()
    told = run("--people")
    assert told.count(PASSWORD) == 1
    for person in PEOPLE:
        assert person.signs_in_as in told


def rows():
    made = Product.objects.filter(variants__sku__startswith="D0").distinct().order_by("slug")
    return [
        (each.slug, each.brand.name, [*each.attribute_values.values_list("name", flat=True)], each.publish_at,
         [*each.variants.order_by("sku").values_list("name", "price", "sale_price", "on_hand", "weight")])
        for each in made
    ]  # fmt: skip


def test_it_makes_as_many_products_as_asked_for_the_same_each_time(demo, monkeypatch):
    monkeypatch.setattr(bulk, "BATCH", 8)
    told = run("--products", "20")
    assert "8 of 20 products\n16 of 20 products\n20 of 20 products" in told
    first = rows()
    assert len(first) == 20
    assert {len(variants) for *_, variants in first} <= {1, 2, 3, 4, 5, 6}
    assert Option.objects.filter(product__variants__sku__startswith="D0").exists()
    Product.objects.filter(slug=first[3][0]).delete()
    assert "6 products and 0 people were added" in run("--products", "25")  # what is gone, and what is more
    Product.objects.filter(variants__sku__gte="D0000021", variants__sku__startswith="D0").delete()
    assert rows() == first
