"""Mapping Strava's fields to an activity, or to the reason why it cannot be recorded."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingest.recording.rules.suspicions import find_suspicions

UNKNOWN_SPORT = "Unknown"
PRIVATE = "only_me"
#: Strava writes this time of the day when the athlete hides the start.
HIDDEN_START = time(0, 0, 1)
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
    flagged: bool | None = None
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
    flagged: bool
    visibility: str
    suspicions: tuple[str, ...]

    @property
    def start_is_hidden(self) -> bool:
        """Whether the start is not when it took place, but the first second of that day."""
        return self.local_start.time() == HIDDEN_START


@dataclass(frozen=True)
class Rejected:
    """An activity that cannot be recorded, with a reason for people; `start_at` as far as it is known."""

    reason: str
    start_at: datetime | None = None


def map_activity(raw: RawActivity, default_time_zone: tzinfo, fetched_at: datetime) -> Activity | Rejected:
    """Read one activity. What Strava leaves out is taken as nothing, except the start, without which nothing counts.

    `default_time_zone` is that of activities that name neither a local start, an offset nor a zone; `fetched_at` is
    when Strava gave it.
    """
    try:
        start_at, local_start = _start(raw, default_time_zone)
    except ValueError as error:
        return Rejected(_malformed(raw) or str(error))
    except OverflowError:
        return Rejected(_malformed(raw) or "the start is beyond the calendar")
    if raw.malformed:
        return Rejected(_malformed(raw), start_at)
    try:
        return _map(raw, start_at, local_start, fetched_at)
    except ValueError as error:
        return Rejected(str(error), start_at)


def _malformed(raw: RawActivity) -> str:
    return f"of another type than Strava documents: {', '.join(raw.malformed)}" if raw.malformed else ""


def _map(raw: RawActivity, start_at: datetime, local_start: datetime, fetched_at: datetime) -> Activity:
    sport_type = raw.sport_type or raw.type or UNKNOWN_SPORT
    distance_m = _amount("distance", raw.distance, _MAX_DISTANCE_M)
    moving_time_s = _seconds("moving_time", raw.moving_time, raw.elapsed_time)
    elapsed_time_s = _seconds("elapsed_time", raw.elapsed_time, raw.moving_time)
    elev_gain_m = _amount("total_elevation_gain", raw.total_elevation_gain, _MAX_ELEVATION_M)
    if start_at > _LAST_MOMENT - timedelta(seconds=elapsed_time_s):
        raise ValueError("the end is beyond the calendar")
    return Activity(
        strava_id=raw.id,
        sport_type=sport_type,
        start_at=start_at,
        local_start=local_start,
        distance_m=distance_m,
        moving_time_s=moving_time_s,
        elapsed_time_s=elapsed_time_s,
        elev_gain_m=elev_gain_m,
        trainer=bool(raw.trainer),
        commute=bool(raw.commute),
        manual=bool(raw.manual),
        flagged=bool(raw.flagged),
        visibility=raw.visibility or (PRIVATE if raw.private else "everyone"),
        suspicions=find_suspicions(
            sport_type=sport_type,
            start_at=start_at,
            distance_m=float(distance_m),
            moving_time_s=moving_time_s,
            elapsed_time_s=elapsed_time_s,
            elev_gain_m=float(elev_gain_m),
            fetched_at=fetched_at,
        ),
    )


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
