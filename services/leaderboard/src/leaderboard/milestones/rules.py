"""When a milestone was reached: pure, without a clock, without IO."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from leaderboard.activities.rules import Activity
from leaderboard.challenges.rules import Board
from leaderboard.standings.rules.scoring import Counted, Judgement, Totals, sum_days


def find_day(board: Board, threshold: Decimal, days: Mapping[date, Totals]) -> tuple[date, Totals] | None:
    """The day on which the sum of the days reaches the threshold, and what there was before; None if none does."""
    before = Totals()
    for day, totals in sorted(days.items()):
        if (before + totals).value(board.metric) >= threshold:
            return day, before
        before += totals
    return None


def find_moment(
    board: Board,
    threshold: Decimal,
    before: Totals,
    activities: Collection[Activity],
    judgements: dict[int, Judgement],
) -> datetime | None:
    """The end of the activity of a day with which, after `before`, the threshold is reached; None if none is."""
    counted = [one for one in activities if isinstance(judgements[one.strava_id], Counted)]
    counted.sort(key=lambda one: (end_of(one), one.strava_id))
    for number, activity in enumerate(counted, start=1):
        if (before + _sum(board, counted[:number], judgements)).value(board.metric) >= threshold:
            return end_of(activity)
    return None


def end_of(activity: Activity) -> datetime:
    """When it ended, pauses included."""
    return activity.start_at + timedelta(seconds=activity.elapsed_time_s)


def end_of_day(day: date) -> datetime:
    """The last second of a day, in UTC."""
    return datetime.combine(day, time(23, 59, 59), UTC)


def _sum(board: Board, activities: Sequence[Activity], judgements: dict[int, Judgement]) -> Totals:
    return sum(sum_days(board, activities, judgements).values(), Totals())
