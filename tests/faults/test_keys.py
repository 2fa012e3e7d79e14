"""Two web servers on one database, one with the old keys and one with the new: a shop in the middle of a rotation."""

import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as django_settings

from tests.accounts.sign_in.steps import app_code
from tests.codes import code_of
from tests.embedded.test_run import free_port
from tests.people import PASSWORD

from .conftest import CHECKOUT, until

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

WEB = "granian --interface wsgi --host 127.0.0.1 --no-ws --workers 1 --log-level warning shop.wsgi:application --port"
NEW_FIELD_KEY = Fernet.generate_key().decode()
OLD, NEW = (
    {"SECRET_KEY": django_settings.INSECURE_KEY, "CODE_KEYS": django_settings.INSECURE_KEY,
     "FIELD_KEYS": django_settings.INSECURE_FIELD_KEY},
    {"SECRET_KEY": "the new one " * 5, "CODE_KEYS": "a new one for codes", "FIELD_KEYS": NEW_FIELD_KEY},
)  # fmt: skip


def keys(*generations: dict[str, str]) -> dict[str, str]:
    """The first for new values; the others still open what they made."""
    first, *others = generations
    return {name: ",".join(keys[name] for keys in generations) for name in ("CODE_KEYS", "FIELD_KEYS")} | {
        "SECRET_KEY": first["SECRET_KEY"],
        "SECRET_KEY_FALLBACKS": ",".join(keys["SECRET_KEY"] for keys in others),
    }


class Browser:
    """One person's, with cookies; it doesn't care which of the servers answers."""

    def __init__(self) -> None:
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.page = ""
        self.path = ""

    def get(self, server: str, path: str) -> str:
        return self._open(server, path, None)

    def post(self, server: str, path: str = "", **fields: str) -> str:
        """The form of the page one is on."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.page)
        assert token, self.page
        return self._open(server, path or self.path, urlencode(fields | {"csrfmiddlewaretoken": token[1]}).encode())

    def _open(self, server: str, path: str, data: bytes | None) -> str:
        try:
            answer = self.opener.open(f"{server}{path}", data, timeout=20)
        except urllib.error.HTTPError as refused:
            answer = refused
        self.page, self.path = answer.read().decode(), answer.url.removeprefix(server)
        return self.path


@pytest.fixture
def serve(shop_env: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., str]]:
    """`serve(OLD)`: a web server with these keys, the first for new values; its address."""
    started = []

    def start(*generations: dict[str, str]) -> str:
        port = free_port()
        url = f"http://localhost:{port}"
        own = {"SITE_URL": url, "STATIC_FROM_SOURCE": "1", "LOG_LEVEL": "WARNING"} | keys(*generations)
        with (tmp_path / f"web-{port}.log").open("wb") as log:
            command = [sys.executable, "-m", *WEB.split(), str(port)]
            started.append(subprocess.Popen(command, cwd=CHECKOUT, env=shop_env | own, stdout=log, stderr=log))
        until(lambda: _answers(url), seconds=60)
        return url

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{url}/account/sign-in/", timeout=5).status == 200)
    except OSError:
        return False


def newest_challenge(user: Any) -> Any:
    return user.challenges.latest("requested_at")


def test_nobody_is_locked_out_while_keys_rotate(ada, ben, serve, shop_env, settings):
    settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2idHasher"]  # as the servers have it
    for person in (ada, ben):
        person.set_password(PASSWORD)
        person.save()
    # First everybody learns the new keys, then everybody uses them; in between both kinds of server answer.
    before, after = serve(OLD, NEW), serve(NEW, OLD)

    bens = Browser()
    bens.get(before, "/account/sign-in/")
    bens.post(before, name="ben@example.org", password=PASSWORD)
    assert bens.path.startswith("/account/challenge/")
    bens.post(after, code=code_of(newest_challenge(ben)))  # the code was made with the old key
    assert bens.path == "/", bens.page
    assert bens.get(before, "/account/security/") == "/account/security/"
    assert bens.get(after, "/account/security/") == "/account/security/"

    adas = Browser()
    adas.get(after, "/account/sign-in/")
    adas.post(after, name="ada@example.org", password=PASSWORD)
    challenge = adas.path
    adas.post(before, f"{challenge}send/", factor="email")  # begun with the new key, sent and passed by the old server
    settings.CODE_KEYS = [NEW["CODE_KEYS"]]
    adas.post(before, challenge, code=code_of(newest_challenge(ada)))
    assert adas.path == "/", adas.page

    # The seeds of apps are encrypted anew while both run; then the old keys go, and the app still signs in.
    done = subprocess.run(
        [sys.executable, "manage.py", "rotate_field_keys"],
        cwd=CHECKOUT, env=shop_env | keys(NEW, OLD), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("1 encrypted anew"), done.stderr
    last = serve(NEW)
    again = Browser()
    again.get(last, "/account/sign-in/")
    again.post(last, name="ada@example.org", password=PASSWORD)
    settings.FIELD_KEYS = [NEW_FIELD_KEY]
    again.post(last, code=app_code(ada))
    assert again.path == "/", again.page
    assert again.get(last, "/account/security/") == "/account/security/"
