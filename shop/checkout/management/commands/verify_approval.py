from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop.checkout.approval import faults_of, what_proves
from shop.money import format_money
from shop.order.models import Order


class Command(BaseCommand):
    help = "Check an order's approval again: is it what was approved, and what proves that?"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("order", help="the code of the order")

    def handle(self, *args: Any, order: str, **options: Any) -> None:
        found = Order.objects.select_related("grant__challenge", "user").filter(code=order.upper()).first()
        if found is None:
            raise CommandError(f"There is no order {order}.")
        total, by = format_money(found.total).replace("\u00a0", " "), found.approved_with
        self.stdout.write(f"Order {found.code}, {total}, approved {found.approved_at:%Y-%m-%d %H:%M} UTC with: {by}")
        faults = faults_of(found)
        for fault in faults:
            self.stderr.write(fault)
        if faults:
            raise CommandError("This order is not, or can't be shown to be, what was approved.")
        self.stdout.write(what_proves(found))
