"""Real workers, a real broker, and what goes wrong with them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connection
from kombu import pools

from shop.celery import app
from tests.servers.twilio import ACCOUNT_SID, AUTH_TOKEN, TwilioServer

CHECKOUT = Path(__file__).resolve().parents[2]


def until(true: Callable[[], Any], seconds: float = 20) -> Any:
    """What `true()` gives as soon as it is true; an AssertionError if it does not become so."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.02)
    return found


def use_broker(url: str) -> None:
    """Enqueue there from now on."""
    app.conf.broker_url = url
    pools.reset()
    app._pool = app.amqp._producer_pool = None


@pytest.fixture
def broker_url() -> Iterator[str]:
    """A database of the Valkey for this test process alone, empty."""
    number = 8 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8
    url = urlsplit(django_settings.REDIS_URL)._replace(path=f"/{number}").geturl()
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture
def broker(broker_url: str) -> Iterator[str]:
    """Messages are enqueued for real workers."""
    use_broker(broker_url)
    yield broker_url
    use_broker("memory://")


def environment(broker_url: str, twilio_url: str) -> dict[str, str]:
    """In which a process of the shop works with this process's database, this broker and this Twilio."""
    database = connection.settings_dict
    options = {"host": database["HOST"], "port": str(database["PORT"])} | database["OPTIONS"]
    login = quote(database["USER"] or "") + (f":{quote(database['PASSWORD'])}" if database["PASSWORD"] else "")
    query = urlencode({key: options[key] for key in ("host", "port") if options[key]})
    return os.environ | {
        "DATABASE_URL": f"postgresql://{login}@/{database['NAME']}?{query}",
        "REDIS_URL": broker_url,
        "DEMO": "0",
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_FROM": "+15017122661",
        "TWILIO_API_URL": twilio_url,
        "LOG_LEVEL": "DEBUG",
        "CONN_MAX_AGE": "0",
        "PYTHONUNBUFFERED": "1",
        "CELERY_SKIP_CHECKS": "1",  # a worker is there in half the time
    }


@pytest.fixture
def shop_env(broker_url: str, twilio: TwilioServer, transactional_db: None) -> dict[str, str]:
    return environment(broker_url, twilio.url)


class Workers:
    """A nursery of Celery workers."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self.log = log
        self._alive: list[int] = []
        self._log = log.open("wb")
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=CHECKOUT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._said() == "ready", log.read_text()

    def start(self, *options: str) -> int:
        assert self._nursery.stdin
        self._nursery.stdin.write(" ".join(options) + "\n")
        self._nursery.stdin.flush()
        pid = int(self._said())
        self._alive.append(pid)
        return pid

    def kill(self, pid: int) -> None:
        self._alive.remove(pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not _is_running(pid))

    def gone(self, pid: int) -> None:
        """Wait for one that ends by itself."""
        until(lambda: not _is_running(pid))
        self._alive.remove(pid)

    def all_alive(self) -> bool:
        return all(_is_running(pid) for pid in self._alive)

    def stop(self) -> None:
        for pid in list(self._alive):
            self.kill(pid)
        assert self._nursery.stdin and self._nursery.stdout
        self._nursery.stdin.close()
        self._nursery.wait(10)
        self._nursery.stdout.close()
        self._log.close()

    def _said(self) -> str:
        assert self._nursery.stdout
        return self._nursery.stdout.readline().strip()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def workers(shop_env: dict[str, str], broker: str, tmp_path: Path) -> Iterator[Workers]:
    """`workers.start()` gives the pid of a new Celery worker, `workers.kill(pid)` ends it with -9.

    `workers.start("--concurrency", "1")` has options of its own.
    """
    nursery = Workers(shop_env, tmp_path / "worker.log")
    yield nursery
    nursery.stop()
