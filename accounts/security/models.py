"""Where a person is signed in, in which browsers no code is asked for, and who wants a lost account back."""

import uuid

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.phones import mask


class Session(AbstractBaseSession):
    """Django's session row, and beside it whose it is and where it was used last (session_engine.py)."""

    # What pages and forms call it: the key itself would let in whoever reads it.
    handle = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="sessions")
    ip = models.GenericIPAddressField(_("address"), null=True)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    last_used_at = models.DateTimeField(_("last used"), default=timezone.now)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")

    def __str__(self) -> str:
        return f"session {self.handle}"

    @classmethod
    def get_session_store_class(cls) -> type:
        from accounts.security.session_engine import SessionStore

        return SessionStore


class TrustedBrowser(models.Model):
    """A browser in which a shopper asked for no more codes at sign-in (trust.py)."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="trusted_browsers")
    # SHA-256 of the token in the browser's cookie, and of the one before, which a code makes good again.
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    previous_hash = models.CharField(max_length=64, blank=True, editable=False)
    # What the trust rests on: the password, e-mail, phone and factors of that time, as one hash.
    rests_on = models.CharField(max_length=64, editable=False)
    user_agent = models.CharField(_("browser"), max_length=300, blank=True)
    first_ip = models.GenericIPAddressField(_("first address"), null=True)
    last_ip = models.GenericIPAddressField(_("last address"), null=True)
    last_used_at = models.DateTimeField(_("last used"), default=timezone.now)
    created_at = models.DateTimeField(_("since"), default=timezone.now)
    expires_at = models.DateTimeField(_("until"), db_index=True)
    revoked_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("trusted browser")
        verbose_name_plural = _("trusted browsers")

    def __str__(self) -> str:
        return f"trusted browser {self.pk}"


class Recovery(models.Model):
    """One wish to get an account back whose factors are all lost. It waits, is confirmed by staff, and is used once."""

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("a recovery", "open")
        CANCELLED = "cancelled", _("cancelled by the owner")
        REFUSED = "refused", _("refused by staff")
        DONE = "done", pgettext_lazy("a recovery", "done")
        EXPIRED = "expired", _("not used in time")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Nobody's where the name is of no account that may be recovered: a stranger sees no difference.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="recoveries")
    # Where the person can be reached now, proven when it was opened: an e-mail address, or a number in E.164.
    contact = models.CharField(_("new contact"), max_length=254)
    language = models.CharField(max_length=12, default="en")
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.OPEN)
    confirmations = models.PositiveSmallIntegerField(_("confirmations"), default=0)
    opened_at = models.DateTimeField(_("opened"), default=timezone.now)
    effective_at = models.DateTimeField(_("not before"))
    expires_at = models.DateTimeField(_("not after"))
    told_at = models.DateTimeField(null=True)
    announced_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("recovery")
        verbose_name_plural = _("recoveries")
        constraints = [
            models.UniqueConstraint(
                name="recovery_one_open_a_user", fields=["user"], condition=models.Q(state="open", user__isnull=False)
            ),
            models.CheckConstraint(
                name="recovery_done_was_confirmed",
                condition=~models.Q(state="done") | models.Q(confirmations__gte=2, user__isnull=False),
            ),
            models.CheckConstraint(
                name="recovery_done_was_late_enough",
                condition=~models.Q(state="done") | models.Q(ended_at__gte=models.F("effective_at")),
            ),
        ]
        indexes = [models.Index(fields=["contact"], condition=models.Q(state="open"), name="recovery_open")]

    def __str__(self) -> str:
        return f"recovery {self.pk}"

    @property
    def masked_contact(self) -> str:
        return mask(self.contact)


class Confirmation(models.Model):
    """A member of staff has identified the person, and says how."""

    recovery = models.ForeignKey(Recovery, on_delete=models.CASCADE, related_name="confirmed_by")
    staff = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(_("how the person was identified"), max_length=500)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("confirmation")
        verbose_name_plural = _("confirmations")
        constraints = [models.UniqueConstraint(name="confirmation_once_a_person", fields=["recovery", "staff"])]

    def __str__(self) -> str:
        return f"confirmation {self.pk}"
