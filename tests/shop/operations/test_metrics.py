"""What Prometheus reads, who may read it, and the rules that it alarms by."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from accounts.delivery.models import Alarm, Message
from accounts.delivery.numbers import beat
from tests.shop.operations.month import write_month, write_trouble

pytestmark = pytest.mark.django_db
TOKEN = "a long and random token"
DOCS = Path(django_settings.BASE_DIR) / "docs"


@pytest.fixture
def scrape(client, settings):
    settings.METRICS_TOKEN = TOKEN

    def scrape():
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        return {
            (sample.name.removeprefix("countersign_"), *sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(answer.content.decode())
            for sample in family.samples
        }

    return scrape


@pytest.mark.parametrize(
    ("token", "demo", "debug", "shown", "status"),
    [
        ("", False, False, "", 404),
        ("", False, False, "Bearer ", 404),
        ("", True, False, "", 200),
        ("", False, True, "", 200),
        (TOKEN, False, False, f"Bearer {TOKEN}", 200),
        (TOKEN, False, False, "", 401),
        (TOKEN, False, False, "Bearer ", 401),
        (TOKEN, False, False, TOKEN, 401),
        (TOKEN, False, False, f"Bearer {TOKEN}x", 401),
        (TOKEN, False, False, "Bearer schlüssel", 401),
        (TOKEN, True, True, "", 401),
    ],
)
def test_who_may_read_it(client, settings, token, demo, debug, shown, status):
    settings.METRICS_TOKEN, settings.DEMO, settings.DEBUG = token, demo, debug
    answer = client.get("/metrics", headers={"Authorization": shown} if shown else {})
    assert answer.status_code == status
    assert (b"countersign_" in answer.content) == (status == 200)
    assert not answer.cookies


def test_it_tells_the_last_hour_and_this_moment(scrape, ada):
    now = timezone.now()
    ten = now - timedelta(minutes=10)
    sent = {"kind": "code", "channel": "text", "destination": ada.phone, "user": ada, "country": "DE", "cost": "0.0700"}
    Message.objects.create(
        **sent, provider="twilio", state="delivered", queued_at=ten,
        handed_over_at=ten + timedelta(seconds=2), delivered_at=ten + timedelta(seconds=5),
    )  # fmt: skip
    Message.objects.create(**sent, queued_at=now - timedelta(minutes=1), not_before=now - timedelta(minutes=1))
    Message.objects.create(**sent, queued_at=now - timedelta(hours=2), state="failed", reason="carrier")
    write_trouble(now)
    beat("codes", now)
    found = scrape()
    by = [("channel", "text"), ("country", "DE")]
    assert found["messages", *by, ("provider", "twilio"), ("reason", ""), ("state", "delivered")] == 1
    assert found["messages", *by, ("provider", ""), ("reason", ""), ("state", "queued")] == 1
    assert not [key for key in found if ("state", "failed") in key]
    assert found["code_seconds", ("channel", "text"), ("quantile", "0.99"), ("until", "delivered")] == 5
    assert found["oldest_waiting_seconds", ("queue", "codes")] == pytest.approx(60, abs=5)
    assert found["oldest_waiting_seconds", ("queue", "mail")] == 0
    assert found["queue_length", ("queue", "codes")] >= 0  # other tests may use the same broker
    assert found["broker_up",] == 1
    assert found["heartbeat_age_seconds", ("queue", "codes")] < 5
    assert found["heartbeat_age_seconds", ("queue", "mail")] == float("inf")
    assert (found["breaker_open", ("provider", "twilio")], found["breaker_open", ("provider", "vonage")]) == (1, 0)
    assert (found["alarms_open", ("kind", "provider_down")], found["alarms_open", ("kind", "budget")]) == (1, 0)
    assert found["payments_waiting",] == found["orders_pending",] == 0
    assert found["spent_today",] >= 0


def test_it_tells_nobody_whose_number_it_was(client, settings, scrape, ada):
    now = timezone.now()
    write_month(now, count=40, days=1)
    Message.objects.create(kind="code", channel="text", destination=ada.phone, user=ada)
    Alarm.objects.create(kind=Alarm.Kind.PUMPING, about="+49151")
    said = client.get("/metrics", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"} if scrape else {})
    text = said.content.decode()
    assert 'kind="pumping"} 1.0' in text
    assert "+49" not in text and "@" not in text and str(ada.phone)[1:] not in text


def test_a_scrape_costs_the_same_however_many_messages(scrape):
    counts = []
    for count in (0, 60):
        write_month(timezone.now(), count=count, days=1)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            scrape()
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12


class TestTheAlertRules:
    rules = (DOCS / "alerts.yml").read_text()

    def test_they_are_what_prometheus_reads(self):
        yaml = pytest.importorskip("yaml", reason="comes with djlint")
        (group,) = yaml.safe_load(self.rules)["groups"]
        assert group["name"] == "countersign"
        for rule in group["rules"]:
            assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}, rule
            assert re.fullmatch(r"[A-Z][A-Za-z]+", rule["alert"])
            assert re.fullmatch(r"\d+[smh]", rule["for"])
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert set(rule["annotations"]) == {"summary", "runbook"}
            assert rule["expr"].count("(") == rule["expr"].count(")")
            assert rule["expr"].count("{") == rule["expr"].count("}")

    def test_they_speak_of_numbers_that_there_are(self, scrape):
        write_month(timezone.now() - timedelta(minutes=1), count=300, days=0.1)
        write_trouble(timezone.now())
        there = {key[0] for key in scrape()}
        used = set(re.findall(r"countersign_(\w+)", self.rules))
        assert used and used <= there

    def test_each_has_its_paragraph_for_the_operator(self):
        told = (DOCS / "operations.md").read_text()
        alerts = re.findall(r"alert: (\w+)", self.rules)
        assert len(alerts) >= 10
        for alert in alerts:
            assert f"### {alert}\n" in told
            assert f"runbook: docs/operations.md#{alert.lower()}\n" in self.rules
        assert sorted(re.findall(r"^### (\w+)$", told, re.M)) == sorted(alerts)
