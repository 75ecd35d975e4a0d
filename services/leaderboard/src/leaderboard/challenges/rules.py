"""What a challenge and its boards are: pure, without a clock, without IO."""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

#: After the last day of a challenge, its activities are kept so long, and so are people after they were here.
RETENTION_DAYS = 90
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
    POINTS = "points"


@dataclass(frozen=True)
class PointsRule:
    """Points for each `unit` (kilometre, hour, 100 m of climb or activity), by sport; a cap and a bonus for a day."""

    unit: Metric
    per_unit: Mapping[str, Decimal]
    daily_cap: Decimal | None = None  # without the bonus
    active_day_bonus: Decimal = Decimal(0)


@dataclass(frozen=True)
class Board:
    """Ranks participants by one metric over some sport types; by points with a rule for them."""

    slug: str
    name: str
    metric: Metric
    sport_types: frozenset[str]
    points: PointsRule | None = None
    threshold: Decimal | None = None  # of a milestone, in the metric's unit: it is reached or not, without places


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
DEFAULT_MILESTONES = (
    Board(
        "40-hours",
        "40 hours",
        Metric.MOVING_TIME,
        frozenset().union(*(board.sport_types for board in DEFAULT_BOARDS)),
        threshold=Decimal(40 * 3600),
    ),
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
    return min(challenges, key=lambda each: currency(each, now), default=None)


def currency(challenge: Scheduled, now: datetime) -> tuple[int, int, int]:
    """By which challenges are ordered so that the current one comes first: running ones, ended ones, later ones."""
    today = local_day(challenge, now)
    if is_running(challenge, today):
        return 0, challenge.last_day.toordinal(), challenge.id
    if challenge.last_day < today:
        return 1, -challenge.last_day.toordinal(), -challenge.id
    return 2, challenge.first_day.toordinal(), challenge.id


def local_day(challenge: Scheduled, now: datetime) -> date:
    """The day that it is where the challenge takes place."""
    return now.astimezone(ZoneInfo(challenge.time_zone)).date()


def is_running(challenge: Scheduled, day: date) -> bool:
    """Whether that is one of its days."""
    return challenge.first_day <= day <= challenge.last_day


def month_bounds(day: date) -> tuple[date, date]:
    """The first and the last day of the month that `day` is in."""
    return day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])


def days_since_end(challenge: Scheduled, now: datetime) -> int:
    """Days since the last one of the challenge, where it takes place; negative before that."""
    return (local_day(challenge, now) - challenge.last_day).days


def list_expired(challenges: Sequence[ScheduledT], now: datetime) -> list[ScheduledT]:
    """The challenges whose activities are not kept any more, or will not be from the next midnight on."""
    return [each for each in challenges if days_since_end(each, now) >= RETENTION_DAYS]


def needed_since(challenges: Sequence[Scheduled], now: datetime) -> datetime | None:
    """From when on activities count in a challenge that is open, to come, or just over.

    When all are over, that is the one whose boards are still shown, as long as its activities are kept. None when
    there is none.
    """
    open_ones = [each for each in challenges if days_since_end(each, now) <= LATE_UPLOADS.days]
    shown = choose_current([each for each in challenges if days_since_end(each, now) <= RETENTION_DAYS], now)
    return min(map(_begin, open_ones or ([shown] if shown is not None else [])), default=None)


def kept_from(challenges: Sequence[Scheduled], now: datetime) -> datetime | None:
    """The start before which activities are not kept; None as long as there was no challenge at all.

    Kept are those of challenges that ended at most RETENTION_DAYS ago, and whatever started since then. It moves once
    a day, at midnight in UTC.
    """
    if not challenges:
        return None
    kept = [_begin(each) for each in challenges if days_since_end(each, now) <= RETENTION_DAYS]
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    return min([*kept, today - timedelta(days=RETENTION_DAYS)])


def _begin(challenge: Scheduled) -> datetime:
    """Before which nothing counts in the challenge, wherever it took place."""
    first_day = max(challenge.first_day, _EARLIEST_DAY)
    return datetime.combine(first_day, time(), ZoneInfo(challenge.time_zone)).astimezone(UTC) - _EARLIER_ELSEWHERE
