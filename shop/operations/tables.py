"""The tables of the dashboard, each with its chart: what the page shows, and what is downloaded."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext as _

from accounts.countries import COUNTRIES
from accounts.delivery import numbers as delivery
from accounts.delivery.models import Channel, Reason, State
from accounts.stepup import numbers as stepup
from shop.money import format_money
from shop.operations.charts import Bars, Columns, bars, columns

SHOWN = 20  # rows of a table on the page; the download has all
DRAWN = 8  # bars of a chart


def _count(value: int) -> str:
    return number_format(value, force_grouping=True)


def _share(value: float | None) -> str:
    return "–" if value is None else _("%(share)s %%") % {"share": number_format(value * 100, 1)}


def _seconds(value: float | None) -> str:
    return "–" if value is None else _("%(seconds)s s") % {"seconds": number_format(value, 1)}


def _day(value: date) -> str:
    return date_format(value, "SHORT_DATE_FORMAT")


@dataclass
class Table:
    name: str
    title: str
    headings: list[str]
    formats: list[Callable[[Any], str]]
    rows: list[list[Any]]
    note: str = ""
    charts: list[Bars | Columns] = field(default_factory=list)

    @property
    def shown(self) -> Iterator[list[str]]:
        for row in self.rows[:SHOWN] if self.name != "days" else self.rows:
            yield [how(value) for how, value in zip(self.formats, row, strict=True)]

    @property
    def hidden(self) -> int:
        return 0 if self.name == "days" else max(0, len(self.rows) - SHOWN)


def tables(since: datetime, until: datetime) -> list[Table]:
    """All of them, in the order of the page. The number of queries is the same for one message and for a million."""
    by_all = delivery.codes_by_all(since, until)
    for key, passed in stepup.passed_by_all(since, until).items():
        by_all[key].passed = passed
    return [
        _funnel(delivery.total(by_all.values())),
        *(_by(dimension, by_all) for dimension in delivery.DIMENSIONS),
        _waits(since, until),
        _payments(since, until),
        _days(since, until),
        _failures(since, until),
        _cost(since, until),
    ]


def _funnel(all_codes: delivery.Steps) -> Table:
    asked = all_codes.asked
    rows: list[list[Any]] = [
        [words, count, count / asked if asked else None]
        for words, count in [
            (_("Asked for"), asked),
            (_("Handed over"), all_codes.handed_over),
            (_("Delivered"), all_codes.delivered),
            (_("Passed"), all_codes.passed),
        ]
    ]
    return Table(
        "funnel",
        _("From the tap to the code"),
        [_("Codes"), _("How many"), _("Of those asked for")],
        [str, _count, _share],
        rows,
        _(
            "Passed: the code was typed, and it is counted for the last message that had left by then on the way by "
            "which it passed. Not every carrier reports a delivery, so more may pass than are known to be delivered."
        ),
        [
            bars(
                "funnel-chart",
                _("How far the codes came"),
                [(row[0], row[1], _count(row[1])) for row in rows],
                full=asked,
            )
        ],
    )


def _by(dimension: str, by_all: dict[tuple[str, ...], delivery.Steps]) -> Table:
    title, heading, words = {
        "channel": (_("Codes by channel"), _("Channel"), _channel),
        "provider": (_("Codes by provider"), _("Provider"), lambda value: value or _("None yet")),
        "country": (_("Codes by country"), _("Country"), _country),
        "carrier": (_("Codes by network"), _("Network"), lambda value: value or _("Not known")),
    }[dimension]
    rows: list[list[Any]] = [
        [
            words(value), steps.asked, steps.handed_over, steps.delivered, steps.passed,
            steps.passed / steps.asked if steps.asked else None, steps.cost,
        ]
        for value, steps in delivery.together(by_all, dimension).items()
    ]  # fmt: skip
    return Table(
        dimension,
        title,
        [heading, _("Asked for"), _("Handed over"), _("Delivered"), _("Passed"), _("Passed of asked"), _("Cost")],
        [str, _count, _count, _count, _count, _share, format_money],
        rows,
        charts=[
            bars(
                f"{dimension}-chart",
                _("Passed, of the codes asked for"),
                [(row[0], row[5] or 0, _share(row[5])) for row in rows[:DRAWN]],
                full=1,
            )
        ],
    )


def _waits(since: datetime, until: datetime) -> Table:
    rows: list[list[Any]] = []
    for channel, both in delivery.waits_by_channel(since, until).items():
        for words, waits in zip((_("handed over"), _("delivered")), both, strict=True):
            if waits.p50 is not None:
                rows.append([_channel(channel), words, waits.p50, waits.p95, waits.p99])
    return Table(
        "waits",
        _("Seconds from the tap"),
        [_("Channel"), _("Until it was"), _("Half within"), _("95 of 100 within"), _("99 of 100 within")],
        [str, str, _seconds, _seconds, _seconds],
        rows,
        charts=[
            bars(
                "waits-chart",
                _("Seconds within which 95 of 100 codes were there"),
                [(f"{row[0]}, {row[1]}", row[3], _seconds(row[3])) for row in rows],
            )
        ],
    )


def _payments(since: datetime, until: datetime) -> Table:
    found = stepup.payments(since, until)
    over = found.begun - found.under_way
    rows: list[list[Any]] = [
        [words, count, count / over if over and not waits else None]
        for words, count, waits in [
            (_("Became an order"), found.ordered, False),
            (_("Approved, but not ordered"), found.not_ordered, False),
            (_("Abandoned at the approval"), found.abandoned, False),
            (_("Under way"), found.under_way, True),
        ]
    ]
    return Table(
        "payments",
        _("Payments at the approval step"),
        [_("Payments"), _("How many"), _("Of those that are over")],
        [str, _count, _share],
        rows,
        _(
            "A payment counts here when a proof was asked for. It is abandoned if that proof was not given and can be "
            "given no more (its time is over, its attempts are used up, or it was replaced), and the same browser "
            "began no other payment within an hour. So who tries three times and pays counts once, as an order; who "
            "tries three times and leaves counts once, as abandoned. Payments that your rules spare are left out."
        ),
        [bars("payments-chart", _("What became of the payments"), [(row[0], row[1], _count(row[1])) for row in rows])],
    )


def _days(since: datetime, until: datetime) -> Table:
    found = delivery.by_day(since, until)
    first, last = since.date(), (until - timedelta(microseconds=1)).date()
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    rows: list[list[Any]] = []
    for day in days:
        of_day = found.get(day, {})
        channels = of_day.values()
        rows.append(
            [
                day,
                sum(each.asked for each in channels),
                sum(each.handed_over for each in channels),
                sum(each.delivered for each in channels),
                *(of_day[channel].cost if channel in of_day else Decimal(0) for channel in Channel.values),
                sum((each.cost for each in channels), Decimal(0)),
            ]
        )
    most, dearest = max(rows, key=lambda row: row[1]), max(rows, key=lambda row: row[-1])
    return Table(
        "days",
        _("Everything sent, by day"),
        [
            _("Day"), _("Asked for"), _("Handed over"), _("Delivered"),
            *(_("Cost by %(channel)s") % {"channel": channel.label} for channel in Channel), _("Cost"),
        ],
        [_day, _count, _count, _count, *([format_money] * (len(Channel) + 1))],
        rows,
        _("Codes, notices, confirmations and all else. The days are those of the shop’s time zone."),
        [
            columns("days-chart",
            _("Messages by day"),
            [(_day(row[0]), row[1], row[3], f"{_day(row[0])}: {_count(row[1])}, {_count(row[3])}") for row in rows],
            top=_count(most[1]),
            said=_("Most on %(day)s: %(count)s.") % {"day": _day(most[0]), "count": _count(most[1])},
                legend=(_("asked for"), _("of them delivered")),
            ),
            columns("days-chart-2",
                _("Cost by day"),
                [(_day(row[0]), float(row[-1]), 0, f"{_day(row[0])}: {format_money(row[-1])}") for row in rows],
                top=format_money(dearest[-1]),
                said=_("Dearest on %(day)s: %(cost)s.") % {"day": _day(dearest[0]), "cost": format_money(dearest[-1])},
            ),
        ],
    )  # fmt: skip


def _failures(since: datetime, until: datetime) -> Table:
    rows: list[list[Any]] = [
        [_why(each.state, each.reason), _channel(each.channel), each.count] for each in delivery.failures(since, until)
    ]
    by_reason: Counter[str] = Counter()
    for words, _of_channel, count in rows:
        by_reason[words] += count
    most = by_reason.most_common()
    return Table(
        "failures",
        _("What did not arrive, and why"),
        [_("Why"), _("Channel"), _("How many")],
        [str, str, _count],
        rows,
        charts=[
            bars(
                "failures-chart",
                _("What did not arrive"),
                [(Truncator(words).chars(46), count, _count(count)) for words, count in most[:DRAWN]],
            )
        ],
    )


def _cost(since: datetime, until: datetime) -> Table:
    rows: list[list[Any]] = [
        [_country(row["country"]), _channel(row["channel"]), row["sent"], row["money"], row["unknown"]]
        for row in delivery.cost_by_country(since, until)
    ]
    return Table(
        "cost",
        _("Cost by country and channel"),
        [_("Country"), _("Channel"), _("Handed over"), _("Cost"), _("Without a price")],
        [str, str, _count, format_money, _count],
        rows,
        _("Messages without a price are in no sum."),
        [
            bars(
                "cost-chart",
                _("Cost by country and channel"),
                [(f"{row[0]}, {row[1]}", float(row[3]), format_money(row[3])) for row in rows[:DRAWN]],
            )
        ],
    )


def _country(code: str) -> str:
    return str(COUNTRIES.get(code, code)) if code else _("None (e-mail)")


def _channel(value: str) -> str:
    return capfirst(str(Channel(value).label))


def _why(state: str, reason: str) -> str:
    return capfirst(str(Reason(reason).label if reason else State(state).label))
