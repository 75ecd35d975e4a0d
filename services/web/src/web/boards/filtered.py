"""Boards as somebody asks for them: by a part of a name, for some days. Nothing of these is kept for long."""

from dataclasses import dataclass
from datetime import date

from async_lru import alru_cache

from shared.contracts.leaderboard_api import BoardStandings
from web.boards.rules import PAGE_ROWS
from web.clients.leaderboard import LeaderboardClient

MAX_ANSWERS = 100
MAX_AGE_S = 2.0  # so that a link that is passed around costs one question


@dataclass(frozen=True)
class BoardFilter:
    """What is asked for; days that are None are the challenge's."""

    challenge: str
    board: str
    search: str
    first_day: date | None
    last_day: date | None
    page: int = 1

    @property
    def has_days(self) -> bool:
        """Whether it is about some days only."""
        return self.first_day is not None or self.last_day is not None


class FilteredBoards:
    """Asks leaderboard, once for all who ask for the same at about one time."""

    def __init__(self, leaderboard: LeaderboardClient) -> None:
        self._leaderboard = leaderboard
        self._read = alru_cache(maxsize=MAX_ANSWERS, ttl=MAX_AGE_S)(self._ask)

    async def read(self, wanted: BoardFilter) -> BoardStandings:
        """The rows asked for. Raises NotFound, Invalid, Unavailable."""
        return await self._read(wanted)

    async def _ask(self, wanted: BoardFilter) -> BoardStandings:
        return await self._leaderboard.standings(
            wanted.challenge,
            wanted.board,
            limit=PAGE_ROWS,
            offset=None if wanted.search else (wanted.page - 1) * PAGE_ROWS,
            search=wanted.search or None,
            first_day=wanted.first_day,
            last_day=wanted.last_day,
        )
