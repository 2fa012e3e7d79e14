import pytest
from django.test import Client
from django.urls import reverse

from accounts.delivery.models import DemoMessage
from accounts.models import Address, SecurityEvent
from accounts.security.addresses import MOST_ADDRESSES
from tests.accounts.sign_in.steps import app_code, sign_in, type_code

LIST = "/account/addresses/"
HOME = {"name": "Ada Long", "line1": "Long Lane 1", "postcode": "10115", "city": "Berlin", "country": "DE"}
Kind = SecurityEvent.Kind


@pytest.fixture
def ada_client(client, ada):
    sign_in(client, ada, app_code(ada))
    return client


@pytest.fixture
def home(ada):
    return Address.objects.create(user=ada, **HOME)


def of(name, address):
    return reverse(f"addresses:{name}", args=[address.pk])


def test_the_empty_book_says_so(ada_client):
    page = ada_client.get(LIST).content.decode()
    assert "No addresses yet" in page and reverse("addresses:add") in page


def test_addresses_are_added_changed_and_removed_and_the_owner_is_told(ada_client, ada, deliver):
    assert ada_client.post(reverse("addresses:add"), HOME).url == LIST
    saved = Address.objects.get(user=ada)
    assert "Long Lane 1" in ada_client.get(LIST).content.decode()
    assert "Germany" in ada_client.get(LIST).content.decode()
    assert 'value="Long Lane 1"' in ada_client.get(of("change", saved)).content.decode()
    assert ada_client.post(of("change", saved), HOME | {"line1": "Short Lane 2"}).url == LIST
    saved.refresh_from_db()
    assert saved.line1 == "Short Lane 2"
    assert "Short Lane 2" in ada_client.get(of("remove", saved)).content.decode()
    assert Address.objects.exists()
    for _ in range(2):  # a double tap
        assert ada_client.post(of("remove", saved)).url == LIST
    assert not Address.objects.exists()
    assert SecurityEvent.objects.filter(kind=Kind.ADDRESSES_CHANGED, user=ada).count() == 3
    deliver()
    told = [said.text for said in DemoMessage.objects.filter(message__kind="notice")]
    assert len(told) == 3 and all("saved addresses of your account were changed" in text for text in told)
    assert not any("Lane" in text for text in told)


def test_changes_ask_for_a_proof_and_looking_does_not(ada, home):
    client = Client()
    client.force_login(ada)
    assert client.get(LIST).status_code == 200
    for url in (reverse("addresses:add"), of("change", home), of("remove", home)):
        for answer in (client.get(url), client.post(url, HOME | {"line1": "Thief's Lane 3"})):
            assert answer.url.startswith("/account/challenge/")
    home.refresh_from_db()
    assert (Address.objects.count(), home.line1) == (1, "Long Lane 1")
    client.get(of("change", home))
    assert type_code(client, app_code(ada)).url == of("change", home)
    assert client.get(of("change", home)).status_code == 200


def test_addresses_of_others_are_not_there(ada_client, ben):
    his = Address.objects.create(user=ben, **HOME)
    assert "Long Lane" not in ada_client.get(LIST).content.decode()
    assert ada_client.get(of("change", his)).status_code == 404
    assert ada_client.post(of("change", his), HOME).status_code == 404
    assert ada_client.get(of("remove", his)).status_code == 404
    ada_client.post(of("remove", his))
    assert Address.objects.filter(pk=his.pk).exists()
    assert not SecurityEvent.objects.filter(kind=Kind.ADDRESSES_CHANGED).exists()


def test_the_same_address_twice_is_saved_once(ada_client, ada, home):
    assert ada_client.post(reverse("addresses:add"), HOME).url == LIST
    assert "saved this address already" in ada_client.get(LIST).content.decode()
    other = Address.objects.create(user=ada, **HOME | {"line1": "Short Lane 2"})
    ada_client.post(of("change", other), HOME)
    assert set(Address.objects.values_list("line1", flat=True)) == {"Long Lane 1", "Short Lane 2"}
    assert not SecurityEvent.objects.filter(kind=Kind.ADDRESSES_CHANGED).exists()


@pytest.mark.parametrize("wrong", [{"name": ""}, {"line1": " "}, {"country": "XX"}, {"postcode": "1" * 17}])
def test_what_is_missing_or_wrong_gets_words_and_nothing_is_saved(ada_client, wrong):
    answer = ada_client.post(reverse("addresses:add"), HOME | wrong)
    assert answer.status_code == 422
    assert "Please check this" in answer.content.decode()
    assert not Address.objects.exists()


def test_the_book_has_an_end(ada_client, ada):
    Address.objects.bulk_create(Address(user=ada, **HOME | {"line1": str(n)}) for n in range(MOST_ADDRESSES))
    ada_client.post(reverse("addresses:add"), HOME)
    assert "twenty addresses already" in ada_client.get(LIST).content.decode()
    assert Address.objects.count() == MOST_ADDRESSES
