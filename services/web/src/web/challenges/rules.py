"""The phase of a challenge, and who sees it: pure, without a clock, without IO."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class ChallengePhase:
    """Before, during or after; `days` until the start, or from today to the last day, both counted."""

    name: Literal["before", "during", "after"]
    days: int


def local_day(time_zone: str, now: datetime) -> date:
    """Which day it is in that time zone."""
    return now.astimezone(ZoneInfo(time_zone)).date()


def challenge_phase(first_day: date, last_day: date, time_zone: str, now: datetime) -> ChallengePhase:
    """The phase of a challenge that takes place in that time zone."""
    today = local_day(time_zone, now)
    if today < first_day:
        return ChallengePhase("before", (first_day - today).days)
    if today > last_day:
        return ChallengePhase("after", 0)
    return ChallengePhase("during", (last_day - today).days + 1)


def may_see(visibility: str, *, is_signed_in: bool, is_organiser: bool) -> bool:
    """Whether a challenge with that visibility is shown to such a visitor."""
    return is_organiser or visibility == "public" or (visibility == "members" and is_signed_in)


def count_pages(rows: int, rows_of_a_page: int) -> int:
    """How many pages so many rows make; none make one."""
    return max(1, -(-rows // rows_of_a_page))
