"""The admin opens with an authenticator, shows no secret, and moves orders by their own rules."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.utils import timezone

from shop.order.models import Order
from shop.payment.models import DemoCharge

pytestmark = pytest.mark.django_db


def test_it_opens_with_an_authenticator(rita, as_staff):
    assert as_staff(rita).get("/admin/").status_code == 200


def test_its_own_sign_in_form_is_never_shown(client, rita, as_staff):
    response = client.get("/admin/", follow=True)
    assert [url for url, _status in response.redirect_chain][1] == "/account/staff/?next=%2Fadmin%2F"
    assert response.redirect_chain[-1][0].startswith("/account/sign-in/")
    client.post("/admin/login/", {"username": "rita@example.org", "password": "correct horse battery"})
    assert "_auth_user_id" not in client.session


def test_a_password_is_not_changed_on_the_old_one_alone(rita, as_staff):
    new = {
        "old_password": "correct horse battery",
        "new_password1": "quite another one",
        "new_password2": "quite another one",
    }
    assert as_staff(rita).post("/admin/password_change/", new).url == "/account/reset/"
    rita.refresh_from_db()
    assert rita.check_password("correct horse battery")


@pytest.mark.parametrize("strength", [1, 2])
def test_a_weaker_proof_is_not_enough(rita, as_staff, strength):
    assert as_staff(rita, strength=strength).get("/admin/").status_code == 302


def test_a_proof_of_yesterday_is_not_enough(rita, as_staff):
    assert as_staff(rita, at=timezone.now() - timedelta(hours=13)).get("/admin/").status_code == 302


def test_the_level_goes_with_the_authenticator(rita, as_staff):
    client = as_staff(rita)
    rita.authenticators.all().delete()
    assert client.get("/admin/").status_code == 302


def test_shoppers_never_get_in(ada, as_staff):
    assert as_staff(ada).get("/admin/").status_code == 302


def test_every_list_and_form_opens(rita, as_staff):
    client = as_staff(rita)
    for model, model_admin in admin.site._registry.items():
        url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert client.get(url).status_code == 200, url
        if model_admin.has_add_permission(client.get(url).wsgi_request):
            assert client.get(f"{url}add/").status_code == 200, url


def test_no_secret_is_shown_or_edited(rita, as_staff):
    shown = {model._meta.label for model in admin.site._registry}
    secret_models = {"factors.Authenticator", "factors.BackupCode", "factors.BackupCodeSet", "stepup.Grant"}
    assert not shown & (
        secret_models
        | {
            "stepup.Challenge",
            "sessions.Session",
            "security.Session",
            "security.TrustedBrowser",
            "delivery.DemoMessage",
        }
    )
    page = as_staff(rita).get(f"/admin/accounts/user/{rita.pk}/change/").content.decode()
    assert rita.password not in page
    assert "Reset password" not in page
    assert apps.is_installed("two_factor")
    assert not apps.is_installed("two_factor.plugins.phonenumber")  # whose admin shows keys


def test_only_a_superuser_hands_out_rights(sam, ben, as_staff):
    sam.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client = as_staff(sam)
    url = f"/admin/accounts/user/{ben.pk}/change/"
    client.post(
        url, {"name": "Ben", "is_active": "on", "is_staff": "on", "is_superuser": "on", "email": "x@example.net"}
    )
    ben.refresh_from_db()
    assert (ben.is_staff, ben.is_superuser, ben.email) == (False, False, "ben@example.org")


@pytest.fixture
def paid_order(client, ben, fill_cart, approve, card_form, teapot):
    fill_cart(ben)
    client.force_login(ben)
    approve(client)
    client.post("/checkout/pay/", card_form(client))
    return Order.objects.get()


def act(client, order, action):
    data = {"action": action, "_selected_action": [order.pk]}
    return client.post("/admin/order/order/", data, follow=True).content.decode()


def test_a_paid_order_is_dispatched_and_charged_once(rita, as_staff, paid_order, django_capture_on_commit_callbacks):
    client = as_staff(rita)
    assert DemoCharge.objects.get().captured == 0
    with django_capture_on_commit_callbacks(execute=True):
        assert "1 order done" in act(client, paid_order, "dispatch_orders")
    assert DemoCharge.objects.get().captured == paid_order.total
    assert paid_order.payments.get().state == "captured"
    assert "left alone" in act(client, paid_order, "dispatch_orders")
    assert "left alone" in act(client, paid_order, "cancel_orders")
    paid_order.refresh_from_db()
    assert paid_order.state == "dispatched"


def test_a_cancelled_order_gives_money_and_goods_back_once(
    rita, as_staff, paid_order, teapot, django_capture_on_commit_callbacks
):
    client = as_staff(rita)
    with django_capture_on_commit_callbacks(execute=True):
        assert "1 order done" in act(client, paid_order, "cancel_orders")
    assert "left alone" in act(client, paid_order, "cancel_orders")
    teapot.refresh_from_db()
    assert (teapot.on_hand, teapot.reserved) == (5, 0)
    assert DemoCharge.objects.get().voided
    assert paid_order.payments.get().state == "voided"


def test_an_order_is_read_and_not_edited(rita, as_staff, paid_order):
    page = as_staff(rita).get(f"/admin/order/order/{paid_order.pk}/change/")
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert str(paid_order.attempt_token).encode() not in page.content
