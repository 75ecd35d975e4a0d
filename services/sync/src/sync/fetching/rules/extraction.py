"""Which fields of Strava's answer are passed on: pure, without a clock, without IO."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_MAX_ID = 2**63 - 1
_MAX_NUMBER = 1e15  # beyond it neither a float nor our columns are exact, and JSON's NaN is not below it
_MAX_TEXT = 200
_NUMBER = (int, float)
_DAY_S = 86_400
_MAX_OFFSET_S = 14 * 3600  # of any time zone
#: What Strava shows instead of a hidden start: the first second of the day, which is not midnight.
_HIDDEN_START = "T00:00:01"

#: Strava's field -> the JSON types that its documentation allows.
STRAVA_FIELDS: dict[str, tuple[type, ...]] = {
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
    "flagged": (bool,),
    "visibility": (str,),
}


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
    present = {name: summary[name] for name in STRAVA_FIELDS if summary.get(name) is not None}
    fields = {name: value for name, value in present.items() if _is_a(value, STRAVA_FIELDS[name])}
    return ExtractedActivity(strava_id, fields, tuple(name for name in present if name not in fields))


def start_bounds(activity: ExtractedActivity) -> tuple[int, int] | None:
    """Between which epoch seconds Strava may have placed the activity in a listing; None when it does not say.

    A start that is hidden may be listed at any time of its day.
    """
    moment, local = _epoch(activity.fields.get("start_date")), _epoch(activity.fields.get("start_date_local"))
    if moment is not None:
        texts = (activity.fields.get("start_date"), activity.fields.get("start_date_local"))
        is_hidden = any(_HIDDEN_START in str(text) for text in texts)
        return moment, moment + (_DAY_S if is_hidden else 0)
    if local is None:
        return None
    offset_s = activity.fields.get("utc_offset")
    if offset_s is not None and abs(offset_s) <= _DAY_S:
        return local - int(offset_s), local - int(offset_s)
    return local - _MAX_OFFSET_S, local + _MAX_OFFSET_S


def _epoch(text: str | None) -> int | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if moment is None:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


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
