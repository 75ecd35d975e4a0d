"""Days in a row: pure, without a clock, without IO."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Streaks:
    """Days in a row with something that counts: up to now, and at most."""

    current: int
    longest: int


def find_streaks(active_days: Collection[date], today: date) -> Streaks:
    """The streaks of these days; the current one goes on until a day has passed without anything."""
    longest = run = current = 0
    before: date | None = None
    for day in sorted(set(active_days)):
        run = run + 1 if before is not None and day - before == _DAY else 1
        longest = max(longest, run)
        if day in {today, today - _DAY}:
            current = run
        before = day
    return Streaks(current, longest)
