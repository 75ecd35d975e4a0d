"""Own activities as a page shows them, and when they are fetched: pure, without a clock, without IO."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Generic, Literal, Protocol, TypeVar
from zoneinfo import ZoneInfo

NIGHTLY_AT = time(0, 5)  # where sync is told that the night is
#: So long after it was asked for a fetch is waited for.
FETCH_PATIENCE = timedelta(minutes=5)
#: In what a points rule may count: how many of an activity's figure make one.
_UNITS: Mapping[str, tuple[str, float]] = {
    "km": ("distance_m", 1000),
    "hours": ("moving_time_s", 3600),
    "climb": ("elev_gain_m", 100),
}
_ROUNDING = 0.006


class Activity(Protocol):
    """What is needed of an activity."""

    @property
    def strava_id(self) -> int: ...

    @property
    def local_start(self) -> datetime: ...

    @property
    def overlaps_with(self) -> Sequence[int]: ...


class Verdict(Protocol):
    """What is needed of a verdict."""

    @property
    def board(self) -> str: ...

    @property
    def counts(self) -> bool: ...

    @property
    def reason(self) -> str | None: ...

    @property
    def message(self) -> str | None: ...

    @property
    def duplicate_of(self) -> int | None: ...


class Points(Protocol):
    """What is needed of the points of a day."""

    @property
    def day(self) -> date: ...


ActivityT = TypeVar("ActivityT", bound=Activity)
PointsT = TypeVar("PointsT", bound=Points)


@dataclass(frozen=True)
class ShownDay(Generic[ActivityT, PointsT]):
    """A day: activities that took place at the same time make one group, which is shown on the day of its latest."""

    day: date
    groups: tuple[tuple[ActivityT, ...], ...]
    points: tuple[PointsT, ...]

    def has(self, strava_id: int) -> bool:
        """Whether an activity is shown on this day."""
        return any(one.strava_id == strava_id for group in self.groups for one in group)

    def touches(self, other: "ShownDay[ActivityT, PointsT]", strava_id: int) -> bool:
        """Whether the group of an activity of the other day has one that took place on this day."""
        return any(
            member.local_start.date() == self.day
            for group in other.groups
            if any(one.strava_id == strava_id for one in group)
            for member in group
        )


@dataclass(frozen=True)
class Refusal:
    """Why an activity does not count on these boards."""

    boards: tuple[str, ...]
    reason: str
    message: str
    duplicate_of: int | None


def arrange(activities: Sequence[ActivityT], points: Iterable[PointsT]) -> tuple[ShownDay[ActivityT, PointsT], ...]:
    """The days of activities that are given with the latest first, in the same order."""
    groups: dict[date, list[tuple[ActivityT, ...]]] = {}
    for group in _group(activities):
        groups.setdefault(group[0].local_start.date(), []).append(group)
    points_of: dict[date, list[PointsT]] = {}
    for one in points:
        points_of.setdefault(one.day, []).append(one)
    days = sorted(groups.keys() | points_of.keys(), reverse=True)
    return tuple(ShownDay(day, tuple(groups.get(day, ())), tuple(points_of.get(day, ()))) for day in days)


def _group(activities: Sequence[ActivityT]) -> list[tuple[ActivityT, ...]]:
    """Each activity with those that it overlaps, and those that these overlap."""
    by_id = {one.strava_id: one for one in activities}
    seen: set[int] = set()
    groups = []
    for activity in activities:
        reached, waiting = [], [activity.strava_id]
        while waiting:
            strava_id = waiting.pop()
            if strava_id in by_id and strava_id not in seen:
                seen.add(strava_id)
                reached.append(by_id[strava_id])
                waiting.extend(by_id[strava_id].overlaps_with)
        if reached:
            groups.append(tuple(sorted(reached, key=lambda one: (one.local_start, one.strava_id), reverse=True)))
    return groups


def group_refusals(verdicts: Iterable[Verdict]) -> tuple[Refusal, ...]:
    """What does not count, once for each reason with all of its boards."""
    boards: dict[tuple[str, str, int | None], list[str]] = {}
    for one in verdicts:
        if not one.counts:
            boards.setdefault((one.reason or "", one.message or "", one.duplicate_of), []).append(one.board)
    return tuple(Refusal(tuple(slugs), *why) for why, slugs in boards.items())


def name_unit(units: float, figures: object) -> str:
    """In what a points rule counts, judged by an activity's figures; empty when several or none would give that."""
    fitting = [
        name for name, (figure, size) in _UNITS.items() if abs(getattr(figures, figure) / size - units) < _ROUNDING
    ]
    return fitting[0] if len(fitting) == 1 else ""


def next_night(now: datetime, time_zone: str) -> datetime:
    """When the next nightly round begins."""
    local = now.astimezone(ZoneInfo(time_zone))
    day = local.date() if local.time() < NIGHTLY_AT else local.date() + timedelta(days=1)
    return datetime.combine(day, NIGHTLY_AT, local.tzinfo)


def fetch_state(
    requested_at: datetime | None, last_attempt_at: datetime | None, now: datetime
) -> Literal["idle", "waiting", "late"]:
    """Whether a fetch that was asked for is still to come: waited for, or later than can be waited for."""
    if requested_at is None or (last_attempt_at is not None and last_attempt_at >= requested_at):
        return "idle"
    return "waiting" if now - requested_at < FETCH_PATIENCE else "late"
