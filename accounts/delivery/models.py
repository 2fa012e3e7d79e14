import uuid
from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.phones import mask


class Channel(models.TextChoices):
    TEXT = "text", _("text message")
    CALL = "call", _("voice call")
    EMAIL = "email", _("e-mail")


class State(models.TextChoices):
    QUEUED = "queued", _("waiting")
    HANDING_OVER = "handing_over", _("on its way")
    HANDED_OVER = "handed_over", _("handed to the carrier")
    SENT = "sent", _("sent")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("not delivered")
    EXPIRED = "expired", _("dropped: its time was over")
    UNKNOWN = "unknown", _("not known whether it left")


class Reason(models.TextChoices):
    """Why a message failed, in the words of the person who waits for it."""

    BAD_NUMBER = "bad_number", _("this number can't receive messages")
    OPTED_OUT = "opted_out", _("this number answered STOP to us; text START to get messages again")
    COUNTRY = "country", _("we can't send texts to this country")
    LANDLINE = "landline", _("this looks like a landline, which can't receive texts")
    BAD_MAILBOX = "bad_mailbox", _("this mailbox doesn't exist or refuses our mail")
    CARRIER = "carrier", _("the carrier could not deliver it")
    NO_CALLS = "no_calls", _("we can't call this number")
    NO_ANSWER = "no_answer", _("nobody answered, or the line was busy")
    NO_KEY = "no_key", _("the call was taken, but no key was pressed")
    PROVIDER = "provider", _("our provider refused it")
    SPENDING = "spending", _("we can’t send texts or make calls any more today")


def in_words(reason: str) -> str:
    """As its label; who wrote STOP is told, too, where START has to go."""
    if reason == Reason.OPTED_OUT and settings.TWILIO_FROM.startswith("+"):
        words = _("this number answered STOP to us; text START to %(number)s to get messages again")
        return words % {"number": settings.TWILIO_FROM}
    return str(Reason(reason).label) if reason else ""


class Message(models.Model):
    """One thing sent to a person through a channel. It holds no text: that is composed when it is handed over."""

    class Kind(models.TextChoices):
        CODE = "code", _("one-time code")
        EXPLANATION = "explanation", _("explanation in place of a code")
        NOTICE = "notice", _("security notice")
        ORDER = "order", _("order confirmation")
        RECOVERY = "recovery", _("recovery of an account")
        NAMES = "names", _("answer about a forgotten sign-in name")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel)
    destination = models.CharField(_("to"), max_length=254)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="messages")
    language = models.CharField(max_length=12, default="en")
    # What it is about: the challenge of a code, the event of a notice, the order of a confirmation.
    challenge = models.ForeignKey("stepup.Challenge", on_delete=models.CASCADE, null=True, related_name="messages")
    send_number = models.PositiveSmallIntegerField(default=1)
    # Failover: when another provider was asked to bring the same, and for whom this one stands in.
    replaced_at = models.DateTimeField(null=True)
    instead_of = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="replacements")
    # The names of those who said no for good, before another provider was asked in their place.
    refused_by = models.CharField(_("refused by"), max_length=60, blank=True)
    reference = models.CharField(max_length=40, blank=True)

    provider = models.CharField(_("provider"), max_length=20, blank=True)
    provider_id = models.CharField(_("provider's id"), max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.QUEUED)
    reason = models.CharField(_("reason"), max_length=16, choices=Reason, blank=True)
    provider_code = models.CharField(_("provider's code"), max_length=16, blank=True)
    # Of a text or call: the region of the number (ISO 3166-1), the network that has it, and what the send costs.
    country = models.CharField(_("country"), max_length=2, blank=True)
    carrier = models.CharField(_("network"), max_length=60, blank=True)
    cost = models.DecimalField(_("cost"), max_digits=8, decimal_places=4, null=True)
    tries = models.PositiveSmallIntegerField(default=0)

    queued_at = models.DateTimeField(_("asked for"), default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(default=timezone.now)  # when a worker was last told that it waits
    handing_over_at = models.DateTimeField(null=True)
    handed_over_at = models.DateTimeField(_("handed over"), null=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    ended_at = models.DateTimeField(null=True)

    told_price: Decimal | None = None  # by the provider that took it, in the shop's currency

    # A message never goes backwards: from where each state may be reached. A status report may overtake the
    # provider's own answer, so `sent` and `delivered` are reached from `handing_over` and `unknown` too; and a worker
    # given up for dead may have been only slow.
    REACHED_FROM: ClassVar[dict[str, list[str]]] = {
        State.HANDING_OVER: [State.QUEUED],
        State.QUEUED: [State.HANDING_OVER],  # the provider said that it did not take it
        State.HANDED_OVER: [State.HANDING_OVER, State.UNKNOWN],
        State.SENT: [State.HANDING_OVER, State.UNKNOWN, State.HANDED_OVER],
        State.DELIVERED: [State.HANDING_OVER, State.UNKNOWN, State.HANDED_OVER, State.SENT],
        State.FAILED: [State.QUEUED, State.HANDING_OVER, State.UNKNOWN, State.HANDED_OVER, State.SENT],
        State.EXPIRED: [State.QUEUED, State.HANDING_OVER],
        State.UNKNOWN: [State.HANDING_OVER],
    }
    WAITING: ClassVar[list[str]] = [State.QUEUED, State.HANDING_OVER]

    class Meta:
        verbose_name = pgettext_lazy("sent to a person", "message")
        verbose_name_plural = pgettext_lazy("sent to a person", "messages")
        permissions = [
            ("support_people", "Can look people up and send their codes again"),
            ("view_numbers", "Can see how messages and approvals do, and what they cost"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="message_once_a_send",
                fields=["challenge", "send_number"],
                condition=models.Q(challenge__isnull=False),
            ),
            models.UniqueConstraint(
                name="message_instead_once_a_provider",
                fields=["challenge", "channel", "provider"],
                condition=models.Q(instead_of__isnull=False),
            ),
            models.UniqueConstraint(
                name="message_once_a_reference",
                fields=["kind", "channel", "destination", "reference"],
                condition=~models.Q(reference=""),
            ),
        ]
        indexes = [
            models.Index(fields=["state", "not_before"], condition=models.Q(state__in=["queued", "handing_over"]),
                         name="message_waiting"),
            models.Index(fields=["handing_over_at"], name="message_may_be_replaced",
                         condition=models.Q(challenge__isnull=False, replaced_at=None,
                                            state__in=["handing_over", "handed_over", "unknown", "failed"])),
            models.Index(fields=["user", "-queued_at"]),
            models.Index(fields=["destination", "-queued_at"]),
            models.Index(fields=["provider_id"]),
            models.Index(fields=["queued_at"]),  # a period's numbers (numbers.py), and the admin's list
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.get_channel_display()} → {self.masked_destination}"

    @property
    def masked_destination(self) -> str:
        return mask(self.destination)

    @property
    def reason_in_words(self) -> str:
        return in_words(self.reason)


class Number(models.Model):
    """A phone number of which we know that it gets no texts, or got none for a while (textable.py)."""

    number = models.CharField(_("number"), max_length=16, primary_key=True)
    opted_out_at = models.DateTimeField(_("wrote STOP"), null=True)
    opted_in_at = models.DateTimeField(_("wrote START"), null=True)
    unusable_at = models.DateTimeField(_("refused by a provider"), null=True)
    why = models.CharField(_("reason"), max_length=16, choices=Reason, blank=True)

    def __str__(self) -> str:
        return mask(self.number)


class Reply(models.Model):
    """A STOP or START that somebody texted to us."""

    class Word(models.TextChoices):
        STOP = "stop", "STOP"
        START = "start", "START"

    provider_id = models.CharField(max_length=64, primary_key=True)
    number = models.CharField(max_length=16)
    word = models.CharField(max_length=8, choices=Word)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.get_word_display()} {mask(self.number)}"


class DemoMessage(models.Model):
    """What the demo provider carried: the one place that may show a code, and only with DEMO=1."""

    message = models.OneToOneField(Message, on_delete=models.CASCADE, primary_key=True)
    subject = models.CharField(max_length=200, blank=True)
    text = models.TextField()
    html = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.message)


class Breaker(models.Model):
    """How a provider does (breaker.py): its failures in a row, and until when it is left alone."""

    provider = models.CharField(max_length=20, primary_key=True)
    failures = models.PositiveSmallIntegerField(default=0)
    open_until = models.DateTimeField(null=True)
    # Since when nothing is heard of the messages it took; NULL when the last report is younger than that.
    silent_since = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.provider}: {self.failures} failures"


class Alarm(models.Model):
    """Something an operator has to look at (alarms.py)."""

    class Kind(models.TextChoices):
        PROVIDER_DOWN = "provider_down", _("the provider fails again and again")
        CREDENTIALS = "credentials", _("the provider refuses our credentials")
        CREDIT = "credit", _("our credit with the provider is used up")
        NO_REPORTS = "no_reports", _("the provider takes messages, and its reports don’t reach us")
        PUMPING = "pumping", _("many codes are asked for and hardly any is typed")
        BUDGET = "budget", _("a budget of sends is used up")
        SPENDING = "spending", _("the day's money for messages runs out")

    kind = models.CharField(_("what"), max_length=20, choices=Kind)
    about = models.CharField(_("about"), max_length=40)
    raised_at = models.DateTimeField(_("raised"), default=timezone.now)
    ended_at = models.DateTimeField(_("over"), null=True)

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        constraints = [
            models.UniqueConstraint(
                name="alarm_one_open", fields=["kind", "about"], condition=models.Q(ended_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return f"{self.about}: {self.get_kind_display()}"


class PrefixTraffic(models.Model):
    """How many codes were sent to a prefix in ten minutes, and how many of these were typed (pumping.py)."""

    prefix = models.CharField(max_length=20)
    began_at = models.DateTimeField()
    sends = models.PositiveIntegerField()
    passes = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(name="traffic_once_a_slice", fields=["prefix", "began_at"])]

    def __str__(self) -> str:
        return f"{self.prefix}: {self.passes} of {self.sends}"


class PrefixStop(models.Model):
    """No codes go to unproven numbers of this prefix, since somebody seems to pump (pumping.py)."""

    prefix = models.CharField(_("prefix"), max_length=20)
    stopped_at = models.DateTimeField(_("stopped"), default=timezone.now)
    until = models.DateTimeField(_("until"))
    ended_at = models.DateTimeField(_("over"), null=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, verbose_name=_("lifted by"), related_name="+"
    )
    lift_reason = models.CharField(_("why it was lifted"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("stopped prefix")
        verbose_name_plural = _("stopped prefixes")
        constraints = [
            models.UniqueConstraint(name="stop_one_open", fields=["prefix"], condition=models.Q(ended_at__isnull=True))
        ]

    def __str__(self) -> str:
        return self.prefix


class Heartbeat(models.Model):
    """When a worker last did what beat had put into this queue: the one of the two that died is seen by it."""

    queue = models.CharField(max_length=20, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.queue


class MessagePrice(models.Model):
    """What a text of one part, or a call, costs the shop (spending.py)."""

    channel = models.CharField(
        _("channel"), max_length=8, choices=[(each.value, each.label) for each in (Channel.TEXT, Channel.CALL)]
    )
    country = models.CharField(
        _("country"),
        max_length=2,
        blank=True,
        validators=[RegexValidator("^[A-Z]{2}$", _("Two capital letters, such as DE."))],
        help_text=_("Two capital letters, such as DE. Empty: every other country."),
    )
    provider = models.CharField(
        _("provider"), max_length=20, blank=True, help_text=_("Such as twilio or vonage. Empty: each of them.")
    )
    price = models.DecimalField(
        _("price"),
        max_digits=8,
        decimal_places=4,
        help_text=_(
            "In the shop’s currency, from the contract with the provider: of a text of one part, or of a call."
        ),
    )

    class Meta:
        verbose_name = _("price of a message")
        verbose_name_plural = _("prices of messages")
        constraints = [
            models.UniqueConstraint(name="price_once", fields=["channel", "country", "provider"]),
            models.CheckConstraint(name="price_not_below_zero", condition=models.Q(price__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.country} {self.provider}: {self.price}"


class Spending(models.Model):
    """What the texts and calls of a day cost, in the shop's currency (spending.py)."""

    day = models.DateField(_("day"), primary_key=True)
    spent = models.DecimalField(_("spent"), max_digits=12, decimal_places=4)

    class Meta:
        verbose_name = _("spending on messages")
        verbose_name_plural = _("spending on messages")

    def __str__(self) -> str:
        return f"{self.day}: {self.spent}"
