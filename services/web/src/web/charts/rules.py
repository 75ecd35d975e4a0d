"""Where the marks of charts are: pure, without a clock, without IO."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, pairwise

LEVELS = 4  # of how much a day has, beside nothing
LEGEND_SIZE = 14
_DAY = timedelta(days=1)
_WEEK = 7
_MINUTE_S, _HOUR_S = 60, 3600
_ROUND_MINUTES = (5, 10, 15, 20, 30, 45)
_ROUND_DIGITS = (1, 1.5, 2, 3, 4, 5, 6, 8)

#: How many weeks at most are drawn with cells of that size and that distance between them, in pixels.
_CELL_SIZES = ((6, 26, 4), (14, 18, 3), (10_000, 11, 2))
_MANY_WEEKS = 14  # of so many and more, those that are not there yet are left out
_MONTH_HEIGHT = 20
_MONTH_WIDTH = 25
#: A day with little has a smaller mark, so that levels are told apart without their colour, too.
_MARKS = (0.0, 0.5, 0.68, 0.84, 1.0)


@dataclass(frozen=True)
class Mark:
    """A square that a day with something has inside its cell."""

    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Cell:
    """A day; its level is from 0, nothing, to LEVELS. None is what is not known of a day yet to come."""

    day: date
    x: int
    y: int
    value: float
    level: int | None
    mark: Mark | None


@dataclass(frozen=True)
class Label:
    """Where a weekday or a month is named; `day` is one of them. The middle of a weekday, the base of a month."""

    x: int
    y: int
    day: date


@dataclass(frozen=True)
class Calendar:
    """Weeks as columns, from Monday down to Sunday, in a box of that size; the names of weekdays are beside it."""

    width: int
    height: int
    size: int
    cells: tuple[Cell, ...]
    weekdays: tuple[Label, ...]
    months: tuple[Label, ...]
    step: float

    @property
    def legend(self) -> tuple[Mark, ...]:
        """The mark of each level, in a cell of LEGEND_SIZE at 0."""
        return tuple(_mark(0, 0, LEGEND_SIZE, level) for level in range(1, LEVELS + 1))


@dataclass(frozen=True)
class Line:
    """A line that begins at 0, in a box of `width` times `height`; `top` is the value of its upper edge."""

    width: int
    height: int
    top: float
    points: tuple[tuple[float, float], ...]

    @property
    def path(self) -> str:
        """The line as SVG draws it."""
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in self.points)

    @property
    def area(self) -> str:
        """What is below the line."""
        return f"{self.path}V{self.height}H0Z"


def cumulate(values: Mapping[date, float], first: date, last: date) -> list[float]:
    """The sum after each day from the first to the last."""
    sums, total, day = [], 0.0, first
    while day <= last:
        total += values.get(day, 0.0)
        sums.append(total)
        day += _DAY
    return sums


def round_up(value: float, *, is_time: bool = False) -> float:
    """The next number that is easy to read: a digit, or 15, and noughts; of seconds, so many minutes or hours."""
    if value <= 0:
        return _MINUTE_S if is_time else 1
    if is_time and value < _HOUR_S:
        minutes = next((one for one in _ROUND_MINUTES if one * _MINUTE_S >= value), None)
        return minutes * _MINUTE_S if minutes else _HOUR_S
    unit = _HOUR_S if is_time else 1
    for power in count(_exponent(value / unit)):
        for digit in _ROUND_DIGITS:
            if (rounded := digit * 10.0**power * unit) >= value:
                return rounded
    raise AssertionError  # powers of ten have no end


def choose_step(values: Sequence[float], *, is_time: bool = False, least: float = 1) -> float:
    """By how much the levels of a calendar differ, so that only the best days are above the last but one."""
    active = sorted(value for value in values if value > 0)
    usual = active[(len(active) - 1) * 4 // 5] if active else 0
    return max(round_up(usual / (LEVELS - 1), is_time=is_time), least)


def find_level(value: float, step: float) -> int:
    """From 1 to LEVELS; what is just a step belongs to the lower one."""
    return 1 + bisect_left([step * number for number in range(1, LEVELS)], value)


def share_of(value: float, largest: float) -> float:
    """A bar's length in percent, where the largest has 100."""
    return round(100 * max(0.0, value) / largest, 2) if largest > 0 else 0.0


def lay_out_calendar(first: date, last: date, values: Mapping[date, float], *, today: date, step: float) -> Calendar:
    """A calendar of the days from the first to the last; few weeks have larger cells.

    A long one ends with the present week, so that what is new is always at its end.
    """
    monday = first - timedelta(days=first.weekday())
    if (last - monday).days // _WEEK >= _MANY_WEEKS:
        last = min(last, max(first, today) + timedelta(days=_WEEK - 1 - max(first, today).weekday()))
    weeks = (last - monday).days // _WEEK + 1
    size, gap = next((size, gap) for most, size, gap in _CELL_SIZES if weeks <= most)
    pitch = size + gap
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    cells = tuple(
        _lay_out_day(
            day,
            ((day - monday).days // _WEEK * pitch, _MONTH_HEIGHT + day.weekday() * pitch),
            size,
            values.get(day),
            _choose_level(day, values, today, step),
        )
        for day in days
    )
    named = range(_WEEK) if size >= 18 else range(0, _WEEK, 2)
    weekdays = (Label(0, _MONTH_HEIGHT + number * pitch + size // 2, monday + number * _DAY) for number in named)
    width = max(weeks * pitch - gap, _MONTH_WIDTH)
    months = tuple(_label_months(first, last, monday, pitch, width))
    return Calendar(width, _MONTH_HEIGHT + _WEEK * pitch - gap, size, cells, tuple(weekdays), months, step)


def lay_out_line(sums: Sequence[float], days: int, *, is_time: bool = False, least: float = 1) -> Line:
    """The sums after the first days of so many; a line that has not come to the end of them ends before."""
    width, height = 600, 200
    top = max(round_up(sums[-1] if sums else 0, is_time=is_time), least)
    points = [(0.0, float(height))]
    for number, value in enumerate(sums, start=1):
        points.append((round(width * number / days, 1), round(height * (1 - value / top), 1)))
    return Line(width, height, top, _leave_out_level(points))


def _choose_level(day: date, values: Mapping[date, float], today: date, step: float) -> int | None:
    if day > today:
        return None
    return find_level(values[day], step) if day in values else 0


def _lay_out_day(day: date, at: tuple[int, int], size: int, value: float | None, level: int | None) -> Cell:
    return Cell(day, *at, value or 0.0, level, _mark(*at, size, level) if level else None)


def _mark(x: int, y: int, size: int, level: int) -> Mark:
    side = round(size * _MARKS[level], 1)
    inset = round((size - side) / 2, 2)
    return Mark(round(x + inset, 2), round(y + inset, 2), side)


def _label_months(first: date, last: date, monday: date, pitch: int, width: int) -> list[Label]:
    """Each month above the first week that begins in it; a first month that is nearly over is not named."""
    starts = [first]
    day = first + _DAY
    while day <= last:
        if day.day == 1:
            starts.append(day)
        day += _DAY
    labels = [Label(-(-(day - monday).days // _WEEK) * pitch, 12, day) for day in starts]
    labels[0] = Label(0, 12, first)
    crowded = {one.day for one, following in pairwise(labels) if following.x - one.x < _MONTH_WIDTH}
    return [label for label in labels if label.day not in crowded and label.x + _MONTH_WIDTH <= width]


def _leave_out_level(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The points without those that lie between two of the same height."""
    kept = [
        point
        for before, point, after in zip(points, points[1:], points[2:], strict=False)
        if not before[1] == point[1] == after[1]
    ]
    return (points[0], *kept, *points[-1:]) if len(points) > 1 else tuple(points)


def _exponent(value: float) -> int:
    exponent = 0
    while 10.0**exponent > value:
        exponent -= 1
    while 10.0 ** (exponent + 1) <= value:
        exponent += 1
    return exponent
