"""What is expected of activities in Strava's JSON, without code of the services.

Written from the documented rules, so that an error in the services is not repeated here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

Json = Mapping[str, Any]

TEXTS = ("sport_type", "type", "visibility", "timezone", "start_date", "start_date_local")
FLAGS = ("trainer", "commute", "manual", "private", "flagged")
MAX_TEXT = 200
DAY_S = 86_400
#: Numeric field -> its smallest and its largest valid value.
RANGES = {
    "distance": (0, 50_000_000),
    "moving_time": (0, 366 * DAY_S),
    "elapsed_time": (0, 366 * DAY_S),
    "total_elevation_gain": (0, 1_000_000),
    "utc_offset": (-DAY_S, DAY_S),
}

WARSAW = ZoneInfo("Europe/Warsaw")


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
    flagged: bool
    only_me: bool
    manual: bool = False
    commute: bool = False

    @property
    def end(self) -> datetime:
        """The end of the activity, pauses included."""
        return self.start_at + timedelta(seconds=self.elapsed_time_s)


def parse_activities(raw: Iterable[Json]) -> list[Activity]:
    """The valid activities: those with a start and without values of a wrong type or out of range."""
    return [activity for activity in map(_parse_activity, raw) if activity is not None]


def find_day_range(athletes: Iterable[Sequence[Activity]], grace_days: int) -> tuple[date, date] | None:
    """The first local day on which an activity started, and `grace_days` after the last; None without activities."""
    days = [activity.local_start.date() for one in athletes for activity in one]
    grace = timedelta(days=grace_days)
    return (min(days), min(max(days), date.max - grace) + grace) if days else None


def overlap(one: Activity, other: Activity) -> timedelta:
    """How much time both share; a local start of 00:00:01 stands for a hidden one, which is never compared."""
    if time(0, 0, 1) in (one.local_start.time(), other.local_start.time()):
        return timedelta(0)
    return min(one.end, other.end) - max(one.start_at, other.start_at)


def _parse_activity(raw: Json) -> Activity | None:
    if not _has_valid_fields(raw):
        return None
    try:
        start_at, local_start = _parse_start(raw)
    except (ValueError, OverflowError):
        return None
    moving, elapsed = raw.get("moving_time"), raw.get("elapsed_time")
    moving, elapsed = (elapsed if moving is None else moving), (moving if elapsed is None else elapsed)
    activity = Activity(
        id=raw["id"],
        sport_type=raw.get("sport_type") or raw.get("type") or "",
        start_at=start_at,
        local_start=local_start,
        distance_m=_round_hundredths(raw.get("distance")),
        moving_time_s=round(moving or 0),
        elapsed_time_s=round(elapsed or 0),
        elev_gain_m=_round_hundredths(raw.get("total_elevation_gain")),
        trainer=raw.get("trainer") is True,
        flagged=raw.get("flagged") is True,
        only_me=(raw.get("visibility") or ("only_me" if raw.get("private") else "")) == "only_me",
        manual=raw.get("manual") is True,
        commute=raw.get("commute") is True,
    )
    ends_in_calendar = start_at <= datetime.max.replace(tzinfo=UTC) - timedelta(seconds=activity.elapsed_time_s)
    return activity if ends_in_calendar else None


def _has_valid_fields(raw: Json) -> bool:
    """Whether every field that is present has Strava's type and a value in its range."""
    return (
        all(_is_text(raw[name]) for name in TEXTS if raw.get(name) is not None)
        and all(isinstance(raw[name], bool) for name in FLAGS if raw.get(name) is not None)
        and all(_is_between(raw[name], *limits) for name, limits in RANGES.items() if raw.get(name) is not None)
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= MAX_TEXT


def _is_between(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _round_hundredths(value: float | None) -> Decimal:
    return Decimal(str(value or 0)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def _parse_start(raw: Json) -> tuple[datetime, datetime]:
    """The moment and the local time of the start; ValueError or OverflowError when they cannot be determined."""
    moment, wall = _parse_time(raw.get("start_date")), _parse_time(raw.get("start_date_local"))
    if moment is not None:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if wall is not None:
        wall = wall.replace(tzinfo=None)
    offset = raw.get("utc_offset")
    zone = _parse_zone(raw.get("timezone")) if offset is None else timezone(timedelta(seconds=offset))
    if moment is not None:
        return moment, wall or moment.astimezone(zone).replace(tzinfo=None)
    if wall is not None:
        return wall.replace(tzinfo=zone).astimezone(UTC), wall
    raise ValueError("without a start")


def _parse_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _parse_zone(text: str | None) -> ZoneInfo:
    """The zone of "(GMT+01:00) Europe/Warsaw" or of a bare name; the default one if there is none of that name."""
    try:
        return ZoneInfo(text.split(") ")[-1]) if text else WARSAW
    except (KeyError, ValueError, OSError):  # OSError for a folder of zones
        return WARSAW
