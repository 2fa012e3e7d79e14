"""What happens to an order after it was paid."""

from django.db import transaction

from accounts.models import User
from shop.order.models import Order, OrderEvent
from shop.payment.services import refund_of
from shop.product import stock


class NotPossible(Exception):
    """The order isn't in a state in which this can be done."""


def note(order: Order, text: str, actor: User | None = None) -> None:
    OrderEvent.objects.create(order=order, text=text, actor=actor)


def dispatch(*, order: Order, actor: User) -> None:
    """The parcel left. Raises NotPossible unless the order is paid."""
    with transaction.atomic():
        if not Order.objects.filter(pk=order.pk, state=Order.State.PAID).update(state=Order.State.DISPATCHED):
            raise NotPossible
        note(order, "Dispatched.", actor)


def cancel(*, order: Order, actor: User) -> None:
    """Cancel before dispatch: the goods go back to the stock, the money to the shopper. Raises NotPossible.

    The refund is asked for after the commit; one that the provider did not answer is asked for again by the task.
    """
    with transaction.atomic():
        if not Order.objects.filter(pk=order.pk, state=Order.State.PAID).update(state=Order.State.CANCELLED):
            raise NotPossible
        stock.put_back(order.quantities)
        note(order, "Cancelled by the shop and paid back.", actor)
        refund_of(order.pk)
