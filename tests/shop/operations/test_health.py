"""What a load balancer is told: by address, without TLS, without a cookie, whatever host it asks for."""

import json

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from shop.operations import health

PATHS = ["/health/live", "/health/ready"]


@pytest.fixture(autouse=True)
def asked_anew():
    health._migrated.cache_clear()
    yield
    health._migrated.cache_clear()


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_it_answers_who_asks_by_address_without_tls(path, client, settings):
    settings.SECURE_SSL_REDIRECT, settings.ALLOWED_HOSTS = True, ["shop.example"]
    assert client.get("/", headers={"Host": "10.0.0.7:8000"}).status_code != 200
    answer = client.get(path, headers={"Host": "10.0.0.7:8000"})
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert not answer.cookies
    assert "no-store" in answer["Cache-Control"]
    assert client.head(path).status_code == 200
    assert Client(enforce_csrf_checks=True).post(path).status_code == 405
    plain = client.get(path, headers={"Accept": "text/plain"})
    assert plain["Content-Type"].startswith("text/plain") and plain.content.startswith(b"status: ok\n")


def test_live_touches_nothing(client):
    """No database is allowed in this test."""
    assert client.get("/health/live").status_code == 200


@pytest.mark.django_db
def test_without_a_database_nobody_is_sent_here_and_it_says_no_more_than_that(client, monkeypatch):
    def away(*args):
        raise OperationalError('connection to server at "10.1.2.3", user "shop", password "hunter2" failed')

    monkeypatch.setattr(connection, "cursor", away)
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert json.loads(answer.content) == {"status": "unavailable", "database": "out of reach"}
    assert client.get("/health/live").status_code == 200


@pytest.mark.django_db
def test_before_the_migrations_nobody_is_sent_here_and_after_them_at_once(client):
    row = MigrationRecorder.Migration.objects.filter(app="delivery").latest("id")
    row.delete()
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["database"]) == (503, "not migrated")
    MigrationRecorder(connection).record_applied(row.app, row.name)
    assert client.get("/health/ready").status_code == 200


@pytest.mark.django_db
def test_a_probe_costs_one_query_once_the_database_is_known_to_be_migrated(client, django_assert_num_queries):
    client.get("/health/ready")
    with django_assert_num_queries(1):
        client.get("/health/ready")
