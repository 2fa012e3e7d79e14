"""The local PostgreSQL and Valkey, which serve where no URL is given.

`shop/settings.py` calls `database_url()` and `redis_url()` only where DATABASE_URL and REDIS_URL are not set. The
first process that asks starts the server, the others join it, and it ends some seconds after the last of them.
For a laptop and for tests, never for production: there, set the URLs.
"""

import hashlib
import os
from pathlib import Path

from .server import EmbeddedError, attach, release

__all__ = ["EmbeddedError", "database_url", "redis_url", "release", "var_folder"]

CHECKOUT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    from .postgres import Postgres

    return attach(Postgres(var_folder() / "postgres", for_tests=_in_tests()))


def redis_url() -> str:
    from .valkey import Valkey

    return attach(Valkey(var_folder() / "valkey", for_tests=_in_tests()))


def var_folder() -> Path:
    """Where the data are: COUNTERSIGN_VAR, or `var/` in the checkout, and within it `test/` while tests run.

    As root it is a folder in /var/lib: PostgreSQL refuses to run as root, and the system user it runs as could not
    enter a checkout in root's home.
    """
    if chosen := os.environ.get("COUNTERSIGN_VAR"):
        folder = Path(chosen).expanduser().resolve()
    elif os.geteuid() == 0:
        mark = hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:8]
        folder = Path("/var/lib") / f"countersign-{mark}"
    else:
        folder = CHECKOUT / "var"
    return folder / "test" if _in_tests() else folder


def _in_tests() -> bool:
    """Pytest sets this variable for itself and for the processes it starts. Tests never touch the shop's own data."""
    return "PYTEST_VERSION" in os.environ
