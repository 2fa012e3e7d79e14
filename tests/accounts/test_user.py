import pytest
from django.contrib.auth.hashers import identify_hasher
from django.db import IntegrityError

from accounts.models import User


@pytest.mark.parametrize("name", ["ada@example.org", " ADA@Example.ORG ", "+4915112345678", "0151 12345678"])
def test_a_person_is_found_by_mail_or_phone_however_it_is_typed(ada, name):
    assert User.objects.get_by_natural_key(name) == ada


@pytest.mark.parametrize("name", ["", None, "ada", "ada@", "@", "0151", "+4915112345679", "'; --", "\x00"])
def test_nobody_is_found_by_anything_else(ada, name):
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(name)


@pytest.mark.django_db
def test_a_person_needs_a_mail_or_a_phone():
    with pytest.raises(IntegrityError, match="user_has_email_or_phone"):
        User.objects.create_user(password="x")


@pytest.mark.django_db
def test_many_people_may_have_no_mail(cleo):
    other = User.objects.create_user(phone="+4915187654322")
    other.full_clean(exclude=["password"])
    assert other.email is None


def test_the_database_refuses_a_mail_in_capitals(ben):
    ben.email = "Ben@example.org"
    with pytest.raises(IntegrityError, match="user_email_lower_case"):
        ben.save()


def test_passwords_are_kept_in_argon2id_with_the_parameters_of_owasp(db, settings):
    settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2idHasher"]
    user = User.objects.create_user(email="dora@example.org", password="correct horse battery")
    assert identify_hasher(user.password).algorithm == "argon2"
    assert user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert user.check_password("correct horse battery")
    assert not user.check_password("correct horse batterie")
