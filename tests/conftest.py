"""What every test may ask for. Servers that speak a provider's API are in tests/servers, people in tests/people.py."""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.db.backends.signals import connection_created
from django.utils import timezone

from accounts.delivery import services
from accounts.delivery.models import Message, State
from accounts.delivery.providers import providers_for
from accounts.models import User
from accounts.stepup.challenges import Asker
from shop.celery import app as celery_app
from tests.servers import vonage as vonage_server
from tests.servers.smtp import SmtpServer
from tests.servers.twilio import ACCOUNT_SID, AUTH_TOKEN, TwilioServer
from tests.servers.vonage import VonageServer

pytest_plugins = ["tests.people", "tests.browser.loud"]


@pytest.fixture(autouse=True, scope="session")
def _no_broker() -> None:
    """What is enqueued stays in this process; tests/faults talks to a real broker."""
    celery_app.conf.broker_url = "memory://"


def _decide_in_the_row(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    """PostgreSQL looks once more at the row it waited for, but not into a subquery.

    So a conditional write that finds its own rows through a subquery (Django writes one when the condition spans
    tables) lets two through (https://www.postgresql.org/docs/18/transaction-iso.html#XACT-READ-COMMITTED).
    """
    if re.match(
        r'(?:UPDATE|DELETE FROM) ("\w+").* WHERE \1\."\w+" IN \(SELECT (?:DISTINCT )?\w+\."\w+" (?:AS \w+ )?FROM \1 ',
        str(sql),
    ):
        raise AssertionError(f"the condition of this write is not decided in the row it changes: {sql}")
    return execute(sql, params, many, context)


@pytest.fixture(autouse=True, scope="session")
def _writes_decide_in_the_row() -> Iterator[None]:
    def watch(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(_decide_in_the_row)

    connection_created.connect(watch)
    yield
    connection_created.disconnect(watch)


@pytest.fixture(autouse=True)
def _quick_and_apart(settings: Any) -> Iterator[None]:
    """Fast password hashes, and no provider: `deliver` hands messages over where a test is about them."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.TWILIO_API_URL = "http://127.0.0.1:9"  # nobody listens on the discard port
    settings.TWILIO_FROM = "+15017122661"  # a number, so calls are offered
    providers_for.cache_clear()
    yield
    providers_for.cache_clear()


@pytest.fixture
def twilio(settings: Any) -> Iterator[TwilioServer]:
    """A Twilio of our own, which carries the texts of this test."""
    with TwilioServer() as server:
        settings.DEMO = False
        settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = ACCOUNT_SID, AUTH_TOKEN
        settings.TWILIO_FROM, settings.TWILIO_MESSAGING_SERVICE_SID = "+15017122661", ""
        settings.TWILIO_API_URL = server.url
        providers_for.cache_clear()
        yield server


@pytest.fixture
def vonage(settings: Any) -> Iterator[VonageServer]:
    """A Vonage of our own: the second provider of texts beside `twilio`, the only one without it."""
    with VonageServer() as server:
        settings.DEMO = False
        settings.VONAGE_API_KEY, settings.VONAGE_API_SECRET = vonage_server.API_KEY, vonage_server.API_SECRET
        settings.VONAGE_SIGNATURE_SECRET, settings.VONAGE_FROM = vonage_server.SIGNATURE_SECRET, vonage_server.FROM
        settings.VONAGE_API_URL = server.url
        providers_for.cache_clear()
        yield server


@pytest.fixture
def smtp(settings: Any) -> Iterator[SmtpServer]:
    """A mail server of our own, which carries the mail of this test."""
    with SmtpServer() as server:
        settings.DEMO = False
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        providers_for.cache_clear()
        yield server


@pytest.fixture
def deliver(request: pytest.FixtureRequest, settings: Any) -> Callable[[], list[Message]]:
    """`deliver()` hands over what waits, as a worker would, and returns it; through the demo inbox, or `twilio`,
    `vonage` and `smtp` where the test asks for one of them."""
    if not {"twilio", "vonage", "smtp"} & set(request.fixturenames):
        settings.DEMO = True
        providers_for.cache_clear()

    def hand_over_what_waits() -> list[Message]:
        waiting = Message.objects.filter(state=State.QUEUED, not_before__lte=timezone.now()).order_by("queued_at", "pk")
        ids = list(waiting.values_list("pk", flat=True))
        for message_id in ids:
            services.hand_over(message_id)
        return list(Message.objects.filter(pk__in=ids).order_by("queued_at", "pk"))

    return hand_over_what_waits


@pytest.fixture
def browser_id() -> str:
    """One browser session, as `browser_of` tells it."""
    return hashlib.sha256(b"the browser of this test").hexdigest()


@pytest.fixture
def asker(browser_id: str) -> Callable[..., Asker]:
    """`asker(ada)` or `asker(contact="guest@example.org")`; `browser=` for another browser."""

    def ask(user: User | None = None, contact: str = "", browser: str = browser_id, ip: str | None = None) -> Asker:
        return Asker(browser=browser, user=user, contact=contact, ip=ip)

    return ask


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Call `work(0)` ... `work(count - 1)` at the same moment, each in a thread with a database connection of its own.

    What each returned, or the exception it raised, in this order.
    """
    ready = threading.Barrier(count, timeout=30)

    def run(number: int) -> Any:
        try:
            connections["default"].ensure_connection()
            ready.wait()
            return work(number)
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
