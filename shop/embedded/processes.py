"""Long-lived processes, known by the file locks they hold.

A pid alone says little: after a crash another process may have it. A process started here inherits an open, locked
file instead, and the kernel drops that lock when the process is gone, however it ended. So nothing here goes stale,
not after kill -9 and not after a power cut.

Run as a script, this file is the keeper of one server: it waits until no process uses the server any more, then stops
it. It imports the standard library only, so that it starts in milliseconds and stays small.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LINGER = 3.0  # seconds a server waits for the next user: `manage.py` twice in a row starts it once


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def take(path: Path) -> int:
    """Take the lock, waiting for it as long as need be. Closing the descriptor gives it back."""
    descriptor = _open(path)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


@contextmanager
def locked(path: Path) -> Iterator[None]:
    descriptor = take(path)
    try:
        yield
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """Take the lock if it is free."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def share(path: Path) -> int:
    """Be one of the users of something: a shared lock, held until this process and its forks are gone."""
    descriptor = _open(path)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_alive(lock: Path) -> bool:
    """Whether a process holds the lock. Asks with a shared lock, so that two who ask don't see each other."""
    descriptor = _open(lock)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def start(lock: Path, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process that holds the lock for as long as it lives, out of reach of the terminal's Ctrl-C.

    Call it where nobody holds the lock: it waits as long as somebody does.
    """
    descriptor = take(lock)
    try:
        os.ftruncate(descriptor, 0)
        process = subprocess.Popen(
            command, pass_fds=[descriptor], start_new_session=True, stdin=subprocess.DEVNULL, **options
        )
        os.write(descriptor, str(process.pid).encode())
    finally:
        os.close(descriptor)
    return process


def stop(lock: Path, gently: signal.Signals = signal.SIGINT, patience: float = 30) -> None:
    """End the process that holds the lock, if there is one, and wait until it is gone."""
    if not is_alive(lock):
        return
    pid = int(lock.read_text())
    with suppress(ProcessLookupError):
        os.kill(pid, gently)
    if not gone_within(lock, patience):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        gone_within(lock, 5)


def gone_within(lock: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def stop_if_unused(folder: Path) -> bool:
    """Stop the server in this folder unless some process uses it. Call it with start.lock held."""
    users = try_lock(folder / "users.lock")
    if users is None:
        return False
    try:
        stop(folder / "server.lock")
    finally:
        os.close(users)
    return True


def keep(folder: Path) -> None:
    """Be the keeper, or wait in line behind the one there is."""
    keeper = take(folder / "keeper.lock")
    while True:
        with locked(folder / "users.lock"):
            pass  # reached when the last user is gone
        gone_within(folder / "server.lock", LINGER)
        with locked(folder / "start.lock"):
            if stop_if_unused(folder):
                os.close(keeper)  # before start.lock is free: the next server gets a keeper of its own
                return


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
