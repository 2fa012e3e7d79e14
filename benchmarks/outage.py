"""A provider of texts is down for a while under steady load: when does the other one have the code?

    python -m benchmarks outage [--seconds 600] [--rate 5] [--how hang|503|silent]

Real servers speak for Twilio, which goes down, and for Vonage; real workers and a real beat carry what guests ask for
at a steady rate. Both report what they took half a second later. Three quarters of a minute before and after the
outage all is well, so that one sees it begin and end.

Calls to the one that is down are bounded, however slow the machine: when the breaker opens, each of them but
FAILURES - 1 is still held by one of the worker's threads, and from then on there is one probe in REST.
"""

import argparse
import hashlib
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import redis
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from kombu import pools

from accounts.delivery import breaker
from accounts.delivery.models import Message, State
from accounts.stepup import challenges
from accounts.stepup.challenges import Asker
from accounts.stepup.models import Challenge, Purpose
from benchmarks import _guests
from shop.celery import app
from tests.servers import twilio as twilio_server
from tests.servers import vonage as vonage_server
from tests.servers.twilio import Accept, Hang, ServerError, TwilioServer
from tests.servers.vonage import VonageServer

WITHIN = 10.0  # seconds
QUIET = 45.0  # before and after
THREADS = 32  # of the worker that has the codes: more than rate x CARRIER_TIMEOUT, so that nobody waits behind the dead
DATABASE_OF_BROKER = 7  # tests use those from 8 on

DOWN = {"hang": Hang(3600), "503": ServerError(503), "silent": Accept()}


@dataclass
class Asked:
    at: float
    challenge: Challenge


@dataclass
class Report:
    """What became of those who asked while the first provider was down."""

    seconds: float
    rate: float
    how: str
    asked: int = 0
    took: float = 0.0  # seconds in which they were asked; a machine with enough to do does not keep the rate
    waited: list[float] = field(default_factory=list)  # until the second provider had it; inf where it never had
    calls: int = 0  # to the first one, while it was down
    states: Tally[str] = field(default_factory=Tally)
    twice: int = 0  # send numbers that one provider saw more than once and may have taken
    came_back: int = 0  # texts that the first one carried after it was up again

    @property
    def bound(self) -> int:
        return THREADS + breaker.FAILURES + math.ceil(self.took / breaker.REST.total_seconds())

    @property
    def within(self) -> float:
        return sum(waited <= WITHIN for waited in self.waited) / len(self.waited)

    def __str__(self) -> str:
        ordered = sorted(self.waited)
        p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95, 0.99))
        bound = "no bound: it takes them" if self.how == "silent" else f"bound {self.bound}"
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        return (
            f"down by {self.how} for {self.took:.0f} s: {self.asked} asked, {self.asked / self.took:.1f} a second\n"
            f"  the other had it after  p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s, max {ordered[-1]:.2f} s\n"
            f"  within {WITHIN:.0f} s             {self.within:.2%}\n"
            f"  calls to the one down   {self.calls} ({bound})\n"
            f"  twice at one provider   {self.twice}\n"
            f"  their messages          {states}\n"
            f"  after the outage        {self.came_back} by the first one again"
        )


def measure(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks outage")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=5)
    parser.add_argument("--how", choices=DOWN, default="hang")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, TwilioServer() as twilio, VonageServer() as vonage, _broker() as url:
        _guests.lift_budgets(settings)
        settings.DEMO = False
        settings.TWILIO_AUTH_TOKEN = twilio_server.AUTH_TOKEN
        settings.VONAGE_SIGNATURE_SECRET = vonage_server.SIGNATURE_SECRET
        env = environment(url, twilio, vonage)
        with workers(env, Path(folder)):
            print(run(twilio, vonage, seconds=options.seconds, rate=options.rate, how=options.how))


def run(
    twilio: TwilioServer, vonage: VonageServer, *, seconds: float, rate: float, how: str = "hang", quiet: float = QUIET
) -> Report:
    """The workers run already. Ask before, during and after; wait for what is under way; count."""
    report = Report(seconds, rate, how)
    with reports(twilio, vonage, silent=how == "silent") as set_silent:
        _ask(rate, quiet, "151")
        set_silent(True)
        twilio.behaviour = DOWN[how]
        before = len(twilio.requests)
        began = time.monotonic()
        asked = _ask(rate, seconds, "152")
        report.took = time.monotonic() - began
        report.calls = len(twilio.requests) - before
        twilio.behaviour = Accept()
        twilio.release()
        set_silent(False)
        carried = len(twilio.messages)
        _ask(rate, quiet, "157")
        _settle()
        report.came_back = len(twilio.messages) - carried
    had = {message.to: message.at.timestamp() for message in reversed(vonage.messages)}  # the first of each
    report.asked = len(asked)
    report.waited = [
        max(had[one.challenge.contact[1:]] - one.at, 0.0) if one.challenge.contact[1:] in had else math.inf
        for one in asked
    ]
    mine = Message.objects.filter(challenge__in=[one.challenge for one in asked])
    report.states = Tally(mine.values_list("state", flat=True))
    seen = Tally(("twilio", message.to, message.form["StatusCallback"]) for message in twilio.messages)
    seen += Tally(("vonage", message.to, message.client_ref) for message in vonage.messages)
    report.twice = sum(times > 1 for times in seen.values())
    return report


def _ask(rate: float, seconds: float, group: str) -> list[Asked]:
    """Guests ask for a code at their times, whether or not others still wait; each has a number and a browser."""

    def ask(number: int) -> Asked:
        browser = hashlib.sha256(f"{group} {number}".encode()).hexdigest()
        who = Asker(browser=browser, contact=f"+49{group}{number:08d}")
        at = time.time()
        try:
            challenge = challenges.begin(asker=who, purpose=Purpose.SIGN_UP, digest=bytes(32), next_path="/")
        finally:
            connection.close()
        return Asked(at, challenge)

    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        asked = []
        for number in range(round(rate * seconds)):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            asked.append(pool.submit(ask, number))
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        return [one.result() for one in asked]


def _settle(seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not Message.objects.filter(state__in=[*Message.WAITING, State.HANDED_OVER, State.SENT]).exists():
            return
        time.sleep(0.2)


@contextmanager
def reports(twilio: TwilioServer, vonage: VonageServer, *, silent: bool) -> Iterator[Any]:
    """Both say `sent` and `delivered` soon after they took a message, by signed webhooks."""
    pool = ThreadPoolExecutor(8)
    quiet = threading.Event()

    def twilio_says(message: Any) -> None:
        if silent and quiet.is_set():
            return
        time.sleep(0.5)
        for status in ("sent", "delivered"):
            webhook = twilio.status_webhook(message.sid, status)
            Client().post("/" + webhook.url.split("/", 3)[3], webhook.form, headers=webhook.headers)

    def vonage_says(message: Any) -> None:
        time.sleep(0.5)
        for status in ("accepted", "delivered"):
            Client().post(urlsplit(message.callback).path, vonage.receipt(message, status))

    def soon(says: Any) -> Any:
        def work(message: Any) -> None:
            try:
                says(message)
            finally:
                connections.close_all()

        return lambda message: pool.submit(work, message) and None

    twilio._on_accept, vonage._on_accept = soon(twilio_says), soon(vonage_says)
    try:
        yield lambda on: quiet.set() if on else quiet.clear()
    finally:
        twilio._on_accept = vonage._on_accept = None
        pool.shutdown()


def environment(broker_url: str, twilio: TwilioServer, vonage: VonageServer) -> dict[str, str]:
    """In which a process of the shop works with this process's database, and with these servers."""
    database = connection.settings_dict
    options = {"host": database["HOST"], "port": str(database["PORT"])} | database["OPTIONS"]
    login = quote(database["USER"] or "") + (f":{quote(database['PASSWORD'])}" if database["PASSWORD"] else "")
    query = urlencode({key: options[key] for key in ("host", "port") if options[key]})
    return os.environ | {
        "DATABASE_URL": f"postgresql://{login}@/{database['NAME']}?{query}",
        "REDIS_URL": broker_url,
        "DEMO": "0",
        "TWILIO_ACCOUNT_SID": twilio_server.ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": twilio_server.AUTH_TOKEN,
        "TWILIO_FROM": "+15017122661",
        "TWILIO_API_URL": twilio.url,
        "VONAGE_API_KEY": vonage_server.API_KEY,
        "VONAGE_API_SECRET": vonage_server.API_SECRET,
        "VONAGE_SIGNATURE_SECRET": vonage_server.SIGNATURE_SECRET,
        "VONAGE_FROM": vonage_server.FROM,
        "VONAGE_API_URL": vonage.url,
        "LOG_LEVEL": "WARNING",
        **{name: str(limit) for name, limit in _guests.LIFTED.items()},
    }


@contextmanager
def workers(env: dict[str, str], folder: Path) -> Iterator[None]:
    """One worker for the codes, one for the rest, and beat; they are there when this returns."""
    celery = [sys.executable, "-m", "celery", "-A", "shop"]
    lean = ["--pool", "threads", "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "warning"]
    commands = [
        [*celery, "worker", "-Q", "codes", "--concurrency", str(THREADS), "-n", "codes@outage", *lean],
        [*celery, "worker", "-Q", "mail,slow", "--concurrency", "4", "-n", "rest@outage", *lean],
        [*celery, "beat", "-s", str(folder / "beat"), "--pidfile", "", "-l", "warning"],
    ]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "workers.log").open("wb"))
        for command in commands:
            process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
        deadline = time.monotonic() + 120
        while len(app.control.ping(timeout=0.5) or []) < 2:
            if time.monotonic() > deadline:
                raise TimeoutError((folder / "workers.log").read_text())
        yield


@contextmanager
def _broker() -> Iterator[str]:
    """A database of Valkey for this alone."""
    url = urlsplit(settings.REDIS_URL)._replace(path=f"/{DATABASE_OF_BROKER}").geturl()
    before = app.conf.broker_url
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        _use(url)
        try:
            yield url
        finally:
            _use(before)
            client.flushdb()


def _use(url: str) -> None:
    app.conf.broker_url = url
    pools.reset()
    app._pool = app.amqp._producer_pool = None
