"""How teams are named, and how people are dealt out to them: pure, without a clock, without IO."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from itertools import count, islice
from typing import TypeVar
from uuid import UUID

from leaderboard.names import fold_name

PersonT = TypeVar("PersonT")


def find_repeated(names: Iterable[str]) -> str | None:
    """The first name that an earlier one is equal to, if they are compared like that."""
    seen: set[str] = set()
    for name in names:
        if (folded := fold_name(name)) in seen:
            return name
        seen.add(folded)
    return None


def number_teams(label: str, wanted: int, taken: Collection[str]) -> list[str]:
    """So many names with the lowest numbers behind the label whose folded names are not taken."""
    names = (f"{label} {number}" for number in count(1))
    return list(islice((name for name in names if fold_name(name) not in taken), wanted))


def shuffle(people: Iterable[UUID], seed: int) -> list[UUID]:
    """People in an order that the seed decides, however they are given."""
    return sorted(people, key=lambda person: hashlib.sha256(b"%d %s" % (seed, person.bytes)).digest())


def deal(people: Sequence[PersonT], teams: int) -> list[list[PersonT]]:
    """People given from the strongest on, dealt out to so many teams, back and forth.

    Whoever comes last in one round is first in the next, so that strengths are about even.
    """
    dealt: list[list[PersonT]] = [[] for _ in range(teams)]
    for start in range(0, len(people), teams):
        one_round = people[start : start + teams]
        forth = start // teams % 2 == 0
        for team, person in zip(dealt if forth else reversed(dealt), one_round, strict=False):
            team.append(person)
    return dealt
