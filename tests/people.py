"""The people of the tests.

Ada has every factor, Ben an e-mail address and nothing else, Cleo a phone and nothing else. Mallory wants to be one
of them. Sam is of support, Rita runs the shop.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.factors.authenticator import Authenticator
from accounts.factors.email import Mailbox
from accounts.factors.text import Phone
from accounts.models import User

PASSWORD = "correct horse battery"


@pytest.fixture
def ada(db):
    user = User.objects.create_user(email="ada@example.org", phone="+4915112345678", password=PASSWORD, name="Ada Long")
    Mailbox.objects.create(user=user, address=user.email)
    Phone.objects.create(user=user, number=user.phone)
    Authenticator.objects.create(user=user, name="phone")
    return user


@pytest.fixture
def ben(db):
    user = User.objects.create_user(email="ben@example.org", password=PASSWORD, name="Ben Short")
    Mailbox.objects.create(user=user, address=user.email)
    return user


@pytest.fixture
def cleo(db):
    user = User.objects.create_user(phone="+4915187654321", password=PASSWORD, name="Cleo Tall")
    Phone.objects.create(user=user, number=user.phone, approves_payments_from=timezone.now() - timedelta(days=9))
    return user


@pytest.fixture
def mallory(db):
    user = User.objects.create_user(email="mallory@example.net", password=PASSWORD, name="Mallory")
    Mailbox.objects.create(user=user, address=user.email)
    return user


@pytest.fixture
def sam(db):
    user = User.objects.create_user(email="sam@example.org", password=PASSWORD, name="Sam", is_staff=True)
    Mailbox.objects.create(user=user, address=user.email)
    Authenticator.objects.create(user=user, name="phone")
    return user


@pytest.fixture
def rita(db):
    user = User.objects.create_superuser(email="rita@example.org", password=PASSWORD, name="Rita")
    Mailbox.objects.create(user=user, address=user.email)
    Authenticator.objects.create(user=user, name="phone")
    return user
