"""The catalogue in the admin. Who may enter is tested with the proofs."""

from io import BytesIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms import MultiValueField
from django.urls import reverse
from PIL import Image

from accounts.stepup.admin_site import StaffAdminSite
from shop.product.models import Attribute, Brand, Product, Variant
from tests.shop.product.shelf import category, option, product, variant

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client, rita, monkeypatch):
    monkeypatch.setattr(StaffAdminSite, "has_permission", lambda site, request: request.user.is_staff)
    client.force_login(rita)
    return client


def form_of(page):
    """What a browser would post back from an admin page."""
    context = page.context["adminform"].form
    forms = [context] + [
        form
        for formset in page.context["inline_admin_formsets"]
        for form in [formset.formset.management_form, *formset.formset.forms]
    ]
    data = {}
    for form in forms:
        for bound in form:
            value = bound.value()
            if isinstance(bound.field, MultiValueField):
                for n, part in enumerate(bound.field.widget.decompress(value)):
                    data[f"{bound.html_name}_{n}"] = "" if part is None else part
            elif value is not None and value is not False:
                data[bound.html_name] = value
                if bound.field.show_hidden_initial:
                    data[bound.html_initial_name] = value
    return data


def test_lists_are_searchable(admin):
    mug = variant(of=product("Enamel mug"), sku="MUG-1")
    for name, q in (("category", "kitch"), ("product", "MUG-1"), ("variant", "enamel")):
        page = admin.get(reverse(f"admin:product_{name}_changelist"), {"q": q})
        assert page.status_code == 200
        assert page.context["cl"].result_count == 1
    assert str(mug.on_hand) in page.text


@pytest.mark.parametrize("name", ["category", "product", "variant", "brand", "attribute", "attributevalue"])
def test_a_long_list_costs_as_much_as_a_short_one(admin, name, django_assert_max_num_queries):
    for n in range(30):
        brand = Brand.objects.create(name=f"Brand {n}", slug=f"brand-{n}")
        variant(of=product(f"Mug {n}", category=category(f"Shelf {n}"), brand=brand))
        Attribute.objects.create(name=f"Fact {n}", slug=f"fact-{n}").values.create(name="Yes", slug="yes")
    with django_assert_max_num_queries(15):
        assert admin.get(reverse(f"admin:product_{name}_changelist")).status_code == 200


def test_a_product_is_made_with_its_variants(admin):
    shelf = category()
    page = admin.get(reverse("admin:product_product_add"))
    data = form_of(page) | {
        "category": shelf.pk,
        "name": "Jug",
        "slug": "jug",
        "variants-0-sku": "JUG",
        "variants-0-price": "19.00",
        "variants-0-on_hand": "4",
        "variants-0-is_active": "on",
    }
    page = admin.post(reverse("admin:product_product_add"), data)
    assert page.status_code == 302, page.context["errors"]
    assert Product.objects.get(slug="jug").variants.get().on_hand == 4


def test_the_stock_changes_by_the_difference_to_what_was_shown(admin):
    mug = variant(on_hand=10, price="10.00")
    url = reverse("admin:product_product_change", args=[mug.product_id])
    data = form_of(admin.get(url))
    Variant.objects.update(on_hand=7, reserved=2)  # three are sold and two are reserved meanwhile
    data |= {"variants-0-on_hand": "15", "variants-0-price": "11.00"}
    assert admin.post(url, data).status_code == 302
    mug.refresh_from_db()
    assert (mug.on_hand, mug.reserved, str(mug.price)) == (12, 2, "11.00")


def test_another_change_leaves_the_stock_alone(admin):
    mug = variant(on_hand=10)
    url = reverse("admin:product_variant_change", args=[mug.pk])
    data = form_of(admin.get(url))
    Variant.objects.update(on_hand=7, reserved=2)
    assert admin.post(url, data | {"price": "11.00"}).status_code == 302
    mug.refresh_from_db()
    assert (mug.on_hand, mug.reserved) == (7, 2)


@pytest.mark.parametrize("where", ["product", "variant"])
def test_the_stock_can_not_go_below_what_is_reserved(admin, where):
    mug = variant(on_hand=10)
    Variant.objects.update(reserved=3)
    pk, prefix = (mug.product_id, "variants-0-") if where == "product" else (mug.pk, "")
    url = reverse(f"admin:product_{where}_change", args=[pk])
    page = admin.post(url, form_of(admin.get(url)) | {f"{prefix}on_hand": "2"})
    assert page.status_code == 200
    assert "3 of these are set aside for checkouts under way" in page.text
    mug.refresh_from_db()
    assert mug.on_hand == 10


@pytest.mark.parametrize("value", ["-1", "abc", "", "99999999999999"])
def test_nonsense_for_a_stock_is_a_form_error(admin, value):
    mug = variant(on_hand=10)
    url = reverse("admin:product_product_change", args=[mug.product_id])
    page = admin.post(url, form_of(admin.get(url)) | {"variants-0-on_hand": value})
    assert page.status_code == 200
    assert page.context["errors"]


@pytest.mark.parametrize("shown", ["", "abc", "-5", "99999999999999"])
def test_a_forged_hidden_stock_is_no_error_page(admin, shown):
    mug = variant(on_hand=10)
    url = reverse("admin:product_variant_change", args=[mug.pk])
    assert admin.post(url, form_of(admin.get(url)) | {"initial-on_hand": shown}).status_code in (200, 302)


def test_reserved_is_read_only(admin):
    mug = variant(on_hand=10)
    url = reverse("admin:product_variant_change", args=[mug.pk])
    admin.post(url, form_of(admin.get(url)) | {"reserved": "9"})
    mug.refresh_from_db()
    assert mug.reserved == 0


ANOTHER = {
    "variants-TOTAL_FORMS": "2",
    "variants-1-sku": "B",
    "variants-1-price": "9",
    "variants-1-on_hand": "3",
    "variants-1-weight": "0",
    "variants-1-is_active": "on",
}


def change(admin, pot, **changes):
    """Post the product's page with these changes, and the page that comes back."""
    url = reverse("admin:product_product_change", args=[pot.pk])
    return admin.post(url, form_of(admin.get(url)) | changes, follow=True)


class TestOptions:
    @pytest.fixture
    def shirt(self):
        shirt = product("Shirt")
        option(shirt, "Size", "S", "M")
        option(shirt, "Colour", "Red", "Blue")
        variant(of=shirt, option_values=["S", "Red"], sku="A")
        return shirt

    def test_a_variant_takes_its_values_from_its_name(self, admin, shirt):
        change(admin, shirt, **ANOTHER | {"variants-1-name": "M,Blue"})
        assert shirt.variants.get(sku="B").option_values == ["M", "Blue"]
        assert shirt.variants.get(sku="B").name == "M, Blue"

    @pytest.mark.parametrize("name", ["", "M", "Blue, M", "M, Green", "M, Blue, Wool"])
    def test_what_does_not_fit_is_told(self, admin, shirt, name):
        page = change(admin, shirt, **{"variants-0-name": name})
        assert "one value of each option, in this order. Size: S, M; Colour: Red, Blue." in page.text
        assert shirt.variants.get().name == "S, Red"

    def test_options_and_variants_change_together(self, admin, shirt):
        page = change(admin, shirt, **{"options-1-values": "Rust,Blue"})
        assert "one value of each option" in page.text
        change(admin, shirt, **{"options-1-values": "Rust,Blue", "variants-0-name": "S, Rust"})
        assert shirt.variants.get().option_values == ["S", "Rust"]
        assert shirt.options.get(name="Colour").values == ["Rust", "Blue"]

    def test_a_combination_is_given_once(self, admin, shirt):
        assert change(admin, shirt, **ANOTHER | {"variants-1-name": "S,Red"}).context["errors"]
        assert shirt.variants.count() == 1

    def test_on_a_page_of_its_own_it_fits_too(self, admin, shirt):
        url = reverse("admin:product_variant_change", args=[shirt.variants.get().pk])
        page = admin.post(url, form_of(admin.get(url)) | {"name": "Blue"})
        assert "one value of each option" in page.text
        assert admin.post(url, form_of(admin.get(url)) | {"name": "M, Blue"}).status_code == 302
        assert shirt.variants.get().option_values == ["M", "Blue"]


class TestPictures:
    @pytest.fixture(autouse=True)
    def _media(self, settings, tmp_path):
        settings.MEDIA_ROOT = tmp_path
        self.folder = tmp_path / "products"

    def upload(self, admin, pot, alt="A pot", shows="", **changes):
        picture = BytesIO()
        Image.new("RGB", (700, 700), "teal").save(picture, "JPEG")
        fields = {
            "image": SimpleUploadedFile("pot.jpg", picture.getvalue()),
            "alt": alt,
            "shows": shows,
            "position": "0",
        }
        posted = {f"pictures-0-{name}": value for name, value in fields.items()} | changes
        return change(admin, pot, **{"pictures-TOTAL_FORMS": "1"} | posted)

    def test_an_upload_is_the_picture_of_the_product(self, admin, client, django_capture_on_commit_callbacks):
        pot = variant().product
        self.upload(admin, pot)
        pot.refresh_from_db()
        first = pot.pictures.get()
        assert (pot.picture, pot.picture_alt, first.width, first.height) == (first.image.name, "A pot", 700, 700)
        assert f"{pot.picture.rpartition('/')[0]}/320.avif 320w" in client.get(pot.get_absolute_url()).text
        with django_capture_on_commit_callbacks(execute=True):
            self.upload(admin, pot)
        pot.refresh_from_db()
        assert pot.picture != first.image.name
        assert [folder.name for folder in self.folder.iterdir()] == [pot.picture.split("/")[1]]
        with django_capture_on_commit_callbacks(execute=True):
            pot.delete()
        assert not [*self.folder.iterdir()]

    def test_it_needs_words(self, admin):
        pot = variant().product
        assert self.upload(admin, pot, alt="").context["errors"]
        assert not pot.pictures.exists()
        assert not self.folder.exists()

    def test_what_is_no_picture_is_told(self, admin):
        pot = variant().product
        page = self.upload(admin, pot, **{"pictures-0-image": SimpleUploadedFile("pot.jpg", b"<svg/>")})
        assert "Please choose a JPEG, PNG, WebP or AVIF picture." in page.text

    def test_a_picture_of_nothing_is_told(self, admin):
        page = self.upload(admin, variant().product, shows="Bleu")
        assert "“Bleu” is no value of an option" in page.text


def test_publishing_is_an_act_on_the_list_and_leaves_a_line(admin):
    drafts = [variant(of=product(f"Mug {n}", status="draft")).product for n in range(2)]
    url = reverse("admin:product_product_changelist")
    for action, status in (("publish", "published"), ("withdraw", "draft")):
        page = admin.post(url, {"action": action, "_selected_action": [each.pk for each in drafts]}, follow=True)
        assert "2 products changed." in page.text
        assert set(Product.objects.values_list("status", flat=True)) == {status}
    assert LogEntry.objects.count() == 4


def test_the_tree_is_listed_as_a_tree_and_keeps_its_rules(admin):
    garden = category("Garden")
    pots = category("Pots", parent=garden)
    page = admin.get(reverse("admin:product_category_changelist"))
    assert page.text.index(">Garden<") < page.text.index("— Pots")
    url = reverse("admin:product_category_change", args=[garden.pk])
    page = admin.post(url, form_of(admin.get(url)) | {"parent": pots.pk})
    assert "be part of itself" in page.text
