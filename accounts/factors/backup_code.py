"""Backup codes: ten, shown once, kept as argon2id digests, each crossed out by a conditional UPDATE."""

import secrets
from datetime import datetime
from typing import Any, ClassVar

from argon2.low_level import Type, hash_secret_raw
from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_otp.models import Device

from accounts.factors.base import Factor, Strength
from accounts.models import User

COUNT = 10
FEW = 2  # below this, the person is told to make new ones
LENGTH = 10  # characters of 5 bits: 50 bits each, behind argon2id
# Crockford's base32 without the letters that look like digits.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_salt() -> bytes:
    return secrets.token_bytes(16)


class BackupCodeSet(Device):
    """A person's backup codes. One salt for the set, so that checking a code costs one hash and not ten."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="backup_code_sets")
    salt = models.BinaryField(default=new_salt, editable=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = gettext_lazy("backup codes")
        verbose_name_plural = gettext_lazy("backup codes")
        constraints = [models.UniqueConstraint(name="backup_codes_once_a_user", fields=["user"])]

    def left(self) -> int:
        return self.codes.filter(used_at=None).count()


class BackupCode(models.Model):
    set = models.ForeignKey(BackupCodeSet, on_delete=models.CASCADE, related_name="codes")
    digest = models.BinaryField(max_length=32)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(name="backup_code_once", fields=["set", "digest"])]

    def __str__(self) -> str:
        return f"backup code {self.pk}"


def make_backup_codes(user: Any) -> list[str]:
    """Replace the person's backup codes by ten new ones. They are returned here, and never again."""
    codes = ["".join(secrets.choice(ALPHABET) for _n in range(LENGTH)) for _n in range(COUNT)]
    with transaction.atomic():
        # A double tap makes them twice, one after the other.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        BackupCodeSet.objects.filter(user=user).delete()
        made = BackupCodeSet.objects.create(user=user, name="backup codes")
        BackupCode.objects.bulk_create(BackupCode(set=made, digest=_digest(code, made.salt)) for code in codes)
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def codes_left(user: Any) -> int:
    return BackupCode.objects.filter(set__user=user, set__confirmed=True, used_at=None).count()


def few_left(left: int) -> str:
    """What to tell a person who has used the last one or the last but one; "" while there are enough."""
    if left >= FEW:
        return ""
    return (
        _("A backup code was used, and you have one left. Make new ones.")
        if left
        else _("Your last backup code was used. Make new ones, so that you get in when your phone is lost.")
    )


def _digest(code: str, salt: bytes) -> bytes:
    return hash_secret_raw(
        code.encode(), bytes(salt), time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, type=Type.ID
    )


class BackupCodeFactor(Factor):
    code = "backup_code"
    verbose_name = gettext_lazy("Backup code")
    strength = Strength.TEXT
    may_come_first = False
    model: ClassVar[type[Device]] = BackupCodeSet
    digits_only = False
    malformed = gettext_lazy("A backup code has ten letters and digits. Check what you typed; no attempt was taken.")

    def get_devices(self, user: Any) -> Any:
        return super().get_devices(user).filter(codes__used_at=None).distinct()

    def get_action(self, device: Any) -> str:
        left = device.left()
        return ngettext("Use your last backup code", "Use one of your %(left)d backup codes", left) % {"left": left}

    def left(self, user: Any) -> int:
        return codes_left(user)

    def normalise(self, code: str) -> str | None:
        if len(code) > 32:
            return None
        typed = code.upper().replace(" ", "").replace("-", "").translate(str.maketrans("OIL", "011"))
        return typed if len(typed) == LENGTH and all(c in ALPHABET for c in typed) else None

    def verify(self, device: Any, code: str, now: datetime) -> Device | None:
        codes = BackupCode.objects.filter(set_id=device.pk, digest=_digest(code, device.salt), used_at=None)
        return device if codes.update(used_at=now) else None
