"""What staff see and do in the admin about the budgets of messages."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.delivery import pumping
from accounts.delivery.models import Alarm, MessagePrice, PrefixStop, Spending
from accounts.models import SecurityEvent

pytestmark = pytest.mark.django_db
STOPS, PRICES, SPENDING = (f"/admin/delivery/{name}/" for name in ("prefixstop", "messageprice", "spending"))


@pytest.fixture
def stop(settings):
    settings.PUMPING_UNVERIFIED = 3
    for _ in range(3):
        pumping.may_send("+491511", proven=False, now=timezone.now())
    return PrefixStop.objects.get()


def test_a_stop_is_lifted_with_a_reason_which_is_kept(as_staff, rita, stop):
    client = as_staff(rita)
    assert "+491511" in client.get(STOPS).content.decode()
    page = f"{STOPS}{stop.pk}/change/"
    assert client.post(page, {"lift_reason": ""}).status_code == 200
    assert pumping.is_stopped("+491511", timezone.now())
    assert client.post(page, {"lift_reason": "A concert sells out."}).status_code == 302
    stop.refresh_from_db()
    assert (stop.lifted_by, stop.lift_reason) == (rita, "A concert sells out.")
    assert not pumping.is_stopped("+491511", timezone.now())
    assert not Alarm.objects.filter(ended_at=None).exists()
    event = SecurityEvent.objects.get(kind="policy_changed")
    assert event.actor == rita and event.detail == {"prefix": "+491511", "reason": "A concert sells out."}
    assert client.post(page, {"lift_reason": "Once more."}).status_code == 403  # it is over
    assert client.post(f"{STOPS}{stop.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{STOPS}add/").status_code == 403


def test_who_may_only_look_lifts_nothing(as_staff, sam, stop):
    sam.user_permissions.add(Permission.objects.get(codename="view_prefixstop"))
    client = as_staff(sam)
    assert client.get(STOPS).status_code == 200
    assert client.post(f"{STOPS}{stop.pk}/change/", {"lift_reason": "Please."}).status_code == 403
    assert pumping.is_stopped("+491511", timezone.now())


@pytest.mark.parametrize("country", ["de", "D", "D1", "Ü."])
def test_a_price_names_a_country_as_the_numbers_do(as_staff, rita, country):
    client = as_staff(rita)
    form = {"channel": "text", "provider": "", "price": "0.0750"}
    assert client.post(f"{PRICES}add/", form | {"country": country}).status_code == 200
    assert client.post(f"{PRICES}add/", form | {"country": "DE"}).status_code == 302
    assert MessagePrice.objects.get().price == Decimal("0.0750")


def test_staff_see_what_each_day_cost_and_its_share_of_the_cap(as_staff, rita, settings):
    settings.MESSAGE_BUDGET_A_DAY = Decimal(20)
    Spending.objects.create(day=timezone.localdate(), spent=Decimal("5.0000"))
    Spending.objects.create(day=timezone.localdate() - timedelta(days=1), spent=Decimal("21.0000"))
    page = as_staff(rita).get(SPENDING).content.decode()
    assert "25%" in page and "105%" in page
    settings.MESSAGE_BUDGET_A_DAY = Decimal(0)
    assert as_staff(rita).get(SPENDING).status_code == 200
