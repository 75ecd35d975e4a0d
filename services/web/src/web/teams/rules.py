"""What members bring in for their team: pure, without a clock, without IO."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from web.charts.rules import share_of

MemberT = TypeVar("MemberT")


@dataclass(frozen=True)
class Contribution(Generic[MemberT]):
    """What a member has on a board, and how much that is of the largest one, in percent."""

    member: MemberT
    value: float
    share: float


def order_contributions(values: Iterable[tuple[MemberT, float]]) -> list[Contribution[MemberT]]:
    """Whoever brings in the most comes first; members who are even stay in the order in which they are given."""
    ordered = sorted(values, key=lambda each: -each[1])
    return [Contribution(member, value, share_of(value, ordered[0][1])) for member, value in ordered]
