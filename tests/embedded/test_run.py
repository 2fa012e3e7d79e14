"""`make run`: one line where it can't start, nothing left where it ended."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest

from shop.embedded import CHECKOUT, EmbeddedError, preflight, processes, run
from tests.embedded.conftest import all_ended, environment

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("embedded")]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    assert run.main() == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.strip()


@pytest.fixture
def own_var(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("COUNTERSIGN_VAR", str(tmp_path))
    return tmp_path / "test"


def test_a_taken_port(
    own_var: Path, taken_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", str(taken_port))
    said = f"port {taken_port} is taken by another program: choose another, such as PORT={taken_port + 1} make run"
    assert refusal(capsys) == f"make run: {said}"


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "8000 "])
def test_a_port_that_is_none(
    own_var: Path, port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", port)
    assert "is not a port: choose a number" in refusal(capsys)


def test_little_room_on_the_disk(
    own_var: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=12_000_000))
    assert "the disk is nearly full: 12 MB free" in refusal(capsys)


def test_a_full_disk(own_var: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run, "_claim", full)
    assert "the disk is full" in refusal(capsys)


def test_a_second_one_in_the_same_checkout(own_var: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_var.mkdir()
    with processes.locked(own_var / "run.lock"):
        (own_var / "run.lock").write_text("8000")
        assert "it runs already, on http://localhost:8000/" in refusal(capsys)


def test_an_old_python_and_a_full_disk_before_the_virtualenv(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preflight.problem(".") is None
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=12_000_000))
    assert preflight.problem(".").startswith("the disk is nearly full: 12 MB free")
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    assert preflight.problem(".").startswith("Countersign needs Python 3.11 or newer, and this one is 3.10.13")


def test_a_missing_python_is_one_line(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(CHECKOUT / name, tmp_path)
    done = subprocess.run(
        ["make", "run", "PYTHON=python-that-is-not-here"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    first, *rest = done.stderr.splitlines()
    assert first.startswith("python-that-is-not-here is not installed: install Python 3.11 or newer")
    assert all(line.startswith("make") for line in rest)


class Shop:
    """`make run`, as far as the panel; ended at the end of the `with`, whatever happened in it."""

    def __init__(self, var: Path, port: int, **more: str) -> None:
        self.port = port
        self.said = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "shop.embedded.run"],
            cwd=CHECKOUT,
            env=environment(var, PORT=str(port), **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        for line in self.process.stdout or []:
            self.said += line
            if line.startswith("Ctrl-C ends it."):
                return self
        raise AssertionError(f"it did not start:\n{self.said}")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)

    def status(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", "/")
        return connection.getresponse().status

    def rest(self) -> str:
        return self.process.communicate(timeout=60)[0]


def test_it_runs_ends_when_told_and_leaves_nothing(var: Path) -> None:
    with Shop(var, free_port()) as shop:
        assert shop.status() == 200
        assert f"http://localhost:{shop.port}/demo/inbox/" in shop.said
        with pytest.raises(EmbeddedError, match="is taken"):
            run.check_free(shop.port)

        shop.process.send_signal(signal.SIGHUP)  # what a closed terminal sends
        assert "The data are kept." in shop.rest()
        assert shop.process.returncode == 0
    assert all_ended(var)
    run.check_free(shop.port)


def test_after_kill_9_it_starts_again_and_a_dead_child_ends_all_of_it(var: Path) -> None:
    port = free_port()
    with Shop(var, port, DEMO="0") as first:
        first.process.kill()
        first.rest()
    assert processes.is_alive(var / "test" / "web.lock")  # left over, and still on the port

    with Shop(var, port, DEMO="0") as second:
        assert second.status() == 200
        os.kill(int((var / "test" / "worker.lock").read_text()), signal.SIGKILL)
        assert "make run: worker ended by itself (exit code -9)" in second.rest()
        assert second.process.returncode == 1
    assert all_ended(var)
