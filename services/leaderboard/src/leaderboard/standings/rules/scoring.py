"""Which activities count on a board, with a reason for each that does not, and what they add up to on each day."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import TypeAlias

from leaderboard.activities.rules import Activity
from leaderboard.challenges.rules import Board, Challenge, Metric, PointsRule

#: What one unit of a points rule is, in the metric's own unit: a kilometre, an hour, 100 m of climb, an activity.
UNITS = {
    Metric.DISTANCE: Decimal(1000),
    Metric.MOVING_TIME: Decimal(3600),
    Metric.ELEVATION: Decimal(100),
    Metric.ACTIVITIES: Decimal(1),
}
_HUNDREDTH = Decimal("0.01")


class Reason(StrEnum):
    """Why an activity does not count; of several the first one is given, in this order."""

    OUTSIDE_THE_DATES = "outside_the_dates"
    OTHER_SPORT = "other_sport"
    EXCLUDED_BY_ORGANISER = "excluded_by_organiser"
    EXCLUDED_BY_PARTICIPANT = "excluded_by_participant"
    FLAGGED = "flagged"
    PRIVATE = "private"
    INDOOR = "indoor"
    MANUAL = "manual"
    COMMUTE = "commute"
    DUPLICATE = "duplicate"


_REASONS = tuple(Reason)


@dataclass(frozen=True)
class Counted:
    """It counts, with this value in the board's metric.

    On a board of points that is `units` times `points_per_unit`, before the daily cap and bonus.
    """

    value: Decimal
    units: Decimal | None = None
    points_per_unit: Decimal | None = None


@dataclass(frozen=True)
class NotCounted:
    """It does not count; `duplicate_of` is what counts in its place."""

    reason: Reason
    duplicate_of: int | None = None


Judgement: TypeAlias = Counted | NotCounted


@dataclass(frozen=True)
class Totals:
    """What an athlete's counted activities add up to on one board, on a day or on all of them."""

    distance_m: Decimal = Decimal(0)
    moving_time_s: int = 0
    elev_gain_m: Decimal = Decimal(0)
    activities: int = 0
    points: Decimal = Decimal(0)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.distance_m + other.distance_m,
            self.moving_time_s + other.moving_time_s,
            self.elev_gain_m + other.elev_gain_m,
            self.activities + other.activities,
            self.points + other.points,
        )

    def __sub__(self, other: "Totals") -> "Totals":
        return Totals(
            self.distance_m - other.distance_m,
            self.moving_time_s - other.moving_time_s,
            self.elev_gain_m - other.elev_gain_m,
            self.activities - other.activities,
            self.points - other.points,
        )

    def value(self, metric: Metric) -> Decimal:
        """The figure that a board with this metric ranks by."""
        match metric:
            case Metric.DISTANCE:
                return self.distance_m
            case Metric.MOVING_TIME:
                return Decimal(self.moving_time_s)
            case Metric.ELEVATION:
                return self.elev_gain_m
            case Metric.ACTIVITIES:
                return Decimal(self.activities)
            case Metric.POINTS:
                return self.points


def judge(challenge: Challenge, board: Board, activities: Iterable[Activity]) -> dict[int, Judgement]:
    """Judge one athlete's activities for a board, by Strava id; the order of `activities` does not matter.

    Of recordings that overlap in time one that its owner prefers counts, then the longest by distance, then the one
    that moved longest, then the first one. What is dropped drops no other. Takes n log n steps for n activities,
    however many overlap.
    """
    judgements: dict[int, Judgement] = {}
    candidates: list[Activity] = []
    for activity in activities:
        reason = _reason_against(challenge, board, activity)
        if reason:
            judgements[activity.strava_id] = NotCounted(reason)
        else:
            candidates.append(activity)
    kept = _Outings()
    for activity in sorted(candidates, key=lambda a: (not a.preferred, -a.distance_m, -a.moving_time_s, a.strava_id)):
        duplicate_of = kept.add(activity)
        judgements[activity.strava_id] = (
            _count(board, activity) if duplicate_of is None else NotCounted(Reason.DUPLICATE, duplicate_of)
        )
    return judgements


class _Outings:
    """Activities no two of which overlap, by start.

    Two overlap by more than the tolerance exactly when their spans share time. The spans of what is kept share none,
    so that only the neighbours of a new one have to be looked at.
    """

    def __init__(self) -> None:
        self._starts: list[datetime] = []
        self._outings: list[tuple[datetime, int]] = []  # end of the span, and Strava id

    def add(self, activity: Activity) -> int | None:
        """Keep the activity, unless it overlaps one that is kept: then returns that one's id, the earliest such."""
        if activity.span is None:
            return None
        start, end = activity.span
        place = bisect_left(self._starts, start)
        if place and self._outings[place - 1][0] > start:
            return self._outings[place - 1][1]
        if place < len(self._starts) and self._starts[place] < end:
            return self._outings[place][1]
        self._starts.insert(place, start)
        self._outings.insert(place, (end, activity.strava_id))
        return None


def sum_days(board: Board, activities: Iterable[Activity], judgements: dict[int, Judgement]) -> dict[date, Totals]:
    """Add up what counts on each day; points with the daily cap and the bonus for an active day."""
    counted: dict[date, list[tuple[Activity, Counted]]] = defaultdict(list)
    for activity in activities:
        judgement = judgements[activity.strava_id]
        if isinstance(judgement, Counted):
            counted[activity.day].append((activity, judgement))
    return {day: _sum(board, own) for day, own in counted.items()}


def _sum(board: Board, counted: Sequence[tuple[Activity, Counted]]) -> Totals:
    points = Decimal(0)
    if board.points is not None:
        points = sum_points(board.points, [judgement.value for _, judgement in counted])
    return Totals(
        sum((a.distance_m for a, _ in counted), Decimal(0)),
        sum(a.moving_time_s for a, _ in counted),
        sum((a.elev_gain_m for a, _ in counted), Decimal(0)),
        len(counted),
        points,
    )


def sum_points(rule: PointsRule, values: Sequence[Decimal]) -> Decimal:
    """The points of a day on which these values count: the cap holds for their sum, without the bonus."""
    points = sum(values, Decimal(0))
    if rule.daily_cap is not None:
        points = min(points, rule.daily_cap)
    return points + (rule.active_day_bonus if values else 0)


def _count(board: Board, activity: Activity) -> Counted:
    figures = Totals(activity.distance_m, activity.moving_time_s, activity.elev_gain_m, 1)
    if board.points is None:
        return Counted(figures.value(board.metric))
    figure, unit = figures.value(board.points.unit), UNITS[board.points.unit]
    per_unit = board.points.per_unit[activity.sport_type]
    value = figure * per_unit / unit  # multiplied first, so that what is half a hundredth is exactly that
    return Counted(value.quantize(_HUNDREDTH, ROUND_HALF_UP), figure / unit, per_unit)


def _reason_against(challenge: Challenge, board: Board, activity: Activity) -> Reason | None:
    """The first reason against an activity, looked at by itself."""
    holds = (
        not challenge.first_day <= activity.day <= challenge.last_day,
        activity.sport_type not in board.sport_types,
        activity.excluded_by_organiser,
        activity.excluded_by_participant,
        activity.flagged,
        activity.private and not activity.private_allowed,
        activity.trainer and not challenge.counts_trainer,
        activity.manual and not challenge.counts_manual,
        activity.commute and not challenge.counts_commute,
    )
    return _REASONS[holds.index(True)] if True in holds else None
