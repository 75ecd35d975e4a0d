"""What the boards must show, calculated anew from Strava's own JSON; shares no code with the services.

Written from the documented rules, so that a mistake in the services does not repeat itself here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

Json = Mapping[str, Any]

WARSAW = ZoneInfo("Europe/Warsaw")
BOARDS = {"running": {"Run", "TrailRun"}, "cycling": {"Ride", "GravelRide", "MountainBikeRide"}}


@dataclass(frozen=True)
class Activity:
    """One activity that can be recorded."""

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
        """When it was over, pauses included."""
        return self.start_at + timedelta(seconds=self.elapsed_time_s)


@dataclass(frozen=True)
class StandingEntry:
    """One row of a board; equal rows have equal figures."""

    place: int
    name: str
    distance_m: Decimal
    moving_time_s: int
    elev_gain_m: Decimal
    activities: int


def parse_activities(raw: Iterable[Json]) -> list[Activity]:
    """The activities that can be recorded: all that say when they started and hold no nonsense."""
    return [activity for activity in map(_parse_activity, raw) if activity is not None]


def find_day_range(athletes: Iterable[Sequence[Activity]]) -> tuple[date, date] | None:
    """The first and the last local day on which anything started."""
    locals_ = [activity.local_start.date() for one in athletes for activity in one]
    return (min(locals_), max(locals_)) if locals_ else None


def build_board(slug: str, athletes: Mapping[str, tuple[str, Sequence[Activity]]]) -> dict[str, StandingEntry]:
    """The rows of a default board by athlete; `athletes` maps a key to the display name and all outings."""
    totals: dict[str, tuple[str, list[Activity]]] = {}
    for key, (name, own) in athletes.items():
        kept = _without_duplicates([o for o in own if o.sport_type in BOARDS[slug] and not o.trainer])
        if kept:
            totals[key] = (name, kept)
    distance_m = {key: sum((o.distance_m for o in kept), Decimal(0)) for key, (_, kept) in totals.items()}
    return {
        key: StandingEntry(
            1 + sum(other > distance_m[key] for other in distance_m.values()),
            name,
            distance_m[key],
            sum(o.moving_time_s for o in kept),
            sum((o.elev_gain_m for o in kept), Decimal(0)),
            len(kept),
        )
        for key, (name, kept) in totals.items()
    }


def _without_duplicates(candidates: list[Activity]) -> list[Activity]:
    """Of recordings that overlap by more than three minutes the longest one, then the next longest, and so on."""
    left = sorted(candidates, key=lambda o: (o.distance_m, o.moving_time_s, -o.id), reverse=True)
    kept: list[Activity] = []
    while left:
        longest = left.pop(0)
        kept.append(longest)
        left = [o for o in left if not _is_same_activity(longest, o)]
    return kept


def _is_same_activity(one: Activity, other: Activity) -> bool:
    for activity in (one, other):
        if (
            activity.local_start.hour,
            activity.local_start.minute,
            activity.local_start.second,
            activity.local_start.microsecond,
        ) == (0, 0, 1, 0):
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
