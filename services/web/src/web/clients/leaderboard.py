"""leaderboard's internal API: challenges and boards."""

import httpx

from shared.contracts.leaderboard_api import BoardStandings, ChallengeInfo
from web.clients.calls import Model, send


class LeaderboardClient:
    """Reads challenges and boards; `api_key` is web's own."""

    def __init__(self, http: httpx.AsyncClient, api_key: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {api_key}"}

    async def current_challenge(self) -> ChallengeInfo:
        """The challenge to show on the home page. Raises NotFound, Unavailable."""
        return await self._get("/challenges/current", ChallengeInfo)

    async def challenge(self, slug: str) -> ChallengeInfo:
        """One challenge. Raises NotFound, Unavailable."""
        return await self._get(f"/challenges/{slug}", ChallengeInfo)

    async def standings(self, challenge: str, board: str) -> BoardStandings:
        """One board as it is now. Raises NotFound, Unavailable."""
        return await self._get(f"/challenges/{challenge}/boards/{board}", BoardStandings)

    async def _get(self, path: str, model: type[Model]) -> Model:
        return await send(self._http, self._http.build_request("GET", path, headers=self._headers), model)
