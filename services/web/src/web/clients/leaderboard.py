"""leaderboard's read API: challenges and boards."""

from datetime import date
from uuid import UUID

from shared.contracts.leaderboard_api import BoardStandings, ChallengeInfo
from shared.contracts.teams_api import TeamBoard
from web.clients.calls import Api, Caller

#: web reads what it keeps for everybody as an organiser does, and shows each visitor what that one may see.
EVERYTHING = Caller(is_organiser=True)


class LeaderboardClient:
    """Reads what is kept in memory for all visitors. Every method raises NotFound, Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def list_challenges(self) -> tuple[ChallengeInfo, ...]:
        """All challenges, also those that are hidden; what comes first goes to the home page."""
        return await self._api.get("/challenges", tuple[ChallengeInfo, ...], EVERYTHING)

    async def standings(
        self,
        challenge: str,
        board: str,
        *,
        limit: int,
        offset: int | None = None,
        around: UUID | None = None,
        search: str | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
    ) -> BoardStandings:
        """Some rows of a board as it is now."""
        return await self._api.get(
            f"/challenges/{challenge}/boards/{board}",
            BoardStandings,
            EVERYTHING,
            limit=limit,
            offset=offset,
            around=around,
            search=search,
            first_day=first_day,
            last_day=last_day,
        )

    async def team_board(self, challenge: str, board: str, *, limit: int, offset: int) -> TeamBoard:
        """Some rows of the teams on a board as it is now."""
        path = f"/challenges/{challenge}/boards/{board}/teams"
        return await self._api.get(path, TeamBoard, EVERYTHING, limit=limit, offset=offset)
