"""Rankings of teams: each is made of everybody's standings, and kept in memory until something about it changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.queries import BoardVersion, ShownChallenge
from leaderboard.teams import queries
from leaderboard.teams.queries import TeamRule

MAX_RANKINGS = 100  # boards


@dataclass(frozen=True)
class RankingState:
    """What a ranking is of: two that are of the same state are the same.

    Each change of a board is noted in its own transaction, and `unannounced` counts these notes. They are taken by
    the transaction that counts up the revision. So whoever sees a change sees another state, in each process.
    """

    rule: TeamRule
    revision: int
    unannounced: int


@dataclass(frozen=True)
class Ranking:
    """The teams on a version of a board, from the highest place on."""

    state: RankingState
    rows: Sequence[Row[Any]]


class TeamRankings:
    """Rankings that were asked for, at most one of each version of a board."""

    def __init__(self) -> None:
        self._kept: dict[int, Ranking] = {}

    async def get(self, session: AsyncSession, shown: ShownChallenge, version: BoardVersion) -> Ranking:
        """The ranking as the session sees it; `shown` is of the same snapshot."""
        rule, unannounced = await queries.find_rule(session, version.board_id)
        state = RankingState(rule, shown.row.revision, unannounced)
        kept = self._kept.pop(version.id, None)
        if kept is None or kept.state != state:
            kept = Ranking(state, await queries.rank_teams(session, shown.row.id, version.id, rule))
        self._kept[version.id] = kept
        if len(self._kept) > MAX_RANKINGS:
            del self._kept[next(iter(self._kept))]  # the one that was asked for last is at the end
        return kept
