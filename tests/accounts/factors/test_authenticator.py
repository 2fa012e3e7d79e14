import base64
import shutil
import subprocess
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from accounts.factors.authenticator import STEP, Authenticator, accept, new_seed
from accounts.factors.registry import factor

SEED = b"12345678901234567890"  # RFC 6238, appendix B

# RFC 6238, appendix B, SHA-1: the time and the last six of the eight digits.
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]
NOW = datetime(2026, 5, 1, 12, 0, 10, tzinfo=UTC)


@pytest.fixture
def app(ben):
    return Authenticator.objects.create(user=ben, seed=SEED)


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def oathtool(seed: bytes, moment: datetime) -> str:
    """What another authenticator shows."""
    program = shutil.which("oathtool")
    assert program, "oathtool is missing: apt-get install oathtool"
    command = [program, "--totp", "--now", f"{moment:%Y-%m-%d %H:%M:%S} UTC", seed.hex()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_it_accepts_the_codes_of_rfc_6238(app, seconds, code):
    assert accept(app, code, at(seconds))


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_it_accepts_them_one_step_early_or_late_and_no_more(ben, seconds, code):
    for steps, accepted in [(-2, False), (-1, True), (1, True), (2, False)]:
        app = Authenticator.objects.create(user=ben, seed=SEED)
        moment = seconds // STEP * STEP + steps * STEP
        if moment >= STEP:  # the device looks one step back
            assert accept(app, code, at(moment)) is accepted


@pytest.mark.parametrize("moment", [NOW, NOW + timedelta(days=4000), at(59), at(2_000_000_000)])
def test_it_accepts_what_another_app_shows(ben, moment):
    for _ in range(10):
        app = Authenticator.objects.create(user=ben)
        assert accept(app, oathtool(app.seed, moment), moment)


def test_the_typed_key_gives_another_app_the_same_codes(app):
    typed = app.typed_key.replace(" ", "")
    command = ["oathtool", "--totp", "--base32", "--now", "1970-01-01 00:00:59 UTC", typed]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == "287082"
    assert all(len(group) == 4 for group in app.typed_key.split(" "))


def test_it_refuses_a_code_used_before(app):
    assert accept(app, oathtool(SEED, NOW), NOW)
    assert not accept(app, oathtool(SEED, NOW), NOW)
    assert not accept(app, oathtool(SEED, NOW), NOW + timedelta(seconds=STEP))


def test_the_last_step_only_moves_forward(app):
    early, late = oathtool(SEED, NOW - timedelta(seconds=STEP)), oathtool(SEED, NOW + timedelta(seconds=STEP))
    assert accept(app, late, NOW)
    last_step = Authenticator.objects.get().last_step
    assert last_step == int(NOW.timestamp()) // STEP + 1
    assert not accept(app, oathtool(SEED, NOW), NOW)
    assert not accept(app, early, NOW)
    assert Authenticator.objects.get().last_step == last_step


def test_a_wrong_code_moves_nothing(app):
    wrong = f"{(int(oathtool(SEED, NOW)) + 1) % 1_000_000:06d}"
    assert not accept(app, wrong, NOW)
    app.refresh_from_db()
    assert (app.last_step, app.last_used_at) == (-1, None)


def test_it_remembers_when_it_was_used(app):
    assert accept(app, oathtool(SEED, NOW), NOW)
    assert Authenticator.objects.get().last_used_at == NOW


def test_another_persons_code_is_worth_nothing(app, cleo):
    other = Authenticator.objects.create(user=cleo, seed=b"another seed 4567890")
    assert not factor("authenticator").verify(other, oathtool(SEED, NOW), NOW)


def test_an_unconfirmed_app_proves_nothing(ben):
    app = Authenticator.objects.create(user=ben, seed=SEED, confirmed=False)
    assert list(factor("authenticator").get_devices(ben)) == []
    assert not factor("authenticator").verify(app, oathtool(SEED, NOW), NOW)


def test_of_two_apps_either_serves_and_each_code_once(app, ben):
    other = Authenticator.objects.create(user=ben)
    assert factor("authenticator").verify(app, oathtool(other.seed, NOW), NOW)
    assert not factor("authenticator").verify(app, oathtool(other.seed, NOW), NOW)
    assert factor("authenticator").verify(app, oathtool(SEED, NOW), NOW)


def test_a_seed_has_160_bits_and_is_never_the_same():
    seeds = {new_seed() for _ in range(100)}
    assert len(seeds) == 100 and {len(seed) for seed in seeds} == {20}


def test_the_uri_is_what_apps_read(app):
    uri = urlsplit(app.key_uri)
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == "/Countersign:ben@example.org"
    found = parse_qs(uri.query)
    assert base64.b32decode(found["secret"][0]) == SEED
    assert found["issuer"] == ["Countersign"]


def test_the_picture_is_an_svg_without_anything_from_elsewhere(app):
    svg = app.qr_svg()
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert "href" not in svg and "<script" not in svg and "style=" not in svg
