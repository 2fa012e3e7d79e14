import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.db import connection

from accounts.crypto import fernet
from accounts.factors.authenticator import Authenticator

SEED = b"12345678901234567890"


def stored(device: Authenticator) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT seed FROM factors_authenticator WHERE id = %s", [device.pk])
        return bytes(cursor.fetchone()[0])


def test_the_database_holds_no_seed(ben):
    device = Authenticator.objects.create(user=ben, seed=SEED)
    assert SEED not in stored(device)
    assert fernet().decrypt(stored(device)) == SEED
    device.refresh_from_db()
    assert device.seed == SEED


def test_equal_seeds_look_different(ben, cleo):
    one, other = (Authenticator.objects.create(user=user, seed=SEED) for user in (ben, cleo))
    assert stored(one) != stored(other)


def test_keys_rotate(ben, settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.FIELD_KEYS = [old]
    device = Authenticator.objects.create(user=ben, seed=SEED)
    settings.FIELD_KEYS = [new, old]
    device.refresh_from_db()
    assert device.seed == SEED
    device.save()
    settings.FIELD_KEYS = [new]
    device.refresh_from_db()
    assert device.seed == SEED


def test_a_seed_does_not_open_without_its_key(ben, settings):
    device = Authenticator.objects.create(user=ben, seed=SEED)
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(InvalidToken):
        Authenticator.objects.get(pk=device.pk)
