"""`make run`: the whole shop in one terminal, ended by Ctrl-C.

    python -m shop.embedded.run

Starts the local servers where no URL is set, brings the database up to date, then runs web, worker and beat and shows
what they say. Whatever ends it (Ctrl-C, SIGTERM, a closed terminal, a child that dies) ends all of it; the data stay.
"""

import errno
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType

from shop import embedded
from shop.embedded import CHECKOUT, EmbeddedError, processes

LEAST_FREE_SPACE = 500_000_000  # bytes; below that PostgreSQL may stop in the middle of something
PATIENCE = 10  # seconds for the children to finish what they do
ON_ENOSPC = "the disk is full: make room and start again; the data that were saved are kept"

# What Celery warns of is meant for production: it runs as root in a container, and with DEBUG.
QUIET_CELERY = "ignore::UserWarning:celery.fixups.django,ignore::Warning:celery.platforms"


class Child:
    """A process whose lines are shown behind its name."""

    def __init__(self, name: str, command: list[str], env: Mapping[str, str]) -> None:
        self.name = name
        self.process = processes.start(
            _lock(name), command, env=env, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.reader = threading.Thread(target=self._show, daemon=True)
        self.reader.start()

    def _show(self) -> None:
        for line in self.process.stdout or []:
            text = line.decode(errors="replace").rstrip()
            try:
                if text:
                    print(f"{self.name:6} | {text}", flush=True)
            except OSError:  # the terminal is gone
                os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    try:
        run(os.environ)
    except KeyboardInterrupt:
        return 0  # asked to end: no failure
    except EmbeddedError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(ON_ENOSPC if error.errno == errno.ENOSPC else str(error))
    return 0


def run(environ: Mapping[str, str]) -> None:
    port = check_port(environ.get("PORT") or "8000")
    var = embedded.var_folder()
    var.mkdir(parents=True, exist_ok=True)
    check_disk(var)
    running = _claim(var / "run.lock", port)
    for name in ("web", "worker", "beat"):  # left over if an earlier `make run` was killed with -9
        processes.stop(_lock(name), signal.SIGTERM, PATIENCE)
    check_free(port)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    children: list[Child] = []
    try:
        say("Starting ...")
        env = settings_for_children(environ, port)
        demo = env["DEMO"].lower() in ("1", "true", "yes", "on")
        _manage("migrate", "--noinput", "--verbosity=0", env=env)
        if demo:
            _manage("demo", env=env)
        for name, command in commands(port, var, env["LOG_LEVEL"]).items():
            children.append(Child(name, command, env))
        people = _manage("demo", "--people", env=env) if demo else ""
        _watch(children, port, panel(port, demo, people))
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        say("\nStopping ...")
        _end(children)
        embedded.release()
        os.close(running)
        say("Stopped. The data are kept.")


def settings_for_children(environ: Mapping[str, str], port: int) -> dict[str, str]:
    # DEBUG stays off: who tries the shop shall see its own pages where something is wrong or missing.
    own = {"DEMO": "1", "DEBUG": "0", "STATIC_FROM_SOURCE": "1", "LOG_LEVEL": "WARNING"}
    env = {**own, **environ, "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    env["PYTHONWARNINGS"] = ",".join(filter(None, [environ.get("PYTHONWARNINGS"), QUIET_CELERY]))
    if not env.get("DATABASE_URL"):
        env["DATABASE_URL"] = embedded.database_url()
    if not env.get("REDIS_URL"):
        env["REDIS_URL"] = embedded.redis_url()
    return env


def commands(port: int, var: Path, log_level: str) -> dict[str, list[str]]:
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--quiet", "--app", "shop"]
    web = f"granian --interface wsgi --host 127.0.0.1 --port {port} --no-ws --workers 2 --blocking-threads 4"
    worker = "worker --queues codes,mail,slow --pool threads --concurrency 16 --without-gossip --without-mingle"
    return {
        "web": [*python, *web.split(), "--log-level", "warning", "shop.wsgi:application"],
        "worker": [*celery, *worker.split(), "--loglevel", log_level],
        "beat": [*celery, "beat", "--schedule", str(var / "beat-schedule"), "--pidfile=", "--loglevel", log_level],
    }


def panel(port: int, demo: bool, people: str) -> str:
    at = f"http://localhost:{port}"
    lines = ["", "Countersign is running.", "", f"  Shop        {at}/"]
    if demo:
        lines.append(f"  Demo inbox  {at}/demo/inbox/   (where texts, calls and e-mails arrive)")
    lines += [f"  Admin       {at}/admin/", f"  Support     {at}/support/", ""]
    lines += [f"  {line}".rstrip() for line in people.strip("\n").splitlines()]
    return "\n".join([*lines, "", "Ctrl-C ends it. The data are kept.", ""])


def check_port(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise EmbeddedError(f"PORT={value} is not a port: choose a number from 1 to 65535, such as 8000")
    return int(value)


def check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except PermissionError:
            raise EmbeddedError(f"port {port} needs root: choose one over 1023, such as PORT=8000 make run") from None
        except OSError:
            raise EmbeddedError(
                f"port {port} is taken by another program: choose another, such as PORT={port + 1} make run"
            ) from None


def check_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_SPACE:
        raise EmbeddedError(
            f"the disk is nearly full: {free // 1_000_000} MB free in {folder}, "
            f"and the shop needs {LEAST_FREE_SPACE // 1_000_000} MB"
        )


def say(text: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        print(text, flush=True)


def _refuse(reason: str) -> int:
    with suppress(OSError):
        print(f"make run: {reason}", file=sys.stderr, flush=True)
    return 1


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _lock(name: str) -> Path:
    return embedded.var_folder() / f"{name}.lock"


def _claim(lock: Path, port: int) -> int:
    """One `make run` a checkout: two workers and two beats on one queue would do the same work twice."""
    descriptor = processes.try_lock(lock)
    if descriptor is None:
        raise EmbeddedError(f"it runs already, on http://localhost:{lock.read_text()}/: end that one first")
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(port).encode())
    return descriptor


def _manage(*words: str, env: Mapping[str, str]) -> str:
    """Run a command of manage.py and return what it prints; its errors go to the terminal."""
    done = subprocess.run(
        [sys.executable, "manage.py", *words], env=env, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise EmbeddedError(f"`manage.py {words[0]}` failed, as said above")
    return done.stdout


def _watch(children: list[Child], port: int, text: str) -> None:
    """Show the panel when the web server answers, then wait until a child dies or somebody ends it."""
    announced = False
    while True:
        for child in children:
            if child.process.poll() is not None:
                child.reader.join(timeout=1)
                raise EmbeddedError(f"{child.name} ended by itself (exit code {child.process.returncode})")
        if not announced and _answers(port):
            say(text)
            announced = True
        time.sleep(0.1)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")  # also makes the first visitor's page quick
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _end(children: list[Child]) -> None:
    for child in children:
        child.process.terminate()
    deadline = time.monotonic() + PATIENCE
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0.0, deadline - time.monotonic()))
        with suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)  # with whatever it started itself
        child.process.wait()


if __name__ == "__main__":
    sys.exit(main())
