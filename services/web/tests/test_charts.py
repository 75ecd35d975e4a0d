"""Where the marks of charts are."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.charts.rules import (
    LEVELS,
    choose_step,
    cumulate,
    find_level,
    lay_out_calendar,
    lay_out_line,
    round_up,
    share_of,
)

FIRST = date(2026, 11, 4)  # a Wednesday
VALUES = st.floats(0, 1e7, allow_nan=False)


def days(count: int, first: date = FIRST) -> list[date]:
    return [first + timedelta(days=number) for number in range(count)]


def test_weeks_are_columns_that_begin_on_monday() -> None:
    chart = lay_out_calendar(FIRST, FIRST + timedelta(days=6), {}, today=FIRST, step=1)
    columns: dict[int, list[str]] = {}
    for cell in chart.cells:
        columns.setdefault(cell.x, []).append(f"{cell.day:%a}")
    assert list(columns.values()) == [["Wed", "Thu", "Fri", "Sat", "Sun"], ["Mon", "Tue"]]
    assert [cell.y for cell in chart.cells[:5]] == sorted(cell.y for cell in chart.cells[:5])
    assert [f"{label.day:%a}" for label in chart.weekdays] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def test_a_day_to_come_has_no_level_and_one_with_nothing_has_the_lowest() -> None:
    values = {FIRST: 0.0, FIRST + timedelta(days=1): 9.0, FIRST + timedelta(days=5): 9.0}
    chart = lay_out_calendar(FIRST, FIRST + timedelta(days=5), values, today=FIRST + timedelta(days=2), step=3)
    assert [cell.level for cell in chart.cells] == [1, 3, 0, None, None, None]
    assert [cell.mark is not None for cell in chart.cells] == [True, True, False, False, False, False]


def test_a_long_challenge_is_drawn_until_this_week_and_a_short_one_until_its_end() -> None:
    today = FIRST + timedelta(days=100)
    year = lay_out_calendar(FIRST, FIRST + timedelta(days=365), {}, today=today, step=1)
    assert year.cells[-1].day == today + timedelta(days=6 - today.weekday())
    over = lay_out_calendar(FIRST, FIRST + timedelta(days=365), {}, today=date(2030, 1, 1), step=1)
    assert over.cells[-1].day == FIRST + timedelta(days=365)
    month = lay_out_calendar(FIRST, FIRST + timedelta(days=29), {}, today=FIRST, step=1)
    assert month.cells[-1].day == FIRST + timedelta(days=29)


@pytest.mark.parametrize(("length", "most"), [(7, 300), (31, 300), (98, 330), (366, 728)])
def test_a_calendar_is_no_wider_than_its_page(length: int, most: int) -> None:
    for first in days(7):
        chart = lay_out_calendar(first, days(length, first)[-1], {}, today=date(2030, 1, 1), step=1)
        assert chart.width <= most


def test_months_are_named_where_they_begin() -> None:
    chart = lay_out_calendar(date(2026, 1, 30), date(2026, 12, 31), {}, today=date(2027, 1, 1), step=1)
    assert [label.day.month for label in chart.months] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    by_day = {cell.day: cell.x for cell in chart.cells}
    for label in chart.months:
        assert label.x in {by_day[label.day], by_day[min(label.day + timedelta(days=6), chart.cells[-1].day)]}


@given(
    st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    st.integers(1, 400),
    st.integers(-30, 430),
    st.dictionaries(st.integers(0, 400), VALUES),
)
def test_all_of_a_calendar_is_inside_of_its_box(
    first: date, length: int, today: int, values: dict[int, float]
) -> None:
    amounts = {first + timedelta(days=number): value for number, value in values.items()}
    chart = lay_out_calendar(
        first,
        first + timedelta(days=length - 1),
        amounts,
        today=first + timedelta(days=today),
        step=choose_step(list(amounts.values())),
    )
    assert len({(cell.x, cell.y) for cell in chart.cells}) == len(chart.cells)
    for cell in chart.cells:
        assert 0 <= cell.x <= chart.width - chart.size
        assert 0 <= cell.y <= chart.height - chart.size
        if cell.mark:
            assert cell.x <= cell.mark.x <= cell.mark.x + cell.mark.size <= cell.x + chart.size + 0.011
            assert cell.y <= cell.mark.y <= cell.mark.y + cell.mark.size <= cell.y + chart.size + 0.011
    assert all(0 <= label.x < chart.width and 0 < label.y < chart.height for label in chart.months)
    assert all(0 <= label.y <= chart.height for label in chart.weekdays)
    xs = [label.x for label in chart.months]
    assert all(after - before >= 25 for before, after in pairwise(xs))


@given(st.lists(VALUES, min_size=2, max_size=2), st.floats(0.1, 1e6))
def test_more_is_never_a_lower_level(values: list[float], step: float) -> None:
    low, high = sorted(values)
    assert 1 <= find_level(low, step) <= find_level(high, step) <= LEVELS


@given(st.lists(VALUES))
def test_most_days_are_below_the_highest_level(values: list[float]) -> None:
    step = choose_step(values)
    active = [value for value in values if value > 0]
    assert step >= 1
    assert sum(find_level(value, step) == LEVELS for value in active) <= len(active) / 5 + 1


@given(st.floats(0, 1e12, allow_nan=False), st.booleans())
def test_a_scale_ends_at_a_round_number_that_is_not_much_higher(value: float, is_time: bool) -> None:
    rounded = round_up(value, is_time=is_time)
    assert rounded >= value
    assert rounded > 0
    if value >= 300:
        assert rounded <= value * 2
    if is_time:
        assert rounded % 60 == 0


@pytest.mark.parametrize(
    ("value", "rounded"), [(0, 1), (0.4, 0.4), (1, 1), (1.2, 1.5), (7, 8), (9, 10), (1067, 1500), (41_000, 50_000)]
)
def test_numbers_are_rounded_up_to_what_is_easy_to_read(value: float, rounded: float) -> None:
    assert round_up(value) == pytest.approx(rounded)


@pytest.mark.parametrize(
    ("minutes", "rounded"), [(0, 1), (4, 5), (21, 30), (46, 60), (61, 90), (150, 180), (60 * 17, 60 * 20)]
)
def test_times_are_rounded_up_to_minutes_and_hours(minutes: int, rounded: int) -> None:
    assert round_up(minutes * 60, is_time=True) == rounded * 60


@given(st.dictionaries(st.integers(0, 60), VALUES), st.integers(1, 60), st.integers(0, 60))
def test_a_line_grows_inside_of_its_box(values: dict[int, float], length: int, until: int) -> None:
    amounts = {FIRST + timedelta(days=number): value for number, value in values.items()}
    sums = cumulate(amounts, FIRST, FIRST + timedelta(days=min(until, length) - 1))
    assert len(sums) == min(until, length)
    line = lay_out_line(sums, length)
    assert all(0 <= x <= line.width and 0 <= y <= line.height for x, y in line.points)
    assert list(line.points) == sorted(line.points, key=lambda point: (point[0], -point[1]))
    assert line.points[0] == (0, line.height)
    if sums:
        assert line.points[-1][0] == pytest.approx(line.width * len(sums) / length, abs=0.1)
        assert line.points[-1][1] == pytest.approx(line.height * (1 - sums[-1] / line.top), abs=0.1)


def test_a_line_leaves_out_points_between_equal_ones() -> None:
    line = lay_out_line([0, 0, 0, 5, 5, 5, 10], 7)
    assert len(line.points) == 5
    assert line.path == "M0 200L257.1 200L342.9 100L514.3 100L600 0"
    assert line.area == f"{line.path}V200H0Z"


def test_before_the_first_day_a_line_is_a_point() -> None:
    assert lay_out_line([], 7).points == ((0, 200),)


@given(VALUES, VALUES)
def test_a_bar_is_at_most_as_long_as_the_longest(value: float, other: float) -> None:
    largest = max(value, other)
    assert 0 <= share_of(value, largest) <= 100
    assert share_of(largest, largest) == (100 if largest > 0 else 0)
