"""A folder of its own for the servers of these tests, and processes that use them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shop.embedded import CHECKOUT, processes

USER = """
import json, sys
from shop import embedded
print(json.dumps([embedded.database_url(), embedded.redis_url()]), flush=True)
sys.stdin.read()
"""


def environment(var: Path, **more: str) -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    return env | {"COUNTERSIGN_VAR": str(var)} | more


@dataclass
class User:
    """A process that uses both servers until it is told to leave."""

    process: subprocess.Popen[str]

    def urls(self) -> tuple[str, str]:
        assert self.process.stdout is not None
        database, redis = json.loads(self.process.stdout.readline())
        return database, redis

    def leave(self) -> None:
        self.process.communicate(timeout=10)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=10)


def come(var: Path) -> User:
    return User(
        subprocess.Popen(
            [sys.executable, "-c", USER],
            cwd=CHECKOUT,
            env=environment(var),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    )


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def all_ended(var: Path) -> bool:
    """Whether no server and no keeper is left. The locks know."""
    return not any(processes.is_alive(lock) for lock in var.rglob("*.lock"))


@pytest.fixture(scope="module")
def var() -> Iterator[Path]:
    # Not pytest's tmp_path: its parents are closed to others, so that PostgreSQL's user could not enter as root.
    folder = Path(tempfile.mkdtemp(prefix="countersign tests "))
    folder.chmod(0o755)
    yield folder
    wait_until(lambda: all_ended(folder))
    shutil.rmtree(folder)
