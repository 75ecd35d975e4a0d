"""Which activities count on a board, with a reason for each that does not, and what they add up to."""

from collections.abc import Iterable, Iterator, Sequence
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

    Of recordings that overlap in time the one with the highest value counts.
    """
    judgements: dict[int, Judgement] = {}
    candidates: list[Activity] = []
    for activity in activities:
        reason = _reason_against(challenge, board, activity)
        if reason:
            judgements[activity.strava_id] = NotCounted(reason)
        else:
            candidates.append(activity)
    for together in _split_where_nothing_goes_on(candidates):
        kept: list[Activity] = []
        for activity in sorted(together, key=lambda a: (-_value(board, a), -a.moving_time_s, a.strava_id)):
            duplicate = next((other for other in kept if _overlap(activity, other)), None)
            if duplicate is not None:
                judgements[activity.strava_id] = NotCounted("looks like a duplicate", duplicate.strava_id)
            else:
                kept.append(activity)
                judgements[activity.strava_id] = Counted(_value(board, activity))
    return judgements


def _split_where_nothing_goes_on(activities: Iterable[Activity]) -> Iterator[list[Activity]]:
    """Parts that share no time, so that only what is in one part can overlap."""
    part: list[Activity] = []
    until: datetime | None = None
    for activity in sorted(activities, key=lambda a: a.start_at):
        if until is not None and activity.start_at >= until:
            yield part
            part, until = [], None
        part.append(activity)
        end = _end(activity)
        until = end if until is None else max(until, end)
    if part:
        yield part


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


def _overlap(one: Activity, other: Activity) -> bool:
    if HIDDEN_START in (one.local_start.time(), other.local_start.time()):
        return False
    return min(_end(one), _end(other)) - max(one.start_at, other.start_at) > OVERLAP_TOLERANCE


def _end(activity: Activity) -> datetime:
    return activity.start_at + timedelta(seconds=activity.elapsed_time_s)
