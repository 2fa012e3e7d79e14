import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.factors.backup_code import ALPHABET, BackupCode, BackupCodeSet, make_backup_codes
from accounts.factors.registry import device_of, factor

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def verify(user, code):
    by = factor("backup_code")
    normal = by.normalise(code)
    return normal is not None and by.verify(BackupCodeSet.objects.get(user=user), normal, NOW)


def test_ten_codes_are_made_and_none_is_kept(ben):
    codes = make_backup_codes(ben)
    assert len(set(codes)) == 10
    assert all(re.fullmatch(rf"[{ALPHABET}]{{5}}-[{ALPHABET}]{{5}}", code) for code in codes)
    stored = [bytes(each.digest) for each in BackupCode.objects.all()]
    assert len(set(stored)) == 10 and {len(digest) for digest in stored} == {32}
    assert not any(code.replace("-", "").encode() in digest for code in codes for digest in stored)


def test_the_alphabet_has_no_letter_that_looks_like_a_digit():
    assert len(ALPHABET) == 32 and not set(ALPHABET) & set("OIL")


def test_each_works_once(ben):
    for left, code in enumerate(reversed(make_backup_codes(ben))):
        assert verify(ben, code)
        assert not verify(ben, code)
        assert BackupCodeSet.objects.get(user=ben).left() == 9 - left
    assert device_of(ben, "backup_code") is None  # used up: no longer offered


def test_it_is_read_however_it_is_typed(ben):
    one, two, three = make_backup_codes(ben)[:3]
    assert verify(ben, one.lower())
    assert verify(ben, two.replace("-", ""))
    assert verify(ben, f"  {three[:3]} {three[3:]}  ")


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("OIL00-11111", "0110011111"),
        ("oil00-11111", "0110011111"),
        ("abcde-fghjk", "ABCDEFGHJK"),
        ("UUUUU-UUUUU", None),  # no such letter
        ("ABCDE-FGHJ", None),
        ("ABCDE-FGHJKM", None),
        ("ÄBCDE-FGHJK", None),
        ("ＡＢＣＤＥ-FGHJK", None),
        ("", None),
        ("0" * 10_240, None),
        ("123456", None),
    ],
)
def test_letters_that_look_like_digits_are_digits(typed, normal):
    assert factor("backup_code").normalise(typed) == normal


@given(st.text())
def test_normalising_never_fails(typed):
    normal = factor("backup_code").normalise(typed)
    assert normal is None or (len(normal) == 10 and set(normal) <= set(ALPHABET))


def test_new_codes_replace_the_old_ones(ben):
    old, new = make_backup_codes(ben), make_backup_codes(ben)
    assert not verify(ben, old[0])
    assert verify(ben, new[0])
    assert BackupCodeSet.objects.filter(user=ben).count() == 1


def test_another_persons_code_is_worth_nothing(ben, cleo):
    codes = make_backup_codes(ben)
    make_backup_codes(cleo)
    assert not verify(cleo, codes[0])
    assert verify(ben, codes[0])


def test_what_is_left_is_said_on_the_button(ben):
    codes = make_backup_codes(ben)
    action = lambda: factor("backup_code").get_action(BackupCodeSet.objects.get(user=ben))  # noqa: E731
    assert action() == "Use one of your 10 backup codes"
    for code in codes[:9]:
        verify(ben, code)
    assert action() == "Use your last backup code"
