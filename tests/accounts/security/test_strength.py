import pytest
from django.urls import reverse

from accounts.factors.authenticator import Authenticator
from accounts.factors.backup_code import BackupCode, make_backup_codes
from accounts.security.strength import standing
from tests.accounts.sign_in.steps import app_code, sign_in
from tests.passkeys import passkey_of

URL = "/account/security/"


@pytest.mark.parametrize(
    ("strong", "codes_left", "passkeys", "level", "step"),
    [
        # A shop without passkeys
        (0, 0, None, "basic", "authenticator"),
        (0, 10, None, "basic", "authenticator"),
        (1, 0, None, "good", "backup_code"),
        (1, 1, None, "good", "backup_code"),
        (1, 2, None, "good", "second"),
        (1, 10, None, "good", "second"),
        (2, 0, None, "good", "backup_code"),
        (2, 10, None, "strong", None),
        (5, 2, None, "strong", None),
        # A shop with passkeys
        (0, 0, 0, "basic", "authenticator"),
        (1, 0, 0, "good", "backup_code"),
        (1, 10, 0, "good", "passkey"),
        (2, 10, 0, "good", "passkey"),
        (1, 0, 1, "good", "backup_code"),
        (1, 10, 1, "good", "second"),
        (2, 10, 1, "strong", None),
        (2, 10, 2, "strong", None),
        (2, 1, 1, "good", "backup_code"),
    ],
)
def test_it_says_where_the_account_stands_and_one_thing_to_do(strong, codes_left, passkeys, level, step):
    found = standing(strong=strong, codes_left=codes_left, passkeys=passkeys)
    assert (found.level, found.next and found.next.code) == (level, step)
    assert found.name and found.says
    assert 1 <= found.value <= found.most == (4 if passkeys is None else 5)
    # The meter is full where nothing is left to do, and nowhere else.
    assert (found.value == found.most) == (step is None)


@pytest.mark.parametrize("passkeys", [None, 0, 1, 2])
def test_whoever_does_more_never_stands_lower(passkeys):
    def value(strong, left):
        return standing(strong=strong, codes_left=left, passkeys=passkeys).value

    for strong in range(4):
        for left in range(11):
            assert value(strong, left) <= value(strong + 1, left)
            assert value(strong, left) <= value(strong, left + 1)


def test_one_code_left_is_told_in_its_own_words():
    assert standing(strong=1, codes_left=1, passkeys=None).next.why == "You have one backup code left."


def test_the_page_says_it_in_words_and_leads_on(client, ben):
    sign_in(client, ben)
    page = client.get(URL).content.decode()
    assert ">Basic</span>" in page
    assert '<meter class="strength__meter" min="0" max="' in page
    assert "1 of " in page
    assert f'href="{reverse("security:authenticator")}">Set up an authenticator app</a>' in page


def test_the_page_follows_what_is_done(client, ada):
    sign_in(client, ada, app_code(ada))
    assert "Make backup codes</a>" in client.get(URL).content.decode()
    make_backup_codes(ada)
    BackupCode.objects.filter(pk__in=BackupCode.objects.values_list("pk")[:9]).update(used_at=ada.joined_at)
    assert "Make new backup codes</a>" in client.get(URL).content.decode()
    make_backup_codes(ada)
    standing_now = client.get(URL).context["standing"]
    assert (standing_now.level, standing_now.next.code) != ("good", "backup_code")
    Authenticator.objects.create(user=ada, name="tablet")
    assert client.get(URL).context["standing"].value > standing_now.value


def test_an_unconfirmed_app_does_not_count(client, ben):
    Authenticator.objects.create(user=ben, confirmed=False)
    sign_in(client, ben)
    assert client.get(URL).context["standing"].level == "basic"


@pytest.mark.parametrize(("verifies", "level"), [(True, "good"), (False, "basic")])
def test_a_passkey_whose_device_checks_nobody_is_not_strong(client, ben, verifies, level):
    sign_in(client, ben)
    passkey_of(ben, verifies=verifies)
    assert client.get(URL).context["standing"].level == level


@pytest.mark.parametrize("strong", [0, 1])
@pytest.mark.parametrize("left", [0, 1, 2])
def test_every_next_thing_has_a_page(strong, left):
    step = standing(strong=strong, codes_left=left, passkeys=None).next
    assert reverse(step.url_name)
