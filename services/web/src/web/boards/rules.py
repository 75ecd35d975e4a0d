"""Windows of boards: pure, without a clock, without IO."""

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

PAGE_ROWS = 100

BoardKind: TypeAlias = Literal["people", "teams"]


@dataclass(frozen=True)
class WindowKey:
    """A page of a board, from 1 on; of its participants or of its teams."""

    challenge: str
    board: str
    kind: BoardKind = "people"
    page: int = 1

    @property
    def offset(self) -> int:
        """How many rows are before it."""
        return (self.page - 1) * PAGE_ROWS

    @property
    def snapshot(self) -> str | None:
        """Under which name it is stored for when leaderboard is away; of other pages than the first nothing is."""
        return f"board/{self.challenge}/{self.board}/{self.kind}" if self.page == 1 else None


def page_of(offset: int) -> int:
    """On which page the row is that has so many before it."""
    return offset // PAGE_ROWS + 1


def clip_range(first: date | None, last: date | None, begin: date, end: date) -> tuple[date, date] | None:
    """The days from `first` to `last` that a challenge from `begin` to `end` has; None when there is none.

    A side that is not given is the challenge's.
    """
    clipped = max(first or begin, begin), min(last or end, end)
    return clipped if clipped[0] <= clipped[1] else None
