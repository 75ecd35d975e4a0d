"""What a challenge and its boards are: pure, without a clock, without IO."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

#: After its last day activities still reach a challenge: watches are read late, and mistakes corrected.
LATE_UPLOADS = timedelta(days=7)
#: A day begins up to so much earlier elsewhere; an activity counts by the day where it took place.
_EARLIER_ELSEWHERE = timedelta(days=1)
_EARLIEST_DAY = date(1971, 1, 1)  # before which Strava's bounds would be negative


class Metric(StrEnum):
    """What a board ranks by."""

    DISTANCE = "distance"  # metres
    MOVING_TIME = "moving_time"  # seconds
    ELEVATION = "elevation"  # metres
    ACTIVITIES = "activities"


@dataclass(frozen=True)
class Board:
    """Ranks participants by one metric over some sport types."""

    slug: str
    name: str
    metric: Metric
    sport_types: frozenset[str]


@dataclass(frozen=True)
class Challenge:
    """From the first to the last local day, both included; what of it counts is said here and on its boards."""

    first_day: date
    last_day: date
    counts_manual: bool = True
    counts_trainer: bool = False
    counts_commute: bool = True


DEFAULT_BOARDS = (
    Board("running", "Running", Metric.DISTANCE, frozenset({"Run", "TrailRun"})),
    Board("cycling", "Cycling", Metric.DISTANCE, frozenset({"Ride", "GravelRide", "MountainBikeRide"})),
)


class Scheduled(Protocol):
    """The days of a challenge, where it takes place."""

    @property
    def id(self) -> int: ...
    @property
    def first_day(self) -> date: ...
    @property
    def last_day(self) -> date: ...
    @property
    def time_zone(self) -> str: ...


ScheduledT = TypeVar("ScheduledT", bound=Scheduled)


def choose_current(challenges: Sequence[ScheduledT], now: datetime) -> ScheduledT | None:
    """The challenge running today, where it takes place; else the one that ended last; else the next to begin."""
    today = {each.id: now.astimezone(ZoneInfo(each.time_zone)).date() for each in challenges}
    running = [each for each in challenges if each.first_day <= today[each.id] <= each.last_day]
    ended = [each for each in challenges if each.last_day < today[each.id]]
    if running:
        return min(running, key=lambda each: (each.last_day, each.id))
    if ended:
        return max(ended, key=lambda each: (each.last_day, each.id))
    return min(challenges, key=lambda each: (each.first_day, each.id), default=None)


def month_bounds(day: date) -> tuple[date, date]:
    """The first and the last day of the month that `day` is in."""
    return day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])


def needed_since(challenges: Sequence[Scheduled], now: datetime) -> datetime | None:
    """From when on activities count in a challenge that is open, to come, or just over.

    When all are over, that is the one whose boards are still shown; None when there is none at all.
    """
    open_ones = [
        each for each in challenges if now.astimezone(ZoneInfo(each.time_zone)).date() - each.last_day <= LATE_UPLOADS
    ]
    shown = choose_current(challenges, now)
    starts = [
        datetime.combine(max(each.first_day, _EARLIEST_DAY), time(), ZoneInfo(each.time_zone)).astimezone(UTC)
        for each in open_ones or ([shown] if shown is not None else [])
    ]
    return min(starts) - _EARLIER_ELSEWHERE if starts else None
