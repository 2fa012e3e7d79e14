from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import audit
from accounts.models import EventSeal


class Command(BaseCommand):
    help = "Walk the hash chain over the security events and tell where one is missing or was edited."

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(audit.breaks())
        for line in found:
            self.stderr.write(line)
        if found:
            raise CommandError(f"The chain is broken in {len(found)} place(s).")
        head = EventSeal.objects.order_by("-position").first()
        self.stdout.write(
            f"{head.position} events sealed, the chain holds. Head: {head.digest}" if head else "Nothing sealed yet."
        )
