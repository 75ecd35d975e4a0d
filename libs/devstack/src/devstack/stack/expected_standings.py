"""Calculates the expected boards, milestones and team boards, without code of the services.

Written from the documented rules, so that an error in the services is not repeated here; all is computed anew each
time, as plainly as the rules say it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import floor
from typing import Any

from devstack.stack.expected_activities import Activity, overlap

TOLERANCE = timedelta(minutes=3)
#: What the points of an activity are counted by: so many metres, seconds, metres of climb, or activities.
UNITS = {"distance": 1000, "moving_time": 3600, "elevation": 100, "activities": 1}


@dataclass(frozen=True)
class Choices:
    """Which activities count in a challenge by the choice of its organisers."""

    first_day: date = date.min
    last_day: date = date.max
    counts_manual: bool = True
    counts_trainer: bool = False
    counts_commute: bool = True


@dataclass(frozen=True)
class Points:
    """How many points there are for each unit, by sport, and for a day."""

    unit: str
    per_unit: Mapping[str, Decimal]
    daily_cap: Decimal | None = None
    active_day_bonus: Decimal = Decimal(0)


@dataclass(frozen=True)
class Board:
    """A board or a milestone: what is measured, over which sports."""

    sports: Collection[str]
    metric: str = "distance"
    points: Points | None = None


@dataclass(frozen=True)
class Athlete:
    """Somebody who is not hidden, everything that they have recorded, and what was chosen about it by Strava id."""

    name: str
    activities: Sequence[Activity]
    excluded: Collection[int] = ()  # by themselves or by an organiser
    preferred: Collection[int] = ()
    counts_private: bool = False


@dataclass(frozen=True)
class StandingEntry:
    """One row of a board."""

    place: int
    name: str
    distance_m: Decimal
    moving_time_s: int
    elev_gain_m: Decimal
    activities: int
    points: Decimal = Decimal(0)


def parse_entry(row: Mapping[str, Any]) -> StandingEntry:
    """A row of a board as leaderboard's API has it."""
    return StandingEntry(
        row["place"],
        row["display_name"],
        Decimal(str(row["distance_m"])),
        row["moving_time_s"],
        Decimal(str(row["elev_gain_m"])),
        row["activities"],
        Decimal(str(row["points"])),
    )


@dataclass(frozen=True)
class TeamEntry:
    """One row of a team board."""

    place: int
    members: int
    value: Decimal
    activities: int


BOARDS = {"running": Board({"Run", "TrailRun"}), "cycling": Board({"Ride", "GravelRide", "MountainBikeRide"})}
DEFAULT = Choices()


def build_board(
    board: Board, athletes: Mapping[str, Athlete], choices: Choices = DEFAULT
) -> dict[str, StandingEntry]:
    """The rows of a board by the athlete's key."""
    counted = {key: own for key, one in athletes.items() if (own := _list_counted(board, one, choices))}
    values = {key: _measure(board, own) for key, own in counted.items()}
    return {
        key: StandingEntry(
            _place(values[key], values.values()),
            athletes[key].name,
            sum((each.distance_m for each in own), Decimal(0)),
            sum(each.moving_time_s for each in own),
            sum((each.elev_gain_m for each in own), Decimal(0)),
            len(own),
            _sum_points(board.points, own) if board.points else Decimal(0),
        )
        for key, own in counted.items()
    }


def find_moments(
    milestone: Board, threshold: Decimal, athletes: Mapping[str, Athlete], choices: Choices = DEFAULT
) -> dict[str, datetime]:
    """When who reached a milestone: at the end of the first activity up to which there is enough."""
    moments: dict[str, datetime] = {}
    for key, athlete in athletes.items():
        counted = _list_counted(milestone, athlete, choices)
        counted.sort(key=lambda each: (each.local_start.date(), each.end))
        for number, each in reversed(list(enumerate(counted, start=1))):
            if _measure(milestone, counted[:number]) >= threshold:
                moments[key] = each.end
    return moments


def build_team_board(
    board: Board,
    teams: Mapping[str, Collection[str]],
    athletes: Mapping[str, Athlete],
    choices: Choices = DEFAULT,
    *,
    mode: str = "sum",
    best: int | None = None,
) -> dict[str, TeamEntry]:
    """The rows of a team board by the team's key; `teams` has the keys of everybody who is in each at present."""
    counted = {key: _list_counted(board, one, choices) for key, one in athletes.items()}
    members = {team: [counted[key] for key in keys if key in counted] for team, keys in teams.items()}
    active = {team: own for team, own in members.items() if any(own)}
    values = {team: _measure_team([_measure(board, one) for one in own], mode, best) for team, own in active.items()}
    return {
        team: TeamEntry(_place(values[team], values.values()), len(own), values[team], sum(map(len, own)))
        for team, own in active.items()
    }


def _place(value: Decimal, values: Collection[Decimal]) -> int:
    return 1 + sum(other > value for other in values)


def _measure_team(values: Sequence[Decimal], mode: str, best: int | None) -> Decimal:
    if mode == "average":
        return (sum(values, Decimal(0)) / len(values)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return sum(sorted(values, reverse=True)[: best if mode == "best" else None], Decimal(0))


def _measure(board: Board, activities: Sequence[Activity]) -> Decimal:
    if board.points:
        return _sum_points(board.points, activities)
    return sum((_figure(board.metric, each) for each in activities), Decimal(0))


def _figure(metric: str, activity: Activity) -> Decimal:
    return {
        "distance": activity.distance_m,
        "moving_time": Decimal(activity.moving_time_s),
        "elevation": activity.elev_gain_m,
        "activities": Decimal(1),
    }[metric]


def _sum_points(points: Points, activities: Sequence[Activity]) -> Decimal:
    total = Decimal(0)
    for day in {each.local_start.date() for each in activities}:
        counted = sum(_count_hundredths(points, each) for each in activities if each.local_start.date() == day)
        of_day = Decimal(counted) / 100
        total += (of_day if points.daily_cap is None else min(of_day, points.daily_cap)) + points.active_day_bonus
    return total


def _count_hundredths(points: Points, activity: Activity) -> int:
    """The points of an activity in whole hundredths, halves up."""
    units = Fraction(_figure(points.unit, activity)) / UNITS[points.unit]
    return floor(units * Fraction(points.per_unit[activity.sport_type]) * 100 + Fraction(1, 2))


def _list_counted(board: Board, athlete: Athlete, choices: Choices) -> list[Activity]:
    """The athlete's activities that count on the board: of those that overlap too long one, then of the others."""
    left = [each for each in athlete.activities if _counts(board, athlete, choices, each)]
    left.sort(key=lambda each: (each.id in athlete.preferred, each.distance_m, each.moving_time_s, -each.id))
    counted: list[Activity] = []
    while left:
        best = left.pop()
        counted.append(best)
        left = [each for each in left if overlap(best, each) <= TOLERANCE]
    return counted


def _counts(board: Board, athlete: Athlete, choices: Choices, activity: Activity) -> bool:
    """Whether the activity counts on the board, by itself."""
    return (
        choices.first_day <= activity.local_start.date() <= choices.last_day
        and activity.sport_type in board.sports
        and activity.id not in athlete.excluded
        and not activity.flagged
        and (athlete.counts_private or not activity.only_me)
        and (choices.counts_trainer or not activity.trainer)
        and (choices.counts_manual or not activity.manual)
        and (choices.counts_commute or not activity.commute)
    )
