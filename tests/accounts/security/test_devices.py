import pytest

from accounts.net import user_agent_of
from accounts.security.devices import device_name

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"{WEBKIT} Chrome/131.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36", "Chrome on Android"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/131.0.0.0", "Edge on Windows"),
        (
            f"Mozilla/5.0 (Linux; Android 14) {WEBKIT} SamsungBrowser/27.0 Chrome/125 Safari/537",
            "Samsung Internet on An",
        ),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36 OPR/116.0", "Opera on ChromeOS"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {WEBKIT} CriOS/131 Safari/604.1", "Chrome on iPhone"),
        ("Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605 FxiOS/133.0 Safari/605", "Firefox on iPad"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/18 Safari/605", "Safari on Mac"),
        ("curl/8.5.0", "Unknown browser"),
        ("", "Unknown browser"),
        ("<script>Firefox/", "Firefox"),
    ],
)
def test_a_browser_is_called_as_its_owner_would(user_agent, name):
    assert device_name(user_agent).startswith(name)


def test_what_is_kept_of_it_fits_the_database(rf):
    assert user_agent_of(rf.get("/", headers={"User-Agent": "x\x00" * 150})) == "x" * 150
    assert len(user_agent_of(rf.get("/", headers={"User-Agent": "x" * 5000}))) == 300
    assert user_agent_of(rf.get("/")) == ""
