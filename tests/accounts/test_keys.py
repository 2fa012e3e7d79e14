"""Keys are rotated while people are in the middle of something; nobody is locked out."""

import secrets

import pytest
from cryptography.fernet import Fernet
from django.core import signing
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from accounts.crypto import is_under_the_newest_key
from accounts.delivery.models import Message
from accounts.factors.authenticator import Authenticator
from accounts.management.commands import rotate_field_keys
from accounts.stepup.models import Challenge
from tests.accounts.sign_in.steps import app_code, challenge_of, is_signed_in, sign_in, type_code, type_password
from tests.accounts.test_crypto import stored
from tests.codes import code_of


@pytest.fixture
def rotate(settings):
    """`rotate()`: each key has a newer one; the older ones still count, unless `keep=False`."""

    def rotate(keep: bool = True) -> None:
        olds = ([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS], settings.CODE_KEYS, settings.FIELD_KEYS)
        settings.SECRET_KEY = secrets.token_urlsafe(50)
        settings.SECRET_KEY_FALLBACKS = olds[0] * keep
        settings.CODE_KEYS = [secrets.token_urlsafe(32), *olds[1] * keep]
        settings.FIELD_KEYS = [Fernet.generate_key().decode(), *olds[2] * keep]

    return rotate


def test_a_code_sent_before_signs_in_after(client, ben, rotate):
    type_password(client, "ben@example.org")
    code = code_of(challenge_of(client))
    rotate()
    client.get(type_code(client, code).url)
    assert is_signed_in(client, ben)


def test_a_proof_given_before_signs_in_after(client, ben, rotate):
    type_password(client, "ben@example.org")
    done = type_code(client).url
    rotate()
    client.get(done)
    assert is_signed_in(client, ben)


def test_who_asks_again_gets_the_same_challenge_and_no_second_message(client, ben, rotate):
    type_password(client, "ben@example.org")
    before = challenge_of(client)
    rotate()
    type_password(client, "ben@example.org")
    assert challenge_of(client) == before
    assert Message.objects.count() == 1


def test_a_challenge_that_is_over_is_followed_by_one_under_the_new_key(client, ben, rotate):
    type_password(client, "ben@example.org")
    old = challenge_of(client)
    Challenge.objects.update(attempts_left=0, state=Challenge.State.USED_UP)
    rotate()
    assert client.post(f"/account/challenge/{old.pk}/again/").status_code == 302
    new = challenge_of(client)
    assert new.code_key != old.code_key
    client.get(type_code(client).url)
    assert is_signed_in(client, ben)


def test_an_app_set_up_before_signs_in_after_and_after_the_old_keys_are_gone(ada, rotate, settings, time_machine):
    time_machine.move_to("2026-03-03 12:00:00+00:00")
    rotate()
    first = Client()
    sign_in(first, ada, app_code(ada))
    assert is_signed_in(first, ada)
    call_command("rotate_field_keys")
    settings.FIELD_KEYS = settings.FIELD_KEYS[:1]
    time_machine.move_to("2026-03-03 12:01:00+00:00")
    second = Client()
    sign_in(second, ada, app_code(ada))
    assert is_signed_in(second, ada)


def test_who_is_signed_in_stays_so_and_may_prove_it_in_the_middle(client, ada, rotate):
    sign_in(client, ada, app_code(ada))
    rotate()
    assert client.get("/account/security/").status_code == 200
    assert client.get("/account/security/backup-codes/").status_code == 200  # the proof of a moment ago still counts
    rotate()
    assert client.get("/account/security/").status_code == 200


def test_what_was_signed_before_opens_after(rotate):
    signed = signing.dumps({"undo": 1}, salt="any")
    rotate()
    assert signing.loads(signed, salt="any") == {"undo": 1}


def test_without_the_old_keys_people_start_again_and_nothing_breaks(client, ben, rotate):
    type_password(client, "ben@example.org")
    challenge, code = challenge_of(client), code_of(challenge_of(client))
    rotate(keep=False)
    answer = client.post(f"/account/challenge/{challenge.pk}/", {"code": code})
    assert answer.status_code == 404
    assert "Nothing to confirm here" in answer.content.decode()
    sign_in(client, ben)
    assert is_signed_in(client, ben)


class TestRotateFieldKeys:
    def test_it_encrypts_anew_what_an_older_key_encrypted_and_nothing_else(self, ada, sam, rotate, capsys, monkeypatch):
        monkeypatch.setattr(rotate_field_keys, "BATCH", 1)
        rotate()
        fresh = Authenticator.objects.create(user=ada, name="new")
        before = {device: (bytes(device.seed), stored(device)) for device in Authenticator.objects.all()}
        call_command("rotate_field_keys")
        assert capsys.readouterr().out.startswith("2 encrypted anew")
        for device, (seed, token) in before.items():
            assert is_under_the_newest_key(stored(device))
            assert (stored(device) == token) == (device == fresh)
            assert bytes(Authenticator.objects.get(pk=device.pk).seed) == seed
        call_command("rotate_field_keys")
        assert capsys.readouterr().out.startswith("0 encrypted anew")

    def test_what_was_written_meanwhile_is_left_alone(self, ada, rotate):
        device = ada.authenticators.get()
        seen = stored(device)
        rotate()
        device.seed = b"another one, written"
        device.save()
        assert not rotate_field_keys.encrypt_anew(Authenticator, "seed", device.pk, seen)
        assert bytes(Authenticator.objects.get(pk=device.pk).seed) == b"another one, written"

    def test_it_says_what_no_key_opens_and_goes_on_with_the_rest(self, ada, rotate, capsys):
        lost = ada.authenticators.get()
        rotate(keep=False)
        kept = Authenticator.objects.create(user=ada, name="another")
        rotate()
        with pytest.raises(CommandError, match="1 can't be opened"):
            call_command("rotate_field_keys")
        said = capsys.readouterr()
        assert f"factors.Authenticator {lost.pk}: no key of FIELD_KEYS opens its seed." in said.err
        assert "may go" not in said.out
        assert is_under_the_newest_key(stored(kept))
