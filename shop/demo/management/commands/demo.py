from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from shop.demo.bulk import fill
from shop.demo.goods import create_goods
from shop.demo.people import PASSWORD, PEOPLE, create_people


class Command(BaseCommand):
    help = "Fills the shop with goods and people to try it with. What is there already stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--people", action="store_true", help="print who can be signed in as, and nothing else")
        parser.add_argument(
            "--products", type=int, default=0, metavar="N", help="add so many made-up products, to try a large shop"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("The demo's people have a password that everybody knows, so this needs DEMO=1.")
        if options["people"]:
            self.print_people()
            return
        products, people = create_goods(), create_people()
        products += fill(options["products"], self.stdout.write)
        self.stdout.write(f"The demo is ready: {products} products and {people} people were added.")

    def print_people(self) -> None:
        width = max(len(person.signs_in_as) for person in PEOPLE)
        self.stdout.write(f"Demo people (everybody's password is: {PASSWORD})")
        for person in PEOPLE:
            self.stdout.write(f"  {person.signs_in_as:{width}}  {person.about}")
