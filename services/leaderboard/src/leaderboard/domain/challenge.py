"""What a challenge and its boards are."""

import calendar
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Metric(StrEnum):
    """What a board ranks by."""

    DISTANCE = "distance"  # metres
    MOVING_TIME = "moving_time"  # seconds
    ELEVATION = "elevation"  # metres
    ACTIVITY_HANDLERS = "activities"


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


def month_bounds(day: date) -> tuple[date, date]:
    """The first and the last day of the month that `day` is in."""
    return day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])
