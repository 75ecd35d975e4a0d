"""Challenges, boards and activities by chance, in the words of leaderboard's API and of what is expected."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from devstack.stack.expected_activities import Activity
from devstack.stack.expected_standings import Board, Choices, Points
from shared.contracts.events import ActivityRecorded, ActivityRemoved, ActivityRevised
from testkit.events import recorded, removed, revised

PEOPLE = [UUID(int=number) for number in range(1, 7)]
ACTIVITIES = range(1, 37)
SPORTS = ("Run", "TrailRun", "Ride", "Swim")
TEAM_SIZE = 3
FIRST_START = datetime(2026, 4, 30, 6)  # noqa: DTZ001 - a wall clock
LENGTHS_S = (0, 180, 181, 1800, 3600, 3600, 5400, 20_000, 90_000)
THRESHOLDS = {"distance": 30_000, "moving_time": 9_000, "elevation": 40, "activities": 3, "points": 20}
UNITS = ("distance", "moving_time", "elevation", "activities")

ActivityEvent = ActivityRecorded | ActivityRevised | ActivityRemoved


def owner_of(strava_id: int) -> UUID:
    return PEOPLE[strava_id % len(PEOPLE)]


def an_event(chance: Random, version: int, people: Collection[UUID] = PEOPLE) -> ActivityEvent:
    """Of one of these people."""
    strava_id = chance.choice([each for each in ACTIVITIES if owner_of(each) in people])
    owner = owner_of(strava_id)
    if chance.random() < 0.15:
        return removed(strava_id, version, owner)
    local_start = FIRST_START + timedelta(days=chance.randrange(5), minutes=30 * chance.choice([0, 1, 2, 12, 35, 36]))
    if chance.random() < 0.1:
        local_start = local_start.replace(hour=0, second=1)  # hidden, unless half an hour later
    length_s = chance.choice(LENGTHS_S)
    return chance.choice([recorded, revised])(
        strava_id,
        version,
        owner,
        km=chance.choice([0, 4.2, 4.2, 10, 10.01, 21.0975]),
        local_start=local_start,
        start_at=local_start.replace(tzinfo=UTC) - timedelta(hours=chance.choice([2, 2, 2, 2, -11, 10])),
        elapsed_time_s=length_s,
        moving_time_s=min(length_s, chance.choice([600, 3599, 6600])),
        elev_gain_m=chance.choice([0, 10.5, 33.33]),
        sport_type=chance.choice([*SPORTS, "Run", "Unknown"]),
        visibility=chance.choice(["everyone", "everyone", "followers_only", "only_me"]),
        **{name: chance.random() < 0.1 for name in ("flagged", "trainer", "commute", "manual")},
    )


def some_choices(chance: Random) -> dict[str, Any]:
    """The settings of a challenge."""
    first_day, last_day = sorted(chance.choices(["2026-04-30", "2026-05-01", "2026-05-02", "2026-05-04"], k=2))
    flags = {name: chance.random() < 0.5 for name in ("counts_manual", "counts_trainer", "counts_commute")}
    shown = {"name": "May", "visibility": "public", "team_size": TEAM_SIZE}
    return {**shown, "first_day": first_day, "last_day": last_day, **flags}


def some_rules(chance: Random, slug: str, *, is_milestone: bool) -> dict[str, Any]:
    """A board, or a milestone."""
    metric = chance.choice([*UNITS, "points", "points"])
    sports = chance.sample(SPORTS, chance.randint(1, len(SPORTS)))
    team_mode = chance.choice(["sum", "average", "best"])
    rules: dict[str, Any] = {
        "name": slug.title(),
        "metric": metric,
        "sport_types": sports,
        "team_mode": team_mode,
        "team_best": chance.randint(1, TEAM_SIZE) if team_mode == "best" else None,
    }
    if metric == "points":
        rules["points"] = {
            "unit": chance.choice(UNITS),
            "per_unit": {sport: chance.choice(["0", "0.03", "0.33", "1.5", "12"]) for sport in sports},
            "daily_cap": chance.choice([None, "0", "0.05", "10.5", "60"]),
            "active_day_bonus": chance.choice(["0", "0.5", "5"]),
        }
    return rules | ({"threshold": str(THRESHOLDS[metric])} if is_milestone else {})


def to_expected_activity(event: ActivityRecorded | ActivityRevised) -> Activity:
    return Activity(
        event.strava_id,
        event.sport_type,
        event.start_at,
        event.local_start,
        round(Decimal(str(event.distance_m)), 2),
        event.moving_time_s,
        event.elapsed_time_s,
        round(Decimal(str(event.elev_gain_m)), 2),
        event.trainer,
        event.flagged,
        event.visibility == "only_me",
        event.manual,
        event.commute,
    )


def to_expected_choices(settings: dict[str, Any]) -> Choices:
    """Of the settings of a challenge."""
    days = {name: datetime.fromisoformat(settings[name]).date() for name in ("first_day", "last_day")}
    flags = {name: settings[name] for name in ("counts_manual", "counts_trainer", "counts_commute")}
    return Choices(**days, **flags)


def to_expected_board(rules: dict[str, Any]) -> Board:
    """Of the rules of a board or a milestone."""
    points = rules.get("points")
    return Board(rules["sport_types"], rules["metric"], points and _to_expected_points(points))


def _to_expected_points(points: dict[str, Any]) -> Points:
    cap = points["daily_cap"]
    return Points(
        points["unit"],
        {sport: Decimal(each) for sport, each in points["per_unit"].items()},
        None if cap is None else Decimal(cap),
        Decimal(points["active_day_bonus"]),
    )


def share_time(one: Activity, other: Activity) -> bool:
    """Whether both took place at the same time, by any second."""
    return one.start_at < other.end and other.start_at < one.end
