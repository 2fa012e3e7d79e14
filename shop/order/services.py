"""What happens to an order after it was paid."""

from django.db import transaction

from accounts.models import User
from shop.order.models import Order, OrderEvent
from shop.payment.services import capture_of, refund_of
from shop.product import stock


class NotPossible(Exception):
    """The order isn't in a state in which this can be done."""


def note(order: Order, text: str, actor: User | None = None) -> None:
    OrderEvent.objects.create(order=order, text=text, actor=actor)


def dispatch(*, order: Order, actor: User) -> None:
    """The parcel left, and the card is charged. Raises NotPossible unless the order is paid and can be charged."""
    with transaction.atomic():
        if not Order.objects.filter(pk=order.pk, state=Order.State.PAID).update(state=Order.State.DISPATCHED):
            raise NotPossible
        if order.total and not capture_of(order.pk):
            raise NotPossible  # the bank keeps what it has set aside for some days only
        note(order, "Dispatched.", actor)


def cancel(*, order: Order, actor: User) -> None:
    """Cancel before dispatch: the goods go back to the stock, the money to the shopper. Raises NotPossible.

    The provider is asked after the commit; what it did not answer is asked again by the task.
    """
    with transaction.atomic():
        if not Order.objects.filter(pk=order.pk, state=Order.State.PAID).update(state=Order.State.CANCELLED):
            raise NotPossible
        stock.put_back(order.quantities)
        note(order, "Cancelled by the shop; the money stays with, or goes back to, the buyer.", actor)
        refund_of(order.pk)
