import secrets
import uuid
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.factors.base import Strength


class Purpose(models.TextChoices):
    SIGN_UP = "sign_up", _("open an account")
    SIGN_IN = "sign_in", _("sign in")
    SIGN_IN_BY_CODE = "sign_in_by_code", _("sign in without a password")
    STAFF_SIGN_IN = "staff_sign_in", _("sign in as staff")
    RESET_PASSWORD = "reset_password", _("choose a new password")
    MANAGE_FACTORS = "manage_factors", _("change how you prove it is you")
    NEW_CONTACT = "new_contact", _("confirm a new e-mail or phone")
    CHANGE_EMAIL = "change_email", _("change your e-mail")
    CHANGE_PHONE = "change_phone", _("change your phone number")
    CHANGE_PASSWORD = "change_password", _("change your password")
    CHANGE_ADDRESSES = "change_addresses", _("change your saved addresses")
    VIEW_PAYMENT_DETAILS = "view_payment_details", _("see invoices and payment details")
    EXPORT_DATA = "export_data", _("download your data")
    CLOSE_ACCOUNT = "close_account", _("close your account")
    RECOVER = "recover", _("recover your account")
    CONFIRM_RECOVERY = "confirm_recovery", _("confirm the recovery of an account")
    PAY = "pay", _("approve a payment")
    CHANGE_POLICY = "change_policy", _("change the approval rules")


BY_RULE = "rule"  # stands for the factor where a payment was spared the question (sparing.py)


def new_nonce() -> bytes:
    return secrets.token_bytes(32)


class Challenge(models.Model):
    """One request for a proof. It belongs to one browser session, one person, one purpose and one digest."""

    class State(models.TextChoices):
        LIVE = "live", _("waiting for the code")
        PASSED = "passed", _("passed")
        USED_UP = "used_up", _("attempts used up")
        SUPERSEDED = "superseded", _("replaced by a newer one")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Who: a person with an account, or the contact (E.164 or e-mail) of somebody without one, or not yet.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="challenges")
    contact = models.CharField(_("contact"), max_length=254, blank=True)
    # Stands in for an account that isn't there (or is there already), so that a stranger sees no difference.
    decoy = models.BooleanField(default=False)
    # Where a code came in place of the password: the phone or mailbox it went to can't be the second proof as well.
    first_contact = models.CharField(max_length=254, blank=True)
    browser = models.CharField(max_length=64)
    purpose = models.CharField(_("purpose"), max_length=24, choices=Purpose)
    context_digest = models.BinaryField(max_length=32)
    # What the message says about it ({"amount": "€ 42.00"}), and where the browser goes when it has passed.
    summary = models.JSONField(default=dict)
    next_path = models.CharField(max_length=200)
    # Why a proof was asked for, as codes of the rules that said so (for support, and for tuning them).
    reasons = models.JSONField(default=list)
    # No weaker proof than this will do; NULL where the policy table alone says what is enough.
    least = models.PositiveSmallIntegerField(null=True)
    # What the decision was made on, so that changed rules can be tried on it later (risk.Facts).
    facts = models.JSONField(null=True)
    # The person's password at the start, as a keyed hash: a challenge does not survive its change.
    credentials = models.CharField(max_length=64, blank=True)

    factor = models.CharField(_("factor"), max_length=16)
    device_id = models.CharField(max_length=64, blank=True)
    code_key = models.CharField(max_length=16)
    # Beside what is approved in what a passkey signs (passkeys.py).
    nonce = models.BinaryField(max_length=32, default=new_nonce)
    # The weakest channel the code went to, which is what a passed challenge is worth.
    weakest_sent = models.PositiveSmallIntegerField(null=True)

    state = models.CharField(_("state"), max_length=12, choices=State, default=State.LIVE)
    attempts_left = models.PositiveSmallIntegerField(_("attempts left"))
    sends = models.PositiveSmallIntegerField(_("sends"), default=0)
    asked_at = models.DateTimeField(null=True)  # when the person last asked for a message
    next_send_at = models.DateTimeField(null=True)
    requested_at = models.DateTimeField(_("asked for"), default=timezone.now)
    expires_at = models.DateTimeField(_("over at"))
    passed_at = models.DateTimeField(_("passed"), null=True)

    class Meta:
        verbose_name = _("challenge")
        verbose_name_plural = _("challenges")
        constraints = [
            models.CheckConstraint(name="challenge_has_a_person", condition=~models.Q(user=None, contact="")),
            models.UniqueConstraint(
                name="challenge_one_live",
                fields=["browser", "purpose"],
                condition=models.Q(state="live"),
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-requested_at"]),
            models.Index(fields=["contact", "-requested_at"]),
            models.Index(fields=["purpose", "requested_at"]),  # a period's numbers (numbers.py)
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} {self.pk}"

    @property
    def subject(self) -> str:
        """Whose attempts these are."""
        return f"user:{self.user_id}" if self.user_id else f"contact:{self.contact}"


class Grant(models.Model):
    """A passed challenge: usable once, by the same browser and person, that purpose and that digest, for a while."""

    challenge = models.OneToOneField(Challenge, on_delete=models.CASCADE, related_name="grant")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True)
    contact = models.CharField(max_length=254, blank=True)
    browser = models.CharField(max_length=64)
    purpose = models.CharField(max_length=24, choices=Purpose)
    context_digest = models.BinaryField(max_length=32)
    factor = models.CharField(max_length=16)
    strength = models.PositiveSmallIntegerField(choices=[(s.value, s.name.lower()) for s in Strength])
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        indexes = [models.Index(fields=["browser", "purpose"], condition=models.Q(used_at=None), name="grant_unused")]

    def __str__(self) -> str:
        return f"grant of {self.challenge_id}"


def _bounds(low: int, high: int) -> list[Any]:
    return [MinValueValidator(low), MaxValueValidator(high)]


class ApprovalRules(models.Model):
    """The shop's numbers for approvals (risk.Rules), one row. What tightens can be tuned and not switched off."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    relax_below = models.DecimalField(
        _("spare payments below"),
        max_digits=10,
        decimal_places=2,
        default=Decimal("0.00"),
        validators=_bounds(0, 500),
        help_text=_(
            "Of a known person in a known browser, to a known address, after a recent strong proof. "
            "0: every payment is asked for."
        ),
    )
    relax_proof_minutes = models.PositiveSmallIntegerField(
        _("minutes for which a strong proof is recent"),
        default=60,
        validators=_bounds(5, 1440),
        help_text=_("A proof by text or stronger, in the same session."),
    )
    known_address_days = models.PositiveSmallIntegerField(
        _("days after which an address is known"),
        default=30,
        validators=_bounds(7, 365),
        help_text=_("Counted from the first paid order to it."),
    )
    failures_a_day = models.PositiveSmallIntegerField(
        _("wrong codes and passwords in a day"),
        default=5,
        validators=_bounds(3, 20),
        help_text=_("From this number on a stronger proof is asked for."),
    )
    phone_changed_days = models.PositiveSmallIntegerField(
        _("days for which a phone counts as changed"),
        default=7,
        validators=_bounds(3, 30),
        help_text=_("Meanwhile a stronger proof is asked for."),
    )
    orders_a_day = models.PositiveSmallIntegerField(
        _("orders in a day"),
        default=5,
        validators=_bounds(1, 20),
        help_text=_("For each further one a stronger proof is asked for."),
    )
    spent_a_day = models.DecimalField(
        _("money spent in a day"),
        max_digits=10,
        decimal_places=2,
        default=Decimal("1000.00"),
        validators=_bounds(50, 10_000),
        help_text=_("For whatever is above, a stronger proof is asked for."),
    )

    class Meta:
        verbose_name = _("approval rules")
        verbose_name_plural = _("approval rules")
        constraints = [
            models.CheckConstraint(name="approval_rules_are_one", condition=models.Q(id=1)),
            models.CheckConstraint(
                name="approval_rules_within_bounds",
                condition=models.Q(
                    relax_below__range=(0, 500),
                    relax_proof_minutes__range=(5, 1440),
                    known_address_days__range=(7, 365),
                    failures_a_day__range=(3, 20),
                    phone_changed_days__range=(3, 30),
                    orders_a_day__range=(1, 20),
                    spent_a_day__range=(50, 10_000),
                ),
            ),
        ]

    def __str__(self) -> str:
        return str(_("what payments are asked for"))


class Assertion(models.Model):
    """What a passkey signed for a grant, and the key it is checked with: `manage.py verify_approval` needs no more."""

    grant = models.OneToOneField(Grant, on_delete=models.CASCADE, related_name="assertion")
    site = models.CharField(max_length=200)
    client_data = models.BinaryField()
    authenticator_data = models.BinaryField()
    signature = models.BinaryField()
    public_key = models.BinaryField()
    algorithm = models.IntegerField()

    class Meta:
        verbose_name = _("signature")
        verbose_name_plural = _("signatures")

    def __str__(self) -> str:
        return f"signature of {self.grant_id}"
