"""What the templates of charts are given: days on a board, laid out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Any

from shared.contracts.leaderboard_api import BoardInfo, BoardMetric, ChallengeInfo
from web.charts import rules

#: The fields of figures, by what a board ranks by.
FIELDS: Mapping[BoardMetric, str] = {
    BoardMetric.DISTANCE: "distance_m",
    BoardMetric.MOVING_TIME: "moving_time_s",
    BoardMetric.ELEVATION: "elev_gain_m",
    BoardMetric.ACTIVITIES: "activities",
    BoardMetric.POINTS: "points",
}
#: By how much levels differ at least, where there is little or nothing.
_LEAST_STEPS: Mapping[BoardMetric, float] = {
    BoardMetric.DISTANCE: 1000,
    BoardMetric.MOVING_TIME: 600,
    BoardMetric.ELEVATION: 10,
    BoardMetric.ACTIVITIES: 1,
    BoardMetric.POINTS: 1,
}


@dataclass(frozen=True)
class DayRow:
    """A day with something, in the table behind a chart."""

    day: date
    value: float
    total: float


def keep_board(challenge: ChallengeInfo, slug: str) -> str:
    """What an address says of a board; nothing if the challenge has no such one."""
    return slug if any(board.slug == slug for board in challenge.boards) else ""


def choose_board(challenge: ChallengeInfo, wanted: str, busy: frozenset[str]) -> BoardInfo | None:
    """The board that an address asks for; else the first one on which there is something, or the first of all."""
    boards = challenge.boards
    found = [one for one in boards if one.slug == wanted] or [one for one in boards if one.slug in busy] or boards
    return found[0] if found else None


def line_context(
    challenge: ChallengeInfo, metric: BoardMetric, values: Mapping[date, float], today: date
) -> dict[str, Any]:
    """The sums over a challenge's days until today, as a line and as a table."""
    days = (challenge.last_day - challenge.first_day).days + 1
    until = min(today, challenge.last_day)
    sums = rules.cumulate(values, challenge.first_day, until)
    rows, total = [], 0.0
    for day in sorted(day for day in values if challenge.first_day <= day <= until):
        total += values[day]
        rows.append(DayRow(day, values[day], total))
    is_time = metric == BoardMetric.MOVING_TIME
    chart = rules.lay_out_line(sums, days, is_time=is_time, least=2 * _LEAST_STEPS[metric])
    return {"line_chart": chart, "rows": rows, "total": total}


def calendar_context(
    challenge: ChallengeInfo, metric: BoardMetric, values: Mapping[date, float], today: date
) -> dict[str, Any]:
    """The days of a challenge with what they have, as a grid."""
    is_time = metric == BoardMetric.MOVING_TIME
    step = rules.choose_step(list(values.values()), is_time=is_time, least=_LEAST_STEPS[metric])
    if metric == BoardMetric.ACTIVITIES:
        step = ceil(step)  # there is no half activity
    chart = rules.lay_out_calendar(challenge.first_day, challenge.last_day, values, today=today, step=step)
    return {"calendar_chart": chart}
