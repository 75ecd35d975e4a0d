"""Where on a board somebody is who is signed in: in memory for as long as the board stays as it is."""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from shared.contracts.leaderboard_api import BoardStandings, StandingEntry
from shared.errors import NotFound, Unavailable
from web.boards.rendering import Window
from web.boards.rules import WindowKey, page_of
from web.clients.leaderboard import LeaderboardClient

MAX_ROWS = 5_000


@dataclass(frozen=True)
class OwnRow:
    """Somebody's row, and how many rows are before it."""

    row: StandingEntry
    offset: int

    @property
    def page(self) -> int:
        """The page of the board that has it."""
        return page_of(self.offset)


class OwnRows:
    """Rows of people on boards; asked for once a revision, and not at all where the page at hand has the row."""

    def __init__(self, leaderboard: LeaderboardClient) -> None:
        self._leaderboard = leaderboard
        self._rows: OrderedDict[tuple[str, str, UUID], tuple[int, OwnRow | None]] = OrderedDict()

    async def find(self, key: WindowKey, window: Window, user_id: UUID) -> OwnRow | None:
        """Their row on this board; None if they are not on it, or leaderboard is away."""
        if isinstance(window, BoardStandings):
            at = next((index for index, row in enumerate(window.rows) if row.user_id == user_id), None)
            if at is not None:
                return OwnRow(window.rows[at], key.offset + at)
        place = (key.challenge, key.board, user_id)
        revision, found = self._rows.get(place, (-1, None))
        if revision != window.revision:
            try:
                found = await self._ask(key, user_id)
            except Unavailable:
                return found
            self._rows[place] = (window.revision, found)
            if len(self._rows) > MAX_ROWS:
                self._rows.popitem(last=False)
        return found

    async def _ask(self, key: WindowKey, user_id: UUID) -> OwnRow | None:
        try:
            around = await self._leaderboard.standings(key.challenge, key.board, limit=1, around=user_id)
        except NotFound:
            return None
        return OwnRow(around.rows[0], around.offset) if around.rows else None
