"""Calculates the expected boards from Strava's JSON, without code of the services.

Written from the documented rules, so that an error in the services is not repeated here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

Json = Mapping[str, Any]

WARSAW = ZoneInfo("Europe/Warsaw")
BOARDS = {"running": {"Run", "TrailRun"}, "cycling": {"Ride", "GravelRide", "MountainBikeRide"}}


@dataclass(frozen=True)
class Activity:
    """One valid activity; distances in metres, times in seconds."""

    id: int
    sport_type: str
    start_at: datetime
    local_start: datetime
    distance_m: Decimal
    moving_time_s: int
    elapsed_time_s: int
    elev_gain_m: Decimal
    trainer: bool

    @property
    def end(self) -> datetime:
        """The end of the activity, pauses included."""
        return self.start_at + timedelta(seconds=self.elapsed_time_s)


@dataclass(frozen=True)
class StandingEntry:
    """One row of a board."""

    place: int
    name: str
    distance_m: Decimal
    moving_time_s: int
    elev_gain_m: Decimal
    activities: int


def parse_activities(raw: Iterable[Json]) -> list[Activity]:
    """The valid activities: those with a start and without values of a wrong type or sign."""
    return [activity for activity in map(_parse_activity, raw) if activity is not None]


def find_day_range(athletes: Iterable[Sequence[Activity]]) -> tuple[date, date] | None:
    """The first and the last local day on which an activity started; None without activities."""
    days = [activity.local_start.date() for one in athletes for activity in one]
    return (min(days), max(days)) if days else None


def build_board(slug: str, athletes: Mapping[str, tuple[str, Sequence[Activity]]]) -> dict[str, StandingEntry]:
    """The rows of a default board by key; `athletes` maps each key to (display name, all activities)."""
    totals: dict[str, tuple[str, list[Activity]]] = {}
    for key, (name, own) in athletes.items():
        kept = _without_duplicates([each for each in own if each.sport_type in BOARDS[slug] and not each.trainer])
        if kept:
            totals[key] = (name, kept)
    distance_m = {key: sum((each.distance_m for each in kept), Decimal(0)) for key, (_, kept) in totals.items()}
    return {
        key: StandingEntry(
            1 + sum(other > distance_m[key] for other in distance_m.values()),
            name,
            distance_m[key],
            sum(each.moving_time_s for each in kept),
            sum((each.elev_gain_m for each in kept), Decimal(0)),
            len(kept),
        )
        for key, (name, kept) in totals.items()
    }


def _without_duplicates(candidates: list[Activity]) -> list[Activity]:
    """Of activities that overlap by more than three minutes keep the longest, then repeat with the others."""
    left = sorted(candidates, key=lambda each: (each.distance_m, each.moving_time_s, -each.id), reverse=True)
    kept: list[Activity] = []
    while left:
        longest = left.pop(0)
        kept.append(longest)
        left = [each for each in left if not _is_same_activity(longest, each)]
    return kept


def _is_same_activity(one: Activity, other: Activity) -> bool:
    """Whether both overlap; a local start of 00:00:01 stands for a hidden one, which is never compared."""
    if time(0, 0, 1) in (one.local_start.time(), other.local_start.time()):
        return False
    return min(one.end, other.end) - max(one.start_at, other.start_at) > timedelta(minutes=3)


def _parse_activity(raw: Json) -> Activity | None:
    start = _parse_start(raw)
    figures = [raw.get(key) for key in ("distance", "moving_time", "elapsed_time", "total_elevation_gain")]
    texts = [raw.get(key) for key in ("sport_type", "type", "visibility", "timezone")]
    flags = [raw.get(key) for key in ("trainer", "commute", "manual", "private")]
    is_invalid = (
        start is None
        or any(f is not None and (isinstance(f, bool) or not isinstance(f, int | float) or f < 0) for f in figures)
        or any(t is not None and not isinstance(t, str) for t in texts)
        or any(f is not None and not isinstance(f, bool) for f in flags)
    )
    if is_invalid or start is None:
        return None
    distance, moving, elapsed, elev_gain_m = figures
    moving, elapsed = (elapsed if moving is None else moving), (moving if elapsed is None else elapsed)
    return Activity(
        id=raw["id"],
        sport_type=raw.get("sport_type") or raw.get("type") or "",
        start_at=start[0],
        local_start=start[1],
        distance_m=_round_hundredths(distance),
        moving_time_s=round(moving or 0),
        elapsed_time_s=round(elapsed or 0),
        elev_gain_m=_round_hundredths(elev_gain_m),
        trainer=raw.get("trainer") is True,
    )


def _round_hundredths(value: float | None) -> Decimal:
    return Decimal(str(value or 0)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def _parse_start(raw: Json) -> tuple[datetime, datetime] | None:
    utc, local_start = raw.get("start_date"), raw.get("start_date_local")
    try:
        moment = _parse_time(utc).replace(tzinfo=UTC) if utc else None
        wall = _parse_time(local_start) if local_start else None
        if moment is None and wall is None:
            return None
        offset = raw.get("utc_offset")
        zone: timezone | ZoneInfo = (
            _parse_zone(raw.get("timezone")) if offset is None else timezone(timedelta(seconds=offset))
        )
    except (ValueError, TypeError):
        return None
    if wall is None:
        assert moment is not None
        wall = moment.astimezone(zone).replace(tzinfo=None)
    return moment or wall.replace(tzinfo=zone).astimezone(UTC), wall


def _parse_time(text: str) -> datetime:
    return datetime.strptime(text.removesuffix("Z"), "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007


def _parse_zone(text: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(text.split(") ", 1)[1]) if text else WARSAW
    except (IndexError, KeyError, ValueError):
        return WARSAW
