import hashlib
import hmac
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from accounts.stepup import codes

CHALLENGE = UUID("12345678-1234-5678-1234-567812345678")
DIGEST = bytes(range(32))


def key_id(key: str) -> str:
    return hashlib.sha256(b"code key id:" + key.encode()).hexdigest()[:16]


def by_the_book(key: str, challenge: UUID, purpose: str, digest: bytes) -> str:
    """The derivation once more, spelled out by hand."""
    mac = hmac.new(key.encode(), challenge.bytes + purpose.encode() + b"\x00" + digest, hashlib.sha256)
    return str(int(mac.hexdigest(), 16) % 10**6).zfill(6)


@pytest.fixture(autouse=True)
def keys(settings):
    settings.CODE_KEYS = ["first key", "second key"]


@pytest.mark.parametrize(
    ("purpose", "digest", "code"),
    # Computed with `openssl dgst -sha256 -hmac "first key"` and bc.
    [("pay", DIGEST, "605630"), ("sign_in", DIGEST, "843386"), ("pay", bytes(32), "764463")],
)
def test_a_code_is_what_it_was_yesterday(purpose, digest, code):
    assert codes.derive_code(key_id("first key"), CHALLENGE, purpose, digest) == code


@how(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the keys are the same for every example
@given(st.uuids(), st.sampled_from(["pay", "sign_in", "reset_password"]), st.binary(min_size=32, max_size=32))
def test_a_code_is_six_digits_of_the_hmac(challenge, purpose, digest):
    code = codes.derive_code(key_id("second key"), challenge, purpose, digest)
    assert code == by_the_book("second key", challenge, purpose, digest)
    assert len(code) == 6 and code.isascii() and code.isdigit()


def test_leading_zeros_are_kept():
    found = [
        code
        for number in range(300)
        if (code := codes.derive_code(key_id("first key"), UUID(int=number), "pay", DIGEST)).startswith("0")
    ]
    assert found and all(len(code) == 6 for code in found)


def test_everything_it_is_made_of_matters():
    made = {
        codes.derive_code(key_id(key), challenge, purpose, digest)
        for key in ("first key", "second key")
        for challenge in (CHALLENGE, UUID(int=1))
        for purpose in ("pay", "sign_in")
        for digest in (DIGEST, bytes(32))
    }
    assert len(made) == 16


def test_purpose_and_digest_can_not_be_shifted_into_each_other():
    one = codes.derive_code(key_id("first key"), CHALLENGE, "pay", b"x" + bytes(31))
    other = codes.derive_code(key_id("first key"), CHALLENGE, "payx", bytes(31))
    assert one != other


def test_codes_are_spread_evenly():
    """Of 20,000 codes each leading digit has its tenth, within five standard deviations."""
    counts = [0] * 10
    for number in range(20_000):
        counts[int(codes.derive_code(key_id("first key"), UUID(int=number), "pay", DIGEST)[0])] += 1
    assert all(abs(count - 2000) < 5 * (20_000 * 0.1 * 0.9) ** 0.5 for count in counts)


def test_a_rotated_key_still_opens_what_began_with_it(settings):
    began_with = codes.current_key_id()
    before = codes.derive_code(began_with, CHALLENGE, "pay", DIGEST)
    settings.CODE_KEYS = ["newest key", "first key"]
    assert codes.current_key_id() == key_id("newest key") != began_with
    assert codes.derive_code(began_with, CHALLENGE, "pay", DIGEST) == before


def test_a_key_that_is_gone_is_said_to_be_unknown(settings):
    began_with = codes.current_key_id()
    settings.CODE_KEYS = ["newest key"]
    with pytest.raises(codes.UnknownCodeKey):
        codes.derive_code(began_with, CHALLENGE, "pay", DIGEST)


def test_the_id_of_a_key_tells_nothing_of_it():
    assert "first" not in codes.current_key_id() and len(codes.current_key_id()) == 16


def test_only_the_same_code_is_the_same():
    assert codes.same("012345", "012345")
    assert not codes.same("12345", "012345") and not codes.same("", "012345") and not codes.same("012346", "012345")
