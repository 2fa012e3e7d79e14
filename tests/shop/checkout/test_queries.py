"""The budgets of queries (transaction control not counted: BEGIN and COMMIT touch no table)."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shop.order.models import Order

CONTROL = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def statements(context):
    return [query["sql"] for query in context.captured_queries if not query["sql"].startswith(CONTROL)]


@pytest.mark.django_db
def test_placing_and_paying_an_order_of_five_lines_takes_at_most_25_queries(
    client, ben, teapot, more_variants, fill_cart, approve, card_form
):
    fill_cart(ben, [teapot, *more_variants])
    client.force_login(ben)
    approve(client)
    form = card_form(client)
    with CaptureQueriesContext(connection) as context:
        client.post("/checkout/pay/", form)
    assert Order.objects.get().state == "paid"
    asked = [sql for sql in statements(context) if "payment_democharge" not in sql]  # the provider's own books
    assert len(asked) <= 25, "\n".join(asked)
