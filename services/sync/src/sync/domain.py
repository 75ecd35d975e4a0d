"""Rules of fetching: what of Strava's answer is passed on, and when a job may go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

_MAX_ID = 2**63 - 1
_MAX_NUMBER = 1e15  # beyond it neither a float nor our columns are exact, and JSON's NaN is not below it
_MAX_TEXT = 200
_NUMBER = (int, float)

#: Strava's field -> the JSON types that its documentation allows.
_FIELDS: dict[str, tuple[type, ...]] = {
    "sport_type": (str,),
    "type": (str,),
    "start_date": (str,),
    "start_date_local": (str,),
    "timezone": (str,),
    "utc_offset": _NUMBER,
    "distance": _NUMBER,
    "moving_time": _NUMBER,
    "elapsed_time": _NUMBER,
    "total_elevation_gain": _NUMBER,
    "trainer": (bool,),
    "commute": (bool,),
    "manual": (bool,),
    "private": (bool,),
    "visibility": (str,),
}

_BACKOFF_S = (10, 60, 300, 900, 3600)
MAX_ATTEMPTS = 8


@dataclass(frozen=True)
class ExtractedActivity:
    """The needed fields of one activity in Strava's words, and the names of those that were not of Strava's type."""

    strava_id: int
    fields: dict[str, Any]
    malformed: tuple[str, ...]


def extract_activity(summary: object) -> ExtractedActivity | None:
    """What we need of a SummaryActivity; None when it has no usable id, so that nothing can be said about it."""
    if not isinstance(summary, Mapping):
        return None
    strava_id = summary.get("id")
    if not isinstance(strava_id, int) or isinstance(strava_id, bool) or not 0 < strava_id <= _MAX_ID:
        return None
    present = {name: summary[name] for name in _FIELDS if summary.get(name) is not None}
    fields = {name: value for name, value in present.items() if _is_a(value, _FIELDS[name])}
    return ExtractedActivity(strava_id, fields, tuple(name for name in present if name not in fields))


def _is_a(value: Any, types: tuple[type, ...]) -> bool:
    match value:
        case bool():  # in Python a bool is an int; in JSON it is not
            return bool in types
        case str():
            # A lone surrogate or a NUL in one activity would stop the fetch of all of them.
            return str in types and value.isprintable() and len(value) <= _MAX_TEXT
        case int() | float():
            return float in types and -_MAX_NUMBER < value < _MAX_NUMBER
        case _:
            return False


def next_quarter_reset(now: datetime) -> datetime:
    """When Strava's quarter-hour limit starts anew: at :00, :15, :30 or :45, with a second to spare."""
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    return quarter + timedelta(minutes=15, seconds=1)


def next_daily_reset(now: datetime) -> datetime:
    """When Strava's daily limit starts anew: at midnight UTC, with a second to spare. `now` is in UTC."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1, seconds=1)


def retry_at(now: datetime, attempts: int, jitter: float) -> datetime | None:
    """When a job that failed `attempts` times goes on, with `jitter` from 0 to 1; None when it is given up."""
    if attempts >= MAX_ATTEMPTS:
        return None
    wait_s = _BACKOFF_S[min(attempts - 1, len(_BACKOFF_S) - 1)]
    return now + timedelta(seconds=wait_s * (1 + jitter / 2))
