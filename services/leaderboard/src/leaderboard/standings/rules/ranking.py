"""Places: ties share one, and the next one is skipped."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar
from uuid import UUID

from leaderboard.standings.rules.scoring import Totals

Competitor = TypeVar("Competitor")


@dataclass(frozen=True)
class Standing(Generic[Competitor]):
    """A competitor and their place, from 1."""

    place: int
    competitor: Competitor


@dataclass(frozen=True)
class Placed:
    """A row of a board; `movement` is how many places were won since the day began, None when that is not known."""

    place: int
    user_id: UUID
    display_name: str
    totals: Totals
    movement: int | None = None
    team_id: int | None = None
    team_name: str | None = None


def rank(competitors: Iterable[tuple[Decimal, str, Competitor]]) -> list[Standing[Competitor]]:
    """Rank competitors given as (value, name, competitor), the highest value first, ties in the order of names."""
    standings: list[Standing[Competitor]] = []
    last_value: Decimal | None = None
    place = 0
    ordered = sorted(competitors, key=lambda one: (-one[0], one[1].casefold(), one[1]))
    for position, (value, _, competitor) in enumerate(ordered, start=1):
        if value != last_value:
            place, last_value = position, value
        standings.append(Standing(place, competitor))
    return standings
