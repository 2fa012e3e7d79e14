"""Where a person is signed in, and in which browsers no code is asked for at sign-in."""

import uuid

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


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
