"""Which activities count on a board, with a reason for each that does not, and what they add up to."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import TypeAlias

from leaderboard.challenges.rules import Board, Challenge, Metric

#: Two recordings of one outing overlap by more than this; two outings in a row may overlap by less.
OVERLAP_TOLERANCE = timedelta(minutes=3)

#: Strava writes this local time when the athlete hides the start; nothing can be said about overlaps then.
HIDDEN_START = time(0, 0, 1)


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What the rules need to know of an activity."""

    strava_id: int
    sport_type: str
    start_at: datetime
    local_start: datetime
    distance_m: Decimal
    moving_time_s: int
    elapsed_time_s: int
    elev_gain_m: Decimal
    trainer: bool
    commute: bool
    manual: bool
    flagged: bool


@dataclass(frozen=True)
class Counted:
    """It counts, with this value in the board's metric."""

    value: Decimal


@dataclass(frozen=True)
class NotCounted:
    """It does not count, for a reason that participants understand."""

    reason: str
    duplicate_of: int | None = None


Judgement: TypeAlias = Counted | NotCounted


@dataclass(frozen=True)
class Totals:
    """What an athlete's counted activities on one board add up to."""

    distance_m: Decimal = Decimal(0)
    moving_time_s: int = 0
    elev_gain_m: Decimal = Decimal(0)
    activities: int = 0

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


def judge(challenge: Challenge, board: Board, activities: Sequence[Activity]) -> dict[int, Judgement]:
    """Judge one athlete's activities for a board, by Strava id; the order of `activities` does not matter.

    Of recordings that overlap in time the longest by distance counts, then the one that moved longest, then the first
    one. What is dropped drops no other. Takes n log n steps for n activities, however many overlap.
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
    for activity in sorted(candidates, key=lambda a: (-a.distance_m, -a.moving_time_s, a.strava_id)):
        duplicate_of = kept.add(activity)
        judgements[activity.strava_id] = (
            Counted(_value(board, activity))
            if duplicate_of is None
            else NotCounted("looks like a duplicate", duplicate_of)
        )
    return judgements


class _Outings:
    """Activities no two of which overlap, by start.

    Two overlap by more than the tolerance exactly when they share time after each end is made earlier by it. What is
    kept shares none, so that only the neighbours of a new one have to be looked at.
    """

    def __init__(self) -> None:
        self._starts: list[datetime] = []
        self._outings: list[tuple[datetime, int]] = []  # end and Strava id

    def add(self, activity: Activity) -> int | None:
        """Keep the activity, unless it overlaps one that is kept: then returns that one's id, the earliest such."""
        start, end = activity.start_at, _end(activity) - OVERLAP_TOLERANCE
        if end <= start or activity.local_start.time() == HIDDEN_START:
            return None  # it overlaps nothing, whatever comes
        place = bisect_left(self._starts, start)
        if place and self._outings[place - 1][0] > start:
            return self._outings[place - 1][1]
        if place < len(self._starts) and self._starts[place] < end:
            return self._outings[place][1]
        self._starts.insert(place, start)
        self._outings.insert(place, (end, activity.strava_id))
        return None


def sum_counted(activities: Iterable[Activity], judgements: dict[int, Judgement]) -> Totals:
    """Add up what counts."""
    counted = [a for a in activities if isinstance(judgements[a.strava_id], Counted)]
    return Totals(
        sum((a.distance_m for a in counted), Decimal(0)),
        sum(a.moving_time_s for a in counted),
        sum((a.elev_gain_m for a in counted), Decimal(0)),
        len(counted),
    )


def _value(board: Board, activity: Activity) -> Decimal:
    return Totals(activity.distance_m, activity.moving_time_s, activity.elev_gain_m, 1).value(board.metric)


def _reason_against(challenge: Challenge, board: Board, activity: Activity) -> str | None:
    reasons = {
        "outside the dates": not challenge.first_day <= activity.local_start.date() <= challenge.last_day,
        "sport not on this board": activity.sport_type not in board.sport_types,
        "flagged by Strava": activity.flagged,
        "indoor": activity.trainer and not challenge.counts_trainer,
        "entered by hand": activity.manual and not challenge.counts_manual,
        "commute": activity.commute and not challenge.counts_commute,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _end(activity: Activity) -> datetime:
    return activity.start_at + timedelta(seconds=activity.elapsed_time_s)
