"""Which rows of a board are asked for, and whether that makes sense."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

MAX_ROWS = 500  # unless it is all
AROUND_ROWS = 11
SEARCH_ROWS = 50


@dataclass(frozen=True)
class DayRange:
    """Some days of a challenge, both included."""

    first_day: date
    last_day: date


@dataclass(frozen=True)
class Wanted:
    """What a caller asks of a board; without a limit that is all of it."""

    limit: int | None = None
    offset: int | None = None
    around: UUID | None = None
    search: str | None = None
    first_day: date | None = None
    last_day: date | None = None

    def find_range(self, challenge: DayRange) -> DayRange | None:
        """The days asked for; an end that is not named is that of the challenge. None: the whole challenge."""
        if self.first_day is None and self.last_day is None:
            return None
        return DayRange(self.first_day or challenge.first_day, self.last_day or challenge.last_day)


@dataclass(frozen=True)
class Fault:
    """Which field cannot be answered, and why, as a sentence."""

    field: str
    sentence: str


def find_fault(wanted: Wanted, challenge: DayRange) -> Fault | None:
    """What cannot be answered of a board of a challenge with these days; None when all can."""
    return _find_fault_of_window(wanted) or _find_fault_of_range(wanted.find_range(challenge), challenge)


def _find_fault_of_window(wanted: Wanted) -> Fault | None:
    if wanted.search is not None and wanted.around is not None:
        return Fault("around", "Rows are either searched or around somebody.")
    if wanted.search is not None and wanted.offset is not None:
        return Fault("offset", "What is searched has no pages.")
    if wanted.around is not None and wanted.offset is not None:
        return Fault("offset", "Rows around somebody begin where they are.")
    if wanted.offset is not None and wanted.limit is None:
        return Fault("offset", "An offset needs a limit.")
    return None


def _find_fault_of_range(days: DayRange | None, challenge: DayRange) -> Fault | None:
    if days is None:
        return None
    bounds = f"{challenge.first_day} to {challenge.last_day}"
    for field, day in vars(days).items():
        if not challenge.first_day <= day <= challenge.last_day:
            return Fault(field, f"The challenge is from {bounds}.")
    if days.first_day > days.last_day:
        return Fault("last_day", "The last day is before the first one.")
    return None


def is_longer_than_rest(days: DayRange, challenge: DayRange) -> bool:
    """Whether the days of the challenge that are not in the range are fewer than those that are."""
    inside = (days.last_day - days.first_day).days + 1
    return 2 * inside > (challenge.last_day - challenge.first_day).days + 1


def to_like_pattern(search: str) -> str:
    """A pattern for case-folded names that contain it, in which no character is a wildcard."""
    folded = search.casefold()
    for special in ("\\", "%", "_"):
        folded = folded.replace(special, f"\\{special}")
    return f"%{folded}%"
