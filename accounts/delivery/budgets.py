"""Budgets of sends: what is asked for before a message is written, all of it decided by the database.

They are taken in the transaction of the send, so what is rolled back has spent nothing; and they are counters in
PostgreSQL, so a flushed cache lifts none. Texts and calls are one budget. A shopkeeper tunes those of the whole shop,
of a country and of a prefix by the environment (settings.py); the others guard one person and are the same everywhere.

Notices and confirmations are not asked for here: else whoever pumps until nothing is left could then change accounts in
silence. What they cost counts (spending.py).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.db import transaction

from accounts import limits
from accounts.delivery import pumping, spending
from accounts.delivery.alarms import end_alarm, raise_alarm
from accounts.delivery.models import Alarm, Channel, Message
from accounts.phones import country_of, is_reached, prefix_of

logger = logging.getLogger(__name__)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(eq=False)
class Budget:
    """How many sends in a window; by number, or by the name of the setting that has it."""

    name: str  # the counter's scope
    limit: int | str
    window: timedelta
    alarm: str = ""  # what the alarm is about, where one rings; a {key} is filled in

    @property
    def most(self) -> int:
        return getattr(settings, self.limit) if isinstance(self.limit, str) else self.limit


# In the order in which they are locked: one's own first, what everybody shares last. All sends, typed or not, but for
# the address and the prefix: there a code that was typed is given back, so that many honest people may share them.
NUMBER = Budget("sends to a destination", 10, HOUR)
ACCOUNT = Budget("sends for an account", 20, HOUR)
BROWSER = Budget("sends from a browser", 20, HOUR)
ADDRESS = Budget("sends from an address", 30, HOUR, "an address")
PREFIX = Budget("sends to a prefix", "UNVERIFIED_A_PREFIX", HOUR, "prefix {key}")
COUNTRY = Budget("sends to a country", "TEXTS_A_COUNTRY_A_DAY", DAY, "country {key}")
TEXTS = Budget("texts and calls", "TEXTS_A_DAY", DAY, "texts and calls")
MAILS = Budget("e-mails with codes", "MAILS_A_DAY", DAY, "e-mails with codes")
BUDGETS = (NUMBER, ACCOUNT, BROWSER, ADDRESS, PREFIX, COUNTRY, TEXTS, MAILS)


class Why(Enum):
    """What stands against a send, as far as the person who waits has to know."""

    MANY = "many"  # sends of theirs
    STOPPED = "stopped"  # this way, for all of this number's kind
    COUNTRY = "country"


class NotToBeSent(Exception):
    def __init__(self, why: Why, alarms: Iterable[str] = ()) -> None:
        super().__init__(why.value)
        self.why, self.alarms = why, list(alarms)


@dataclass(frozen=True)
class Send:
    """A message that somebody asks for, and who asks. `proven`: to a phone that its owner has proven before."""

    channel: str
    destination: str
    account: int | None = None
    browser: str = ""
    ip: str | None = None
    proven: bool = False

    def keys(self) -> dict[Budget, str]:
        """Whose budgets it is taken from. There is none for what is not known, such as the address of support's."""
        of_whom = {
            NUMBER: self.destination,
            ACCOUNT: str(self.account or ""),
            BROWSER: self.browser,
            ADDRESS: network_of(self.ip) if self.ip else "",
        }
        if self.channel == Channel.EMAIL:
            of_whom[MAILS] = "the shop"
        else:
            of_whom |= {PREFIX: prefix_of(self.destination), COUNTRY: country_of(self.destination), TEXTS: "the shop"}
        return {budget: of_whom[budget] for budget in BUDGETS if of_whom.get(budget)}


def take(send: Send, now: datetime) -> None:
    """Spend one of each budget, in the caller's transaction; raises NotToBeSent, and then has spent none.

    Who catches it calls `ring` when that transaction is over: an alarm must not be rolled back with the send.
    """
    text = send.channel != Channel.EMAIL
    if text and not is_reached(send.destination):
        raise NotToBeSent(Why.COUNTRY)
    if text and not spending.has_room(send.channel, country_of(send.destination), now):
        raise NotToBeSent(Why.STOPPED)
    keys = send.keys()
    demands = [limits.Demand(budget.name, key, budget.most, budget.window) for budget, key in keys.items()]
    with transaction.atomic():
        if used_up := limits.take_all(demands, now=now):
            empty = [budget for budget in keys if budget.name in used_up]
            alarms = [budget.alarm.format(key=keys[budget]) for budget in empty if budget.alarm]
            theirs = all(budget in (NUMBER, ACCOUNT, BROWSER, ADDRESS) for budget in empty)
            raise NotToBeSent(Why.MANY if theirs else Why.STOPPED, alarms)
        # The counter of the prefix is locked by now, so sends to it are counted one after another.
        if text and not pumping.may_send(keys[PREFIX], proven=send.proven, now=now):
            raise NotToBeSent(Why.STOPPED)


def ring(refusal: NotToBeSent, now: datetime) -> None:
    for about in refusal.alarms:
        raise_alarm(Alarm.Kind.BUDGET, about=about, now=now)


def typed(messages: Iterable[Message], *, ip: str | None, now: datetime) -> None:
    """A code was typed that went out by these texts and calls: they were honest, so a share of them is given back."""
    sent = list(messages)
    if ip:
        limits.give_back(ADDRESS.name, network_of(ip), len(sent))
    for message in sorted(sent, key=lambda each: prefix_of(each.destination)):
        prefix = prefix_of(message.destination)
        limits.give_back(PREFIX.name, prefix)
        pumping.passed(prefix, message.queued_at)


def review(now: datetime) -> None:
    """End the alarms of budgets whose window must be over. Run every minute."""
    for alarm in Alarm.objects.filter(kind=Alarm.Kind.BUDGET, ended_at=None):
        window = next(
            (each.window for each in BUDGETS if each.alarm and alarm.about.startswith(each.alarm.format(key=""))), HOUR
        )
        if alarm.raised_at + window <= now:
            end_alarm(Alarm.Kind.BUDGET, about=alarm.about, now=now)


def network_of(ip: str) -> str:
    """Whose address it is: of IPv6, a home or a phone has a whole /64 and may send from any of it."""
    address = ip_address(ip)
    if address.version == 6 and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network(f"{ip}/64", strict=False)) if address.version == 6 else ip
