"""Where in a challenge's days a moment lies."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Phase:
    """Before, during or after; `days` until the start, or from today to the last day, both counted."""

    name: Literal["before", "during", "after"]
    days: int


def phase_of(first_day: date, last_day: date, time_zone: str, now: datetime) -> Phase:
    today = now.astimezone(ZoneInfo(time_zone)).date()
    if today < first_day:
        return Phase("before", (first_day - today).days)
    if today > last_day:
        return Phase("after", 0)
    return Phase("during", (last_day - today).days + 1)
