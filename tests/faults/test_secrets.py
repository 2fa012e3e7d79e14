"""Where a thief would look: no table, no key of the broker, no log holds a code, a seed, a password or a backup code.

Real processes, logging as much as they can: web server, worker, a Twilio and a mail server.
"""

import base64
import html
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from django.db import connection
from django.utils import timezone

from accounts.factors.authenticator import Authenticator
from accounts.models import User
from accounts.security.models import Session
from accounts.security.session_engine import SessionStore
from accounts.stepup import challenges, codes
from accounts.stepup.models import Challenge, Purpose
from shop.product.models import Category, Product, Variant
from tests.codes import code_of, totp_of
from tests.servers.phone import Phone
from tests.servers.smtp import SmtpServer

from .conftest import CHECKOUT, Workers, until

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

# No part of any other word, so that each find is one.
ADAS_PASSWORD, BENS_PASSWORD, DORAS_PASSWORD = "quiver-mollusc-dune", "zephyr-tangelo-moat", "kumquat-vortex-lamp"
ADDRESS = {"name": "Gus Guest", "line1": "Ringstraße 1", "postcode": "50667", "city": "Köln", "country": "DE"}


class Shop:
    """The shop's web server, as a process of its own."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://localhost:{port}"
        self.log = log
        command = "granian --interface wsgi --host 127.0.0.1 --blocking-threads 4 --access-log --log-level debug"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command.split(), "--port", str(port), "shop.wsgi:application"],
                cwd=CHECKOUT,
                env=env | {"PORT": str(port)},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        until(self._answers, 60)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        try:
            return requests.get(self.url, timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Visitor:
    """A browser without JavaScript."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._session = requests.Session()
        self.at = ""
        self.page = ""

    def go(self, path: str) -> "Visitor":
        return self._show(self._session.get(self._shop.url + path, timeout=30))

    def post(self, path: str, **fields: Any) -> "Visitor":
        """Fill in a form of the page one is at; its hidden fields go along."""
        for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', self.page):
            fields.setdefault(name, html.unescape(value))
        return self._show(self._session.post(self._shop.url + path, fields, timeout=30))

    def _show(self, response: requests.Response) -> "Visitor":
        assert response.status_code < 500, response.text[:2000]
        self.at, self.page = response.url.removeprefix(self._shop.url), response.text
        return self

    @property
    def challenge(self) -> Challenge:
        found = re.fullmatch(r"/account/challenge/([0-9a-f-]{36})/.*", self.at)
        assert found, f"at {self.at}: {self.page[:3000]}"
        return Challenge.objects.get(pk=found[1])

    def choose(self, factor: str) -> "Visitor":
        """The first device of this factor; the hidden fields of the page name those of all of them."""
        return self.post(f"/account/challenge/{self.challenge.pk}/send/", factor=factor, device="")

    def type(self, code: str, **more: str) -> "Visitor":
        return self.post(f"/account/challenge/{self.challenge.pk}/", code=code, **more)

    def cookie(self, name: str) -> str:
        return str(self._session.cookies[name])


class Listener:
    """Everything that is said to the broker, not only what it still holds afterwards."""

    def __init__(self, url: str) -> None:
        self.heard: list[str] = []
        self._client = redis.Redis.from_url(url)
        self._monitor = self._client.monitor().__enter__()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            for command in self._monitor.listen():
                self.heard.append(command["command"])
        except (redis.RedisError, OSError, ValueError, AttributeError):
            pass  # hung up

    def stop(self) -> None:
        self._monitor.__exit__(None, None, None)
        self._client.close()


@pytest.fixture
def shop(shop_env: dict[str, str], smtp: SmtpServer, tmp_path: Path) -> Iterator[Shop]:
    env = shop_env | {"EMAIL_URL": smtp.url, "STATIC_FROM_SOURCE": "1"}
    shop = Shop(env, tmp_path / "web.log")
    yield shop
    shop.stop()


@pytest.fixture
def workers(shop_env: dict[str, str], smtp: SmtpServer, broker: str, tmp_path: Path) -> Iterator[Workers]:
    nursery = Workers(shop_env | {"EMAIL_URL": smtp.url}, tmp_path / "worker.log")
    yield nursery
    nursery.stop()


@pytest.fixture
def listener(broker_url: str) -> Iterator[Listener]:
    listener = Listener(broker_url)
    yield listener
    listener.stop()


@pytest.fixture
def people(ada: User, ben: User, settings: Any) -> None:
    """Their passwords as the shop keeps them, not as quick tests do."""
    settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2idHasher"]
    for user, password in ((ada, ADAS_PASSWORD), (ben, BENS_PASSWORD)):
        user.set_password(password)
        user.save()


def tables() -> dict[str, str]:
    """Every row of every table as text, sessions as what they say."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = {}
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found[f"table {table}"] = "\n".join(row for (row,) in cursor.fetchall())
    found["sessions"] = "\n".join(json.dumps(SessionStore().decode(s.session_data)) for s in Session.objects.all())
    return found


def keys(broker_url: str) -> dict[str, str]:
    """Every value of the broker, and what its envelopes hold."""
    found = {}
    with redis.Redis.from_url(broker_url) as client:
        for key in client.scan_iter():
            read = {
                b"string": lambda key: [client.get(key)],
                b"list": lambda key: client.lrange(key, 0, -1),
                b"set": client.smembers,
                b"hash": lambda key: [*client.hgetall(key), *client.hgetall(key).values()],
                b"zset": lambda key: client.zrange(key, 0, -1),
                b"none": lambda key: [],  # gone meanwhile
            }[client.type(key)]
            found[f"key {key!r}"] = opened("\n".join(value.decode() for value in read(key) if value is not None))
    return found


def opened(text: str) -> str:
    """With the base64 in it decoded as well."""
    inside = [base64.b64decode(each + "==") for each in re.findall(r"[A-Za-z0-9+/]{24,}", text)]
    return "\n".join([text, *(each.decode(errors="replace") for each in inside)])


def shapes(secret: str | bytes) -> set[str]:
    """The forms in which a secret may lie about."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    found = {raw.hex(), base64.b64encode(raw).decode().rstrip("="), raw.decode(errors="ignore") or raw.hex()}
    if isinstance(secret, bytes):
        key = base64.b32encode(raw).decode().rstrip("=")
        found |= {key, " ".join(key[i : i + 4] for i in range(0, len(key), 4)), str(raw)[2:-1]}
    return {shape for shape in found if len(shape) >= 6}


@pytest.fixture
def leaks(
    shop: Shop, workers: Workers, listener: Listener, broker_url: str
) -> Callable[[set[str | bytes]], list[tuple[str, str]]]:
    """`leaks(secrets)`: where one of them, or a code of any challenge, or a seed of any app, is found."""

    def leaks(typed: set[str | bytes]) -> list[tuple[str, str]]:
        secrets = typed | {code_of(challenge) for challenge in Challenge.objects.all()}
        secrets |= {bytes(app.seed) for app in Authenticator.objects.all()}
        places = tables() | keys(broker_url)
        places["said to the broker"] = opened("\n".join(listener.heard))
        places["web log"], places["worker log"] = shop.log.read_text(), workers.log.read_text()
        assert len(places["worker log"]) > 1000 and "DEBUG" in places["worker log"]
        assert "/account/" in places["web log"]
        assert listener.heard and places["sessions"] and places["table stepup_challenge"]
        found = []
        for where, text in places.items():
            # Fractions of a second have six digits too.
            text = re.sub(r"(:\d\d)[.,]\d+", r"\1", text)
            for secret in secrets:
                for shape in shapes(secret):
                    # A number within a longer word (a digest, an id) is chance, and no code.
                    if re.search(rf"(?<![0-9A-Za-z]){re.escape(shape)}(?![0-9A-Za-z])", text):
                        found.append((where, shape))
        return found

    return leaks


def test_the_search_finds_what_lies_about(leaks, people, workers, shop, asker):
    """The control: a code in a row, a seed in a session, a password in a log."""
    workers.start()
    Visitor(shop).go("/account/sign-in/").go("/account/challenge/00000000-0000-0000-0000-000000000000/")
    ada = User.objects.get(email="ada@example.org")
    options = {"purpose": Purpose.SIGN_IN, "digest": bytes(32), "next_path": "/", "factor": "text"}
    challenge = challenges.begin(asker=asker(ada), **options)
    until(lambda: challenge.messages.get().state == "handed_over")
    assert leaks({ADAS_PASSWORD}) == []
    challenge.summary = {"code": code_of(challenge)}
    challenge.save()
    session = SessionStore()
    session["key"] = Authenticator.objects.get().typed_key
    session.save()
    with shop.log.open("a") as log:
        log.write(f"password={ADAS_PASSWORD}\n")
    places = {where for where, _what in leaks({ADAS_PASSWORD})}
    assert places == {"table stepup_challenge", "sessions", "web log"}


def test_nothing_lies_about_in_the_middle_of_anything(leaks, people, workers, shop, twilio, smtp, ada, ben):
    product = Product.objects.create(category=Category.objects.create(name="Cups", slug="cups"), name="Cup", slug="cup")
    cup = Variant.objects.create(product=product, sku="cup", price=Decimal("9.00"), on_hand=5)
    workers.start()
    secrets: set[str | bytes] = {ADAS_PASSWORD, BENS_PASSWORD, DORAS_PASSWORD}

    # Ada signs in by text; a wrong code first.
    adas = Visitor(shop).go("/account/sign-in/")
    adas.post("/account/sign-in/", name=ada.email, password="wrong-" + ADAS_PASSWORD)
    adas.post("/account/sign-in/", name=ada.email, password=ADAS_PASSWORD).choose("text")
    assert code_of(adas.challenge) in twilio.wait_for(1, timeout=30)[0].body
    assert leaks(secrets) == []
    adas.type("123 456" if code_of(adas.challenge) != "123456" else "654321")
    assert leaks(secrets) == []
    adas.type(code_of(adas.challenge))
    assert "/account/challenge/" not in adas.at and leaks(secrets) == []

    # She pays, by e-mail and then with her app.
    adas.go("/products/cup/").post("/cart/add/", variant=cup.pk, quantity=1)
    adas.go("/checkout/address/").post("/checkout/address/", **ADDRESS, email=ada.email, phone="")
    adas.post("/checkout/delivery/", delivery_method="standard").post("/checkout/approve/").choose("email")
    assert code_of(adas.challenge) in smtp.wait_for(1, timeout=30)[0].text
    assert leaks(secrets) == []
    adas.choose("authenticator")
    secrets.add(totp_of(ada, timezone.now()))
    adas.type(totp_of(ada, timezone.now()))
    assert adas.at == "/checkout/pay/" and leaks(secrets) == []

    # A guest pays, by text.
    guest = Visitor(shop).go("/products/cup/").post("/cart/add/", variant=cup.pk, quantity=1)
    guest.go("/checkout/address/").post("/checkout/address/", **ADDRESS, email="", phone="+4915112345001")
    guest.post("/checkout/delivery/", delivery_method="standard").post("/checkout/approve/")
    assert code_of(guest.challenge) in twilio.wait_for(2, timeout=30)[1].body
    assert leaks(secrets) == []

    # He is called as well, and hears the code. (Only the web server knows at which port it listens here.)
    Challenge.objects.filter(pk=guest.challenge.pk).update(next_send_at=None)
    guest.choose("call")
    call = twilio.wait_for_calls(1, timeout=30)[0]
    for name in ("url", "status_callback"):
        setattr(call, name, shop.url + "/" + getattr(call, name).split("/", 3)[3])
    heard = Phone(twilio).takes(call, presses="1")
    assert heard.digits == code_of(guest.challenge) * 2 and guest.challenge.messages.get(channel="call").delivered_at
    assert leaks(secrets) == []

    # Ben signs in by e-mail, enrols an app, and sees his backup codes.
    bens = Visitor(shop).go("/account/sign-in/").post("/account/sign-in/", name=ben.email, password=BENS_PASSWORD)
    smtp.wait_for(2, timeout=30)
    bens.type(code_of(bens.challenge)).go("/account/security/authenticator/")
    app = Authenticator.objects.get(user=ben)
    assert app.typed_key in bens.page and leaks(secrets) == []
    secrets.add(totp_of(ben, timezone.now()))
    bens.post("/account/security/authenticator/", device=app.pk, name="phone", code=totp_of(ben, timezone.now()))
    backup_codes = re.findall(r"<code>([0-9A-Z]{5}-[0-9A-Z]{5})</code>", bens.page)
    assert len(backup_codes) == 10
    secrets |= {*backup_codes, *(code.replace("-", "") for code in backup_codes)}
    assert leaks(secrets) == []

    # He signs in elsewhere with one of them.
    bens = Visitor(shop).go("/account/sign-in/").post("/account/sign-in/", name=ben.email, password=BENS_PASSWORD)
    bens.choose("backup_code").type(backup_codes[0], trust="1")
    secrets.add(bens.cookie("trusted"))  # he trusts that browser
    assert "/account/challenge/" not in bens.at and leaks(secrets) == []

    # Dora opens an account by text, and Ben resets his password by e-mail.
    dora = Visitor(shop).go("/account/sign-up/").post("/account/sign-up/", contact="+4915112345002")
    assert leaks(secrets) == []
    dora.type(code_of(dora.challenge)).post("/account/sign-up/done/", name="Dora", password=DORAS_PASSWORD)
    assert User.objects.filter(name="Dora").exists() and leaks(secrets) == []
    bens = Visitor(shop).go("/account/reset/").post("/account/reset/", contact=ben.email)
    bens.type(code_of(bens.challenge)).post("/account/reset/password/", password=DORAS_PASSWORD)
    assert User.objects.get(pk=ben.pk).check_password(DORAS_PASSWORD) and leaks(secrets) == []

    # Neither the list of what was looked for nor the places are empty by mistake.
    assert "DEBUG" in shop.log.read_text()
    assert Challenge.objects.count() >= 7
    assert codes.current_key_id() in tables()["table stepup_challenge"]
