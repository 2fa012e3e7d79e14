import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import SecurityEvent
from accounts.security import trust
from accounts.security.lock import lock_account
from accounts.security.models import TrustedBrowser
from tests.accounts.sign_in.steps import is_signed_in, type_password
from tests.conftest import in_threads

from .conftest import meeting

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def token(ben):
    return trust.keep_trust(user=ben, token="", wished=True).token


def test_of_twenty_uses_of_one_token_one_is_trusted(ben, token):
    results = in_threads(20, lambda _number: trust.use_trust(user=ben, token=token))
    (won,) = [result for result in results if result is not None]
    assert isinstance(won, trust.Trust)
    assert SecurityEvent.objects.filter(kind="signed_in", user=ben).count() == 1
    assert trust.use_trust(user=ben, token=won.token)


def test_of_twenty_sign_ins_with_one_cookie_one_goes_without_a_code(ben, token):
    def sign_in(_number):
        client = Client()
        client.cookies["trusted"] = token
        reply = type_password(client, "ben@example.org")
        return reply.status_code, is_signed_in(client)

    assert sorted(in_threads(10, sign_in)) == [(302, False)] * 9 + [(302, True)]


def test_a_lock_at_the_same_moment_leaves_no_trust(ben, token):
    def act(number):
        return lock_account(user=ben) if number % 2 else trust.use_trust(user=ben, token=token)

    results = in_threads(8, act)
    assert results.count(True) == 1
    assert not TrustedBrowser.objects.filter(revoked_at=None).exists()


def test_control_looking_before_writing_trusts_often(ben, token):
    together = meeting(5)

    def naive(_number):
        row = TrustedBrowser.objects.get()
        good = row.token_hash == trust._hash(token)
        together()
        row.token_hash, row.last_used_at = f"{_number:064}", timezone.now()
        row.save()
        return good

    assert sum(in_threads(5, naive)) > 1
