from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import BackupCode, make_backup_codes
from tests.accounts.sign_in.steps import code_shown


@pytest.fixture
def typing(monkeypatch):
    """`typing("123456", None)`: what is typed, one after the other; None is the code the new app shows."""

    def will_type(*lines):
        rest = iter(lines)

        def answer(prompt=""):
            line = next(rest)
            return code_shown(Authenticator.objects.latest("pk")) if line is None else line

        monkeypatch.setattr("builtins.input", answer)

    return will_type


def run(*arguments):
    out, err = StringIO(), StringIO()
    call_command("enrol_staff", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_it_shows_the_key_asks_for_a_code_and_prints_backup_codes(rita, typing):
    Authenticator.objects.all().delete()
    typing("12", "000000", None)
    said, complained = run("Rita@example.org")
    device = Authenticator.objects.get()
    assert device.confirmed
    assert device.typed_key in said
    assert device.key_uri in said
    assert "█" in said
    assert said.count("-") >= 10
    assert BackupCode.objects.count() == 10
    assert "six digits" in complained


def test_it_leaves_an_authenticator_alone(rita, typing):
    typing(None)
    with pytest.raises(CommandError, match="--replace"):
        run("rita@example.org")


def test_replace_takes_the_old_ones_away_once_the_new_one_is_confirmed(rita, typing):
    old = Authenticator.objects.get()
    codes = make_backup_codes(rita)
    typing(None)
    said, _ = run("rita@example.org", "--replace")
    assert Authenticator.objects.get() != old
    assert Authenticator.objects.get().confirmed
    assert not any(code in said for code in codes)
    assert BackupCode.objects.filter(used_at=None).count() == 10


@pytest.mark.parametrize("arguments", [["rita@example.org", "--replace"]])
def test_giving_up_changes_nothing(rita, typing, arguments):
    old = Authenticator.objects.get()
    typing("")
    with pytest.raises(CommandError, match="nothing has changed"):
        run(*arguments)
    assert Authenticator.objects.get() == old


@pytest.mark.parametrize("email", ["ben@example.org", "nobody@example.org"])
def test_it_is_for_staff(ben, email):
    with pytest.raises(CommandError):
        run(email)
