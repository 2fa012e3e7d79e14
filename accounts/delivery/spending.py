"""What texts and calls cost, and the most that a day may cost.

A message's price is set aside just before a provider is asked, by one statement on the row of the day; what turns out
not to have been taken is given back. So, by the price list, the day never costs more than MESSAGE_BUDGET_A_DAY, however
many workers there are; it may be overrun only by what a provider reports beyond the list. A day is one of the shop's
time zone. Notices of what happened to an account, and the like, may go on for another fifth of the cap: else whoever
uses it up could then change accounts in silence.

Source of a price, the first that is there: the list in the admin, from the country and the provider that is meant to
all; then ROUGH, which is a guess of ours on the high side, to be replaced by the prices of the shop's own contract.
"""

from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils.timezone import localdate

from accounts.delivery import gsm
from accounts.delivery.alarms import end_alarm, raise_alarm
from accounts.delivery.composing import Content
from accounts.delivery.models import Alarm, Channel, Message, MessagePrice, Spending

ROUGH = {Channel.TEXT: Decimal("0.10"), Channel.CALL: Decimal("0.20")}
ALARMS_AT = (50, 80)  # percent of the cap; the third rings when it stops something
FOR_NOTICES = Decimal("1.2")
CODES = (Message.Kind.CODE, Message.Kind.EXPLANATION, Message.Kind.NAMES)
NO_CAP = Decimal("99999999")  # as much as the column holds
PART = 153  # septets in each part of a longer text

_SET_ASIDE = """
INSERT INTO delivery_spending AS s (day, spent) SELECT %(day)s, %(amount)s WHERE %(amount)s <= %(most)s
ON CONFLICT (day) DO UPDATE SET spent = s.spent + excluded.spent WHERE s.spent + excluded.spent <= %(most)s
RETURNING spent
"""


def price_of(channel: str, country: str, provider: str = "") -> Decimal:
    """Of a text of one part, or of a call."""
    rows = MessagePrice.objects.filter(channel=channel, country__in=(country, ""), provider__in=(provider, ""))
    # The country says more than the provider.
    best = max(rows, key=lambda row: (row.country != "", row.provider != ""), default=None)
    return best.price if best else ROUGH[Channel(channel)]


def has_room(channel: str, country: str, now: datetime) -> bool:
    """Whether one more code would be within the cap, to say so on the page; `set_aside` decides."""
    cap = settings.MESSAGE_BUDGET_A_DAY
    if not cap or channel == Channel.EMAIL:
        return True
    spent = Spending.objects.filter(day=localdate(now)).values_list("spent", flat=True).first() or Decimal(0)
    return spent + price_of(channel, country) <= cap


def set_aside(message: Message, content: Content, provider: str, now: datetime) -> bool:
    """Take its price out of the day's money and note it on the message. False where the day has not so much left."""
    if message.channel == Channel.EMAIL:
        return True
    cap = settings.MESSAGE_BUDGET_A_DAY
    amount = price_of(message.channel, message.country, provider) * _parts(message, content)
    most = (cap if message.kind in CODES else cap * FOR_NOTICES) if cap else NO_CAP
    day = localdate(now)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SET_ASIDE, {"day": day, "amount": amount, "most": most})
        row = cursor.fetchone()
        if row:
            message.cost = amount
            message.save(update_fields=["cost"])
    if row is None:
        raise_alarm(Alarm.Kind.SPENDING, about=_about(100, day), now=now)
        return False
    for share in ALARMS_AT:
        # Of those who spend at the same time just one comes across the line.
        if cap and row[0] - amount < cap * share / 100 <= row[0]:
            raise_alarm(Alarm.Kind.SPENDING, about=_about(share, day), now=now)
    return True


def give_back(message: Message, now: datetime) -> None:
    """No provider took it."""
    _settle(message, None, now)


def taken(message: Message, content: Content, provider: str, now: datetime) -> None:
    """What it costs really: the provider told its price, or it is another one than the first that was asked."""
    if message.channel != Channel.EMAIL:
        told = message.told_price
        cost = price_of(message.channel, message.country, provider) * _parts(message, content) if told is None else told
        _settle(message, cost, now)


def review(now: datetime) -> None:
    """A new day has new money: end the alarms of those before. Run every minute."""
    today = localdate(now).isoformat()
    for alarm in Alarm.objects.filter(kind=Alarm.Kind.SPENDING, ended_at=None).exclude(about__endswith=today):
        end_alarm(Alarm.Kind.SPENDING, about=alarm.about, now=now)


def _settle(message: Message, cost: Decimal | None, now: datetime) -> None:
    """One UPDATE on the message decides who corrects the day."""
    before = message.cost
    if before is None or before == cost:
        return
    with transaction.atomic():
        if Message.objects.filter(pk=message.pk, cost=before).update(cost=cost):
            # The day in which it was set aside: a worker is not so slow that it would be the day before yesterday.
            day = localdate(message.handing_over_at or now)
            Spending.objects.filter(day=day).update(spent=F("spent") - before + (cost or 0))
    message.cost = cost


def _parts(message: Message, content: Content) -> int:
    length = gsm.septets(content.text) if message.channel == Channel.TEXT else 0
    return 1 if length <= gsm.SEGMENT else -(-length // PART)


def _about(share: int, day: date) -> str:
    return f"{share}% of {day.isoformat()}"
