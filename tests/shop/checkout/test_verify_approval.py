"""`manage.py verify_approval`: what proves an order, and whatever was edited since."""

import io
import json
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from accounts import audit
from accounts.stepup import passkeys as signatures
from accounts.stepup.digest import context_digest
from accounts.stepup.models import Assertion, Challenge, Grant
from accounts.stepup.passkeys import fingerprint
from shop.order.models import Order, OrderLine
from tests.passkeys import options_on, passkey_of, row_of
from tests.software_authenticator import data

pytestmark = pytest.mark.django_db


def verify(code):
    said, faults = io.StringIO(), io.StringIO()
    try:
        call_command("verify_approval", code, stdout=said, stderr=faults)
    except CommandError as error:
        return 1, faults.getvalue() + str(error)
    return 0, said.getvalue()


@pytest.fixture
def bought(client, ada, fill_cart, more_variants, card_form):
    """Three lines, approved with a passkey, and paid."""
    key = passkey_of(ada)
    audit.record(audit.Kind.FACTOR_ADDED, user=ada, factor="passkey", key=fingerprint(row_of(key).public_key))
    fill_cart(ada, more_variants[:3], quantity=2)
    client.force_login(ada)
    total = client.get("/checkout/review/").context["quote"].total
    page = client.post("/checkout/approve/", {"shown_total": f"{total:f}"}).url
    assert client.post(page, {"code": key.sign(options_on(client.get(page)))}).url == "/checkout/pay/"
    client.post("/checkout/pay/", card_form(client))
    row_of(key).delete()  # the proof outlives the passkey
    return Order.objects.get()


@pytest.fixture
def bought_by_code(client, ben, fill_cart, approve, card_form):
    fill_cart(ben)
    client.force_login(ben)
    approve(client)
    client.post("/checkout/pay/", card_form(client))
    return Order.objects.get()


def test_a_signature_proves_exactly_this_purchase(bought):
    code, said = verify(bought.code.lower())
    assert code == 0, said
    assert f"Order {bought.code}, € 25.90, approved" in said
    assert "with: Passkey" in said
    assert "signed exactly this purchase, on http://localhost:8000, after its device had checked who held it" in said


def test_a_code_proves_less_and_it_says_so(bought_by_code):
    code, said = verify(bought_by_code.code)
    assert code == 0, said
    assert "A code is known to the shop too" in said and "Proven" not in said


def test_goods_that_were_deleted_since_do_no_harm(bought):
    OrderLine.objects.update(variant=None)
    assert verify(bought.code)[0] == 0


def test_there_is_no_such_order(db):
    assert verify("NOSUCHXX") == (1, "There is no order NOSUCHXX.")


@pytest.mark.parametrize(
    "edit",
    [
        {"line1": "Another street 5"},
        {"email": "mallory@example.net"},
        {"currency": "USD"},
        {"delivery_method": "express"},
        {"tax": Decimal("0.00")},
        {"subtotal": Decimal("20.00"), "total": Decimal("24.90")},
    ],
)
@pytest.mark.parametrize("how", ["bought", "bought_by_code"])
def test_an_edited_order_is_found(request, how, edit):
    order = request.getfixturevalue(how)
    Order.objects.update(**edit)
    code, said = verify(order.code)
    assert code == 1 and "Edited since it was approved" in said


@pytest.mark.parametrize("edit", [{"quantity": 1, "total": Decimal("3.50")}, {"unit_price": 3, "total": 6}])
def test_an_edited_line_is_found(bought, edit):
    OrderLine.objects.filter(pk=bought.lines.first().pk).update(**edit)
    assert "lines" in verify(bought.code)[1]


def test_a_line_for_another_variant_is_found(bought, teapot):
    OrderLine.objects.filter(pk=bought.lines.first().pk).update(variant=teapot)
    assert "Edited since it was approved: lines." in verify(bought.code)[1]


def test_a_line_that_is_gone_is_found(bought):
    bought.lines.first().delete()
    assert "Edited since it was approved: goods." in verify(bought.code)[1]


def test_edited_with_all_its_digests_the_signature_tells(bought):
    """Whoever may write to the database makes everything agree, but can't sign."""
    context = bought.approved_context | {"address": bought.approved_context["address"] | {"line1": "Mallory Lane 1"}}
    digest = context_digest("pay", context)
    Order.objects.update(approved_context=context, context_digest=digest, line1="Mallory Lane 1")
    Grant.objects.update(context_digest=digest)
    Challenge.objects.update(context_digest=digest)
    code, said = verify(bought.code)
    assert code == 1 and "The passkey's signature is not over this purchase." in said


def test_a_signature_by_another_key_is_found(bought, mallory):
    """Signed anew, and well, with a key of one's own: no security event knows it as the buyer's."""
    key = passkey_of(mallory)
    said = json.loads(key.sign(signatures.options_for(bought.grant.challenge)))["response"]
    Assertion.objects.update(
        client_data=data(said["clientDataJSON"]),
        authenticator_data=data(said["authenticatorData"]),
        signature=data(said["signature"]),
        public_key=bytes(row_of(key).public_key),
    )
    code, faults = verify(bought.code)
    assert code == 1
    assert "No security event tells that this person added the passkey that signed." in faults
    assert "signature is not over this purchase" not in faults


def test_a_missing_signature_is_found(bought):
    Assertion.objects.all().delete()
    assert "signature is missing" in verify(bought.code)[1]


@pytest.mark.parametrize("edit", [{"purpose": "sign_in"}, {"factor": "email"}, {"used_at": None}, {"user": None}])
def test_an_approval_of_another_kind_is_found(bought, edit):
    Grant.objects.update(**edit)
    assert verify(bought.code)[0] == 1


def test_an_order_that_kept_nothing_says_so(bought):
    Order.objects.update(approved_context={})
    assert "What was approved is not kept with this order." in verify(bought.code)[1]
