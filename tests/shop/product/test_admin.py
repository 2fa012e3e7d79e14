"""The catalogue in the admin. Who may enter is tested with the proofs."""

import pytest
from django.forms import MultiValueField
from django.urls import reverse

from accounts.stepup.admin_site import StaffAdminSite
from shop.product.models import Product, Variant
from tests.shop.product.shelf import category, product, variant

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


@pytest.mark.parametrize("name", ["category", "product", "variant"])
def test_a_long_list_costs_as_much_as_a_short_one(admin, name, django_assert_max_num_queries):
    for n in range(30):
        variant(of=product(f"Mug {n}", category=category(f"Shelf {n}")))
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
