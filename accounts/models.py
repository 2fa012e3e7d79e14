"""People, where they live, and what happened to their accounts."""

import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField

from accounts.countries import COUNTRIES
from accounts.phones import parse_phone


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a person by what they type as their name: an e-mail address, or a phone number in any common form.

        Raises User.DoesNotExist.
        """
        name = (username or "").strip()
        if "@" in name:
            return self.get(email=name.lower())
        phone = parse_phone(name)
        if phone is None:
            raise self.model.DoesNotExist
        return self.get(phone=phone)

    def create_user(
        self, *, email: str | None = None, phone: str | None = None, password: str | None = None, **fields: Any
    ) -> "User":
        user = self.model(email=email.strip().lower() if email else None, phone=phone or None, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, *, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email=email, password=password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Signs in by e-mail or phone; there is no username."""

    email = models.EmailField(_("e-mail"), unique=True, null=True, blank=True)
    phone = PhoneNumberField(_("phone"), unique=True, null=True, blank=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("staff"), default=False)
    joined_at = models.DateTimeField(_("joined"), default=timezone.now, editable=False)
    # After a reset by an e-mailed or texted code, that factor alone proves nothing until this time (policy.py).
    reset_factor = models.CharField(max_length=16, blank=True, editable=False)
    reset_factor_rests_until = models.DateTimeField(null=True, blank=True, editable=False)
    # What the challenge page offers first: a factor, and the persistent id of its device where that matters
    # ("authenticator"; "call:factors.phone/3", since a phone is texted or called); "" for the strongest. What is gone,
    # or not enough for the purpose, is passed over.
    preferred_device = models.CharField(max_length=64, blank=True, editable=False)
    # Set by "this wasn't me": nobody signs in until the owner chose a new password.
    locked_at = models.DateTimeField(null=True, blank=True, editable=False)
    # After a recovery, a payment needs an authenticator or a passkey until this time.
    strong_payments_until = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.CheckConstraint(
                name="user_has_email_or_phone",
                condition=models.Q(email__isnull=False) | models.Q(phone__isnull=False),
                violation_error_message=_("Enter an e-mail address or a phone number."),
            ),
            models.CheckConstraint(name="user_email_lower_case", condition=models.Q(email=Lower("email"))),
        ]

    def __str__(self) -> str:
        return self.name or self.email or str(self.phone)

    def clean(self) -> None:
        # AbstractBaseUser.clean() would turn a missing e-mail into "", which the unique constraint allows only once.
        self.email = self.email.strip().lower() if self.email else None
        self.phone = self.phone or None

    def rests_after_reset(self, factor: str, now: datetime) -> bool:
        """Was the password reset by this factor, and not long enough ago?"""
        until = self.reset_factor_rests_until
        return self.reset_factor == factor and until is not None and until > now

    def get_session_auth_hash(self) -> str:
        """What every session, challenge and sign-in under way is tied to: the password, and of a locked account
        nothing that could ever be met. So nothing that began before the lock goes on, and nothing begins under it."""
        return secrets.token_hex() if self.locked_at else super().get_session_auth_hash()

    def get_session_auth_fallback_hash(self) -> Iterable[str]:
        return () if self.locked_at else super().get_session_auth_fallback_hash()

    def get_short_name(self) -> str:
        return self.name.split()[0] if self.name else str(self)


class Address(models.Model):
    """A postal address a person saved."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="addresses")
    name = models.CharField(_("name"), max_length=120)
    line1 = models.CharField(_("street and number"), max_length=120)
    line2 = models.CharField(_("more of the address"), max_length=120, blank=True)
    postcode = models.CharField(_("postcode"), max_length=16)
    city = models.CharField(_("town"), max_length=80)
    country = models.CharField(_("country"), max_length=2)

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        constraints = [
            models.UniqueConstraint(
                name="address_once_a_user", fields=["user", "name", "line1", "line2", "postcode", "city", "country"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.line1}, {self.postcode} {self.city}"

    def get_country_name(self) -> str:
        return str(COUNTRIES.get(self.country, self.country))


class SecurityEvent(models.Model):
    """One thing that happened to an account's safety. Append-only: a database trigger refuses UPDATE and DELETE."""

    class Kind(models.TextChoices):
        SIGNED_UP = "signed_up", _("account opened")
        PASSWORD_REFUSED = "password_refused", _("wrong password")
        SIGNED_IN = "signed_in", _("signed in")
        SIGNED_OUT = "signed_out", _("signed out")
        CODE_SENT = "code_sent", _("code asked for")
        CODE_RESENT_BY_SUPPORT = "code_resent_by_support", _("code sent again by support")
        PROOF_PASSED = "proof_passed", _("proof accepted")
        PROOF_FAILED = "proof_failed", _("wrong code")
        FACTOR_RESTING = "factor_resting", _("too many wrong codes")
        FACTOR_ADDED = "factor_added", _("factor added")
        FACTOR_REMOVED = "factor_removed", _("factor removed")
        BACKUP_CODES_MADE = "backup_codes_made", _("new backup codes")
        BACKUP_CODES_LOW = "backup_codes_low", _("backup codes run out")
        PASSWORD_CHANGED = "password_changed", _("password changed")
        SUPPORT_LOOKED_UP = "support_looked_up", _("looked up by support")
        ORDER_APPROVED = "order_approved", _("order approved")
        WRONG_CODES = "wrong_codes", _("three wrong codes")
        EMAIL_CHANGED = "email_changed", _("e-mail changed")
        EMAIL_CHANGE_UNDONE = "email_change_undone", _("change of e-mail undone")
        PHONE_CHANGED = "phone_changed", _("phone changed")
        ADDRESSES_CHANGED = "addresses_changed", _("saved addresses changed")
        PAYMENT_DETAILS_VIEWED = "payment_details_viewed", _("payment details looked at")
        DATA_EXPORTED = "data_exported", _("data downloaded")
        ACCOUNT_CLOSED = "account_closed", _("account closed")
        ACCOUNT_LOCKED = "account_locked", _("account locked by its owner")
        ACCOUNT_UNLOCKED = "account_unlocked", _("account unlocked")
        BROWSER_TRUSTED = "browser_trusted", _("browser trusted")
        TRUST_ENDED = "trust_ended", _("trust in browsers ended")
        SESSIONS_ENDED = "sessions_ended", _("signed out elsewhere")
        RECOVERY_OPENED = "recovery_opened", _("recovery asked for")
        RECOVERY_CANCELLED = "recovery_cancelled", _("recovery cancelled")
        RECOVERY_CONFIRMED = "recovery_confirmed", _("recovery confirmed by staff")
        RECOVERY_DONE = "recovery_done", _("account recovered")
        APPROVAL_SPARED = "approval_spared", _("payment not asked for, by rule")
        POLICY_CHANGED = "policy_changed", _("approval rules changed")

    at = models.DateTimeField(_("time"), default=timezone.now)
    kind = models.CharField(_("what"), max_length=40, choices=Kind)
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="security_events")
    contact = models.CharField(_("guest"), max_length=254, blank=True)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="staff_acts")
    detail = models.JSONField(_("detail"), default=dict)
    ip = models.GenericIPAddressField(_("address"), null=True)

    class Meta:
        verbose_name = _("security event")
        verbose_name_plural = _("security events")
        indexes = [models.Index(fields=["user", "-at"]), models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.get_kind_display()}"


class EmailChange(models.Model):
    """A change of e-mail that its owner may undo by a link in the mail to the old address (security/contacts.py).

    The link is the signed id: who reads this table can't make one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="email_changes")
    event = models.OneToOneField(SecurityEvent, on_delete=models.PROTECT, related_name="email_change")
    old_email = models.EmailField()
    changed_at = models.DateTimeField()
    undo_until = models.DateTimeField()
    undone_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"change of e-mail {self.pk}"


class EventSeal(models.Model):
    """A link of the hash chain over the security events, in the order in which they were sealed (accounts/audit.py)."""

    position = models.BigAutoField(primary_key=True)
    # No foreign key: the seal must outlive an event that somebody deletes, so that the gap shows.
    event_id = models.BigIntegerField(unique=True)
    digest = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.position}: {self.digest[:12]}"


class Counter(models.Model):
    """How often something was done in the running window (accounts/limits.py)."""

    scope = models.CharField(max_length=40)
    key = models.CharField(max_length=64)
    window_started_at = models.DateTimeField()
    spent = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(name="counter_once", fields=["scope", "key"])]

    def __str__(self) -> str:
        return f"{self.scope}: {self.spent}"
