"""Where the browser tests can't run, nobody shall believe they did: a loud last line, and in CI a failure."""

import os
import shutil
from collections.abc import Generator
from typing import Any

import pytest

SAID = "BROWSER TESTS DID NOT RUN:"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def browser_program() -> str:
    """The system's Chromium; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or _give_up("no Chromium is installed (none of " + ", ".join(BROWSERS) + " is on the PATH)")


def oathtool() -> str:
    """The authenticator app of these tests."""
    return shutil.which("oathtool") or _give_up("oathtool is not installed, and it is their authenticator app")


def _give_up(reason: str) -> Any:
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"{SAID} {reason}", pytrace=False)
    pytest.skip(f"{SAID} {reason}")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # so as to have the last word
def pytest_terminal_summary(terminalreporter: Any) -> Generator[None, None, None]:
    """Here and not in the conftest.py: with xdist, the process that writes the summary loads none of a subfolder."""
    yield
    reasons = {
        str(report.longrepr[2]).partition(SAID)[2].strip()
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple | list) and SAID in str(report.longrepr[2])
    }
    for reason in sorted(reasons):
        terminalreporter.write_line(f"{SAID} {reason}", red=True, bold=True)
