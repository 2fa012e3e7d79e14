"""The way in for a first superuser, and for a member of staff who lost the phone: by whoever has a shell here."""

from typing import Any

import qrcode
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.factors.authenticator import Authenticator
from accounts.models import User
from accounts.security import services
from accounts.stepup.attempts import FactorResting


class Command(BaseCommand):
    help = "Set up an authenticator app for a member of staff, here in the terminal."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the e-mail address of the account")
        parser.add_argument(
            "--replace", action="store_true", help="take away the authenticator apps and backup codes there are"
        )

    def handle(self, *args: Any, email: str, replace: bool, **options: Any) -> None:
        user = User.objects.filter(email=email.strip().lower()).first()
        if user is None:
            raise CommandError(f"There is no account with the address {email}.")
        if not (user.is_staff and user.is_active):
            raise CommandError(f"{email} is not an active member of staff.")
        old = list(Authenticator.objects.filter(user=user, confirmed=True).values_list("pk", flat=True))
        if old and not replace:
            raise CommandError(f"{email} has an authenticator app. If it is lost, say --replace.")
        device = Authenticator.objects.create(user=user, confirmed=False, name="")
        self._show(device)
        codes = self._confirm(user, device, old)
        self.stdout.write("\nThe app is set up. Backup codes, each good for one sign-in, shown only now:\n")
        for code in codes:
            self.stdout.write(f"  {code}")
        self.stdout.write("\nTo sign in, wait for the app's next code: the one just typed counts only once.")

    def _show(self, device: Authenticator) -> None:
        picture = qrcode.QRCode(border=2)
        picture.add_data(device.key_uri)
        picture.print_ascii(out=self.stdout, invert=True)
        self.stdout.write(f"\nScan this with the app, or type the key:  {device.typed_key}")
        self.stdout.write(f"The same as an address:  {device.key_uri}\n")

    def _confirm(self, user: User, device: Authenticator, old: list[int]) -> list[str]:
        """Ask until the code is right. Nothing old is taken away before."""
        while True:
            try:
                typed = input("The code the app shows now (empty: give up): ").strip()
            except (EOFError, KeyboardInterrupt):
                typed = ""
            if not typed:
                device.delete()
                raise CommandError("Given up; nothing has changed.")
            try:
                codes = services.confirm_authenticator(user=user, device_id=device.pk, code=typed, name="")
            except services.NotACode:
                self.stderr.write("A code has six digits.")
            except services.WrongCode:
                self.stderr.write("That is not the code. Is this machine's clock right? Wait for the next code.")
            except services.NothingPending:
                raise CommandError("That took too long; please start again.") from None
            except FactorResting as resting:
                raise CommandError(f"Too many wrong codes. Try again after {resting.until:%H:%M} UTC.") from None
            else:
                break
        for device_id in old:
            services.remove_authenticator(user=user, device_id=device_id)
        return codes or services.replace_backup_codes(user=user)
