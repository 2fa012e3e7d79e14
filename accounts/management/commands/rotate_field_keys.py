from collections.abc import Iterator
from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db.models import BinaryField, Model
from django.db.models.functions import Cast

from accounts.crypto import EncryptedBytesField, fernet, is_under_the_newest_key

BATCH = 500


class Command(BaseCommand):
    help = "Encrypt anew, with the first key of FIELD_KEYS, what an older one encrypted. The shop may run meanwhile."

    def handle(self, *args: Any, **options: Any) -> None:
        done, lost = 0, 0
        for model, name in _encrypted_fields():
            for pk, token in _tokens(model, name):
                if is_under_the_newest_key(token):
                    continue
                try:
                    done += encrypt_anew(model, name, pk, token)
                except InvalidToken:
                    lost += 1
                    self.stderr.write(f"{model._meta.label} {pk}: no key of FIELD_KEYS opens its {name}.")
        self.stdout.write(f"{done} encrypted anew with the first key.")
        if lost:
            raise CommandError(f"{lost} can't be opened. Put their key back into FIELD_KEYS, and run this again.")
        self.stdout.write("The other keys of FIELD_KEYS may go.")


def encrypt_anew(model: type[Model], name: str, pk: Any, token: bytes) -> bool:
    """False where somebody changed or removed the value in between; what they wrote has the newest key already."""
    raw = Cast(name, BinaryField())
    same = model._default_manager.alias(raw=raw).filter(pk=pk, raw=token)
    return bool(same.update(**{name: fernet().decrypt(token)}))


def _encrypted_fields() -> Iterator[tuple[type[Model], str]]:
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, EncryptedBytesField):
                yield model, field.name


def _tokens(model: type[Model], name: str) -> Iterator[tuple[Any, bytes]]:
    """As they lie in the database, a batch at a time, so that no transaction stays open."""
    rows = model._default_manager.exclude(**{name: None}).order_by("pk").annotate(raw=Cast(name, BinaryField()))
    last = None
    while batch := list((rows.filter(pk__gt=last) if last else rows).values_list("pk", "raw")[:BATCH]):
        yield from ((pk, bytes(raw)) for pk, raw in batch)
        last = batch[-1][0]
