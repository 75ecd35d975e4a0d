"""Mapping Strava's fields to an activity, or to the reason why it cannot be recorded."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UNKNOWN_SPORT = "Unknown"
_CENT = Decimal("0.01")
_MAX_DISTANCE_M = 50_000_000  # more than once around the world
_MAX_TIME_S = 366 * 86_400
_MAX_ELEVATION_M = 1_000_000
_DAY_S = 86_400
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class RawActivity:
    """The needed fields in Strava's words; None where Strava said nothing."""

    id: int
    sport_type: str | None = None
    type: str | None = None
    start_date: str | None = None
    start_date_local: str | None = None
    timezone: str | None = None
    utc_offset: float | None = None
    distance: float | None = None
    moving_time: float | None = None
    elapsed_time: float | None = None
    total_elevation_gain: float | None = None
    trainer: bool | None = None
    commute: bool | None = None
    manual: bool | None = None
    private: bool | None = None
    visibility: str | None = None
    malformed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Activity:
    """An activity in our words. `local_start` is the wall clock where it took place, without a zone."""

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
    visibility: str


@dataclass(frozen=True)
class Rejected:
    """An activity that cannot be recorded, with a reason for people."""

    strava_id: int
    reason: str


def map_activity(raw: RawActivity, default_time_zone: tzinfo) -> Activity | Rejected:
    """Read one activity. What Strava leaves out is taken as nothing, except the start, without which nothing counts.

    `default_time_zone` is that of activities that name neither a local start, an offset nor a zone.
    """
    if raw.malformed:
        return Rejected(raw.id, f"of another type than Strava documents: {', '.join(raw.malformed)}")
    try:
        start_at, local_start = _start(raw, default_time_zone)
        activity = Activity(
            strava_id=raw.id,
            sport_type=raw.sport_type or raw.type or UNKNOWN_SPORT,
            start_at=start_at,
            local_start=local_start,
            distance_m=_amount("distance", raw.distance, _MAX_DISTANCE_M),
            moving_time_s=_seconds("moving_time", raw.moving_time, raw.elapsed_time),
            elapsed_time_s=_seconds("elapsed_time", raw.elapsed_time, raw.moving_time),
            elev_gain_m=_amount("total_elevation_gain", raw.total_elevation_gain, _MAX_ELEVATION_M),
            trainer=bool(raw.trainer),
            commute=bool(raw.commute),
            manual=bool(raw.manual),
            visibility=raw.visibility or ("only_me" if raw.private else "everyone"),
        )
    except ValueError as error:
        return Rejected(raw.id, str(error))
    except OverflowError:
        return Rejected(raw.id, "the start is beyond the calendar")
    if activity.start_at > _LAST_MOMENT - timedelta(seconds=activity.elapsed_time_s):
        return Rejected(raw.id, "the end is beyond the calendar")
    return activity


def _start(raw: RawActivity, default_time_zone: tzinfo) -> tuple[datetime, datetime]:
    """The moment and the wall clock of the start; either is derived from the other where Strava gives only one."""
    if raw.utc_offset is not None and not -_DAY_S < raw.utc_offset < _DAY_S:
        raise ValueError("utc_offset is out of range")
    written = _time("start_date", raw.start_date)
    moment = (written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)) if written else None
    wall = _time("start_date_local", raw.start_date_local)
    # Strava writes the local time with a false Z: what the clock showed is right, the zone is not.
    local = wall.replace(tzinfo=None) if wall else None
    zone = _zone(raw.timezone) or default_time_zone
    if moment and local:
        return moment, local
    if moment:
        return moment, _to_local(moment, raw.utc_offset, zone)
    if local:
        return _to_moment(local, raw.utc_offset, zone), local
    raise ValueError("neither start_date nor start_date_local")


def _to_local(moment: datetime, utc_offset_s: float | None, zone: tzinfo) -> datetime:
    if utc_offset_s is None:
        return moment.astimezone(zone).replace(tzinfo=None)
    return (moment + timedelta(seconds=utc_offset_s)).replace(tzinfo=None)


def _to_moment(local: datetime, utc_offset_s: float | None, zone: tzinfo) -> datetime:
    if utc_offset_s is None:
        return local.replace(tzinfo=zone).astimezone(UTC)
    return (local - timedelta(seconds=utc_offset_s)).replace(tzinfo=UTC)


def _time(name: str, text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise ValueError(f"{name} is not a time") from None


def _zone(text: str | None) -> tzinfo | None:
    """The zone of "(GMT+01:00) Europe/Warsaw"; its offset is the standard one, in summer too, so it is unused."""
    try:
        return ZoneInfo(text.rpartition(") ")[2]) if text else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _amount(name: str, value: float | None, at_most: int) -> Decimal:
    # Through the shortest text of the float, so that 0.1 is 0.1.
    amount = Decimal(repr(value or 0)).quantize(_CENT) if _within(value, at_most) else None
    if amount is None:
        raise ValueError(f"{name} is out of range")
    return abs(amount)


def _seconds(name: str, value: float | None, instead: float | None) -> int:
    chosen = instead if value is None else value
    if not _within(chosen, _MAX_TIME_S):
        raise ValueError(f"{name} is out of range")
    return round(chosen or 0)


def _within(value: float | None, at_most: int) -> bool:
    return value is None or 0 <= value <= at_most
