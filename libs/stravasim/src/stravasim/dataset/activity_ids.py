"""Ids of generated and uploaded activities: unique, beyond 32 bits, and increasing with the time of upload."""

from collections.abc import Container
from datetime import UTC, date, datetime, time

FIRST_DAY = date(2020, 1, 1)
# Strava's ids were near 2.97e9 at the start of 2020 and near 16.2e9 in October 2025: about 70 new ones a second.
_FIRST_ID = 2_970_000_000
_IDS_PER_MINUTE = 4_200
_FIRST_MINUTE = int(datetime.combine(FIRST_DAY, time.min, UTC).timestamp()) // 60


def next_activity_id(uploaded: datetime, index: int, athletes: int, used: Container[int]) -> int:
    """The first id for an upload at that time that is not in `used`.

    The athlete at position `index` of `athletes` owns one remainder, so ids of different athletes never collide and
    no athlete's history depends on another's.
    """
    step = _ids_per_minute(athletes)
    minute = max(0, int(uploaded.timestamp()) // 60 - _FIRST_MINUTE)
    activity_id = _FIRST_ID + minute * step + index
    while activity_id in used:
        activity_id += step
    return activity_id


def owner_index(activity_id: int, athletes: int) -> int | None:
    """The position of the athlete to whom `next_activity_id` could give that id, if any."""
    index = (activity_id - _FIRST_ID) % _ids_per_minute(athletes)
    return index if activity_id >= _FIRST_ID and index < athletes else None


def _ids_per_minute(athletes: int) -> int:
    return max(_IDS_PER_MINUTE, athletes)
