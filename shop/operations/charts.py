"""Charts as SVG, drawn on the server: shapes with presentation attributes and classes, which the CSP allows.

Each stands beside the table with the same numbers, so its text alternative names it and says what stands out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 360  # of the drawing's own units; a phone shows them about one to one
ROW, BAR_TOP, BAR_HEIGHT = 40, 20, 12
HIGH, BASE = 150, 130


@dataclass(frozen=True)
class Bar:
    label: str
    words: str  # its value, as people read it
    y: int
    width: float

    @property
    def text_y(self) -> int:
        return self.y + BAR_TOP - 6

    @property
    def bar_y(self) -> int:
        return self.y + BAR_TOP


@dataclass(frozen=True)
class Bars:
    """A horizontal bar for each row."""

    id: str
    title: str
    words: str
    bars: list[Bar]
    height: int
    template: str = "operations/_bars.html"


@dataclass(frozen=True)
class Column:
    x: float
    y: float
    width: float
    height: float
    # The part of it that is told apart, from the ground up.
    part_y: float
    part_height: float
    words: str


@dataclass(frozen=True)
class Columns:
    """A column for each day."""

    id: str
    title: str
    words: str
    columns: list[Column]
    top: str
    first: str
    last: str
    legend: tuple[str, str] | None
    template: str = "operations/_columns.html"
    height: int = HIGH


def bars(id: str, title: str, rows: Sequence[tuple[str, float, str]], *, full: float | None = None) -> Bars:
    """Rows of label, value and words; `full` is the value of a bar as wide as the drawing, else the largest one."""
    full = full or max((value for _label, value, _words in rows), default=0) or 1
    drawn = [
        Bar(label, words, number * ROW, round(WIDTH * min(value / full, 1), 1))
        for number, (label, value, words) in enumerate(rows)
    ]
    said = "; ".join(f"{label}: {words}" for label, _value, words in rows)
    return Bars(id, title, said, drawn, ROW * len(drawn))


def columns(
    id: str,
    title: str,
    rows: Sequence[tuple[str, float, float, str]],
    *,
    top: str,
    said: str,
    legend: tuple[str, str] | None = None,
) -> Columns:
    """Rows of label, value, the part of it that is told apart, and words."""
    most = max((value for _label, value, _part, _words in rows), default=0) or 1
    step = WIDTH / max(len(rows), 1)
    width = round(min(step * 0.8, 48), 2)
    drawn = []
    for number, (_label, value, part, words) in enumerate(rows):
        high, low = (round(amount / most * (BASE - 20), 2) for amount in (value, part))
        x = round(number * step + (step - width) / 2, 2)
        drawn.append(Column(x, BASE - high, width, high, BASE - low, low, words))
    first, last = (rows[0][0], rows[-1][0]) if rows else ("", "")
    return Columns(id, title, said, drawn, top, first, "" if len(rows) == 1 else last, legend)
