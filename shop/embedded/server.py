"""Start a local server, or join the one that runs already."""

import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path

from . import processes


class EmbeddedError(RuntimeError):
    """Why a local server can't be had: one line, fit to be shown as it is."""


class Server(ABC):
    """A server with a folder of its own; PostgreSQL and Valkey say how theirs is started and reached."""

    name: str
    package: str
    variable: str  # the environment variable that makes the local server needless
    patience = 60.0  # seconds; after a crash PostgreSQL first replays its log

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.lock = folder / "server.lock"

    @abstractmethod
    def url(self) -> str | None:
        """Where to reach it, if it answers."""

    @abstractmethod
    def launch(self) -> subprocess.Popen[bytes]:
        """Make the data folder where it is missing and start the server."""


_users: dict[Path, int] = {}
_children: list[subprocess.Popen[bytes]] = []  # kept, since Popen complains when it is thrown away before its process


def attach(server: Server) -> str:
    """The URL of the server, started if need be. It runs until no process that called this is left.

    Safe in many processes at once: one starts it, the others wait for the lock and find it running.
    """
    try:
        server.folder.mkdir(parents=True, exist_ok=True)
        with processes.locked(server.folder / "start.lock"):
            if server.folder not in _users:
                _users[server.folder] = processes.share(server.folder / "users.lock")
            if not processes.is_alive(server.folder / "keeper.lock"):
                _children.append(_start_keeper(server.folder))
            return _join(server) or _start(server)
    except OSError as error:
        raise EmbeddedError(f"{server.name} can't start in {server.folder}: {error.strerror or error}") from error
    except ImportError as error:
        raise EmbeddedError(
            f"{server.variable} is not set, and the local {server.name} is not installed: set {server.variable}, "
            f"or run: pip install -r requirements-dev.txt"
        ) from error


def release() -> None:
    """Stop using the servers now, and wait until those that nobody else uses have ended."""
    for folder, descriptor in list(_users.items()):
        with processes.locked(folder / "start.lock"):
            os.close(descriptor)
            del _users[folder]
            for _ in range(10):  # the keeper, too, may be looking at this moment whether anybody is left
                if processes.stop_if_unused(folder):
                    break
                time.sleep(0.02)
            else:
                continue
        processes.gone_within(folder / "keeper.lock", 1)


def _start_keeper(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", processes.__file__, str(folder)],
        cwd="/",
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _start(server: Server) -> str:
    _children.append(server.launch())
    if url := _join(server):
        return url
    raise EmbeddedError(f"{server.name} ended while starting: {_last_words(server.log)} (log: {server.log})")


def _join(server: Server) -> str | None:
    """Wait until the server answers; None if it does not run, or ends meanwhile."""
    deadline = time.monotonic() + server.patience
    while processes.is_alive(server.lock):
        if url := server.url():
            return url
        if time.monotonic() > deadline:
            raise EmbeddedError(f"{server.name} runs but does not answer (log: {server.log})")
        time.sleep(0.02)
    return None


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    fatal = [line for line in lines if "FATAL" in line]
    return (fatal or lines or ["it said nothing"])[-1].strip()
