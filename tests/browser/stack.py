"""The real thing, started as `make run` starts it, with data of its own; and the inbox of its demo."""

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from shop.embedded import CHECKOUT, run
from tests.embedded.conftest import all_ended, environment, wait_until

PATIENCE = 30.0  # seconds; a busy machine is no failure


# Each line of its input is a piece of Python; each line of its output, what that printed, and how it failed.
SHELL = """
import contextlib, io, json, sys, traceback
from django.db.models import F
from django.utils import timezone
for line in sys.stdin:
    said, failure = io.StringIO(), None
    with contextlib.redirect_stdout(said):
        try:
            exec(json.loads(line), globals())
        except Exception:
            failure = traceback.format_exc()
    print(json.dumps([said.getvalue(), failure]), flush=True)
"""

# What the developer's own environment may say about another shop.
SHOPS_OWN = ("ALLOWED_HOSTS", "DEBUG", "DEMO", "EMAIL_URL", "SECRET_KEY", "SITE_URL", "STATIC_", "TWILIO_")
STARTED = "Ctrl-C ends it."

running: list["Stack"] = []


def what_the_shops_said() -> str:
    """The last lines of the web servers and workers that run, for those who look for the cause of something."""
    return "\n".join(stack.said[-6000:] for stack in running)


class Stack:
    """Web server, worker, beat, database and broker, until `stop()`."""

    def __init__(self, *, port: int, **settings: str) -> None:
        # Not pytest's tmp_path: its parents are closed to others, so that PostgreSQL's user could not enter as root.
        self.var = Path(tempfile.mkdtemp(prefix="countersign-browser-"))
        self.var.chmod(0o755)
        self.port = port
        self.url = f"http://localhost:{port}"
        # The browsers say in X-Forwarded-For who they are, as if through a proxy: to the limits they are many homes.
        own = {"PORT": str(port), "TRUSTED_PROXIES": "1"} | settings
        around = environment(self.var)
        self.env = {name: value for name, value in around.items() if not name.startswith(SHOPS_OWN)} | own
        self.said = ""
        self._shell: subprocess.Popen[str] | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-m", "shop.embedded.run"],
            cwd=CHECKOUT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_hear_ctrl_c,
        )
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._ready.wait(300)
        if STARTED not in self.said:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(PATIENCE)
            shutil.rmtree(self.var, ignore_errors=True)
            raise AssertionError(f"it did not start:\n{self.said}")
        running.append(self)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if STARTED in line:
                self._ready.set()
        self._ready.set()

    def manage(self, *words: str, **settings: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=CHECKOUT,
            env=self.env | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def python(self, code: str) -> str:
        """Run a line in the shop's shell, for what no page does: half a minute gone by, the last of a shelf."""
        if self._shell is None:  # one for all lines: it takes seconds to start
            self._shell = subprocess.Popen(
                [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", SHELL],
                cwd=CHECKOUT,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._shell.stdin is not None and self._shell.stdout is not None
        print(json.dumps(code), file=self._shell.stdin, flush=True)
        said, failure = json.loads(self._shell.stdout.readline() or '["", "it ended"]')
        assert failure is None, failure
        return str(said).strip()

    def let_half_a_minute_pass(self, challenge_path: str) -> None:
        """So that the code may be sent again."""
        self.python(f"Challenge.objects.filter(pk='{challenge_path.split('/')[3]}').update(next_send_at=None)")

    def stop(self) -> None:
        """Ctrl-C, and nothing may be left."""
        running.remove(self)
        if self._shell:
            self._shell.communicate(timeout=PATIENCE)
        try:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(PATIENCE)
            self._reader.join(5)
            assert self.process.returncode == 0, self.said
            assert "The data are kept." in self.said
            wait_until(lambda: all_ended(self.var) and not self._processes())
            run.check_free(self.port)
        finally:
            self.process.kill()
        shutil.rmtree(self.var)

    def _processes(self) -> list[int]:
        """Those that were started with this stack's folder, children of children too; Linux tells."""
        mark = f"COUNTERSIGN_VAR={self.var}".encode()
        found = []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in environ.read_bytes().split(b"\0"):
                    found.append(int(environ.parent.name))
            except OSError:  # gone, or not ours
                continue
        return found


def _hear_ctrl_c() -> None:
    """A shell's background job, as which the tests may run, is deaf to it, and so would be its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Inbox:
    """/demo/inbox/, read over HTTP. Each message is found once: asking again waits for a newer one."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/demo/inbox/"
        self._seen: dict[str, int] = {}

    def code(self, to: str, about: str = "") -> str:
        """The code of the next message to this person that speaks of `about`."""
        return code_in(self.message(to, f"code to {about}"))

    def message(self, to: str, about: str) -> str:
        """The next message to this person that speaks of `about`, whole."""
        return soon(lambda: self._next(to, about), f"no message to {to} about {about!r}")

    def count(self, to: str, about: str) -> int:
        return sum(about in said for said, _ in self._messages(to))

    def _next(self, to: str, about: str) -> str | None:
        messages = self._messages(to)
        for number in range(self._seen.get(to, 0), len(messages)):
            said, read = messages[number]
            if about.lower() in said.lower():
                self._seen[to] = number + 1
                return read()
        return None

    def _messages(self, to: str) -> list[tuple[str, Callable[[], str]]]:
        """What this person got, the oldest first: the text or the subject, and how to read all of it."""
        page = fetch(f"{self.url}?to={quote(to)}")
        if "@" not in to:
            bubbles = re.findall(r'nowrap">([^<]*)</span>.*?<p class="bubble__text">(.*?)</p>', page, re.S)
            texts = [plain(text) for number, text in bubbles if number == to]
            return [(text, lambda text=text: text) for text in reversed(texts)]  # type: ignore[misc]
        mails = re.findall(
            r'open=([0-9a-f-]{36})#.*?<strong>(.*?)</strong><span class="muted small">(\S+) ', page, re.S
        )
        return [
            (plain(subject), lambda pk=pk: self._mail(to, pk))  # type: ignore[misc]
            for pk, subject, address in reversed(mails)
            if address == to
        ]

    def _mail(self, to: str, pk: str) -> str:
        page = fetch(f"{self.url}?to={quote(to)}&open={pk}")
        found = re.search(r'<div class="mail__text">(.*?)</div>', page, re.S)
        assert found is not None, page
        return plain(found[1])


T = TypeVar("T")


def soon(look: Callable[[], T | None], otherwise: str) -> T:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + PATIENCE
    while (found := look()) is None:
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)
    return found


def code_in(text: str) -> str:
    found = re.search(r"\b\d{6}\b", text)
    assert found is not None, text
    return found[0]


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def plain(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


class App:
    """An authenticator app: oathtool, and the memory of which steps it has shown already."""

    STEP = 30

    def __init__(self, key: str, program: str = "oathtool") -> None:
        self.key = key.replace(" ", "")
        self._program = program
        self._last = 0

    @classmethod
    def step_now(cls) -> int:
        return int(time.time()) // cls.STEP

    def code(self) -> str:
        """One that was not used yet: that of now, else that of the next step, which counts already.

        Who needs a third at the same moment waits for it.
        """
        step = self._last = max(self._last + 1, self.step_now())
        soon(lambda: step <= self.step_now() + 1 or None, "the clock stands still")
        return self.code_of(step)

    def code_of(self, step: int) -> str:
        command = [self._program, "--totp", "-b", self.key, f"--now=@{step * self.STEP}"]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout.strip()
