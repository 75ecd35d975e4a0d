"""The rules of the challenge: pure, without a clock, without IO."""

from leaderboard.domain.challenge import (
    DEFAULT_BOARDS,
    Board,
    Challenge,
    Metric,
    month_bounds,
)
from leaderboard.domain.ranking import Standing, rank
from leaderboard.domain.scoring import (
    Activity,
    Counted,
    Judgement,
    NotCounted,
    Totals,
    judge,
    sum_counted,
)

__all__ = [
    "DEFAULT_BOARDS",
    "Activity",
    "Board",
    "Challenge",
    "Counted",
    "Judgement",
    "Metric",
    "NotCounted",
    "Standing",
    "Totals",
    "judge",
    "month_bounds",
    "rank",
    "sum_counted",
]
