"""leaderboard's API of teams: reading them, and what a participant does with them."""

from uuid import UUID

from shared.contracts.teams_api import OwnTeam, TeamDay, TeamDetails, TeamDraft, TeamPage
from shared.errors import NotFound
from web.clients.calls import Api, Caller


class TeamsClient:
    """Teams of challenges. Every method raises NotFound, Unavailable; those that change something also Conflict."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, challenge: str, caller: Caller, *, limit: int, offset: int) -> TeamPage:
        """Some of a challenge's teams, by name."""
        return await self._api.get(f"/challenges/{challenge}/teams", TeamPage, caller, limit=limit, offset=offset)

    async def get(self, challenge: str, team_id: int, caller: Caller) -> TeamDetails:
        """A team and its members."""
        return await self._api.get(f"/challenges/{challenge}/teams/{team_id}", TeamDetails, caller)

    async def list_days(self, challenge: str, team_id: int, board: str, caller: Caller) -> tuple[TeamDay, ...]:
        """What a team has on a board day by day."""
        path = f"/challenges/{challenge}/teams/{team_id}/boards/{board}/days"
        return await self._api.get(path, tuple[TeamDay, ...], caller)

    async def find_own(self, challenge: str, user_id: UUID) -> OwnTeam | None:
        """The team that somebody is in; None for who is in none, and for who does not take part."""
        try:
            return await self._api.get(f"{_own(challenge, user_id)}/team", OwnTeam)
        except NotFound:
            return None

    async def create(self, challenge: str, user_id: UUID, draft: TeamDraft) -> OwnTeam:
        """Create a team and join it."""
        return await self._api.send("POST", f"{_own(challenge, user_id)}/teams", OwnTeam, body=draft)

    async def join(self, challenge: str, user_id: UUID, team_id: int) -> OwnTeam:
        """Join a team."""
        return await self._api.send("POST", f"{_own(challenge, user_id)}/teams/{team_id}/join", OwnTeam)

    async def leave(self, challenge: str, user_id: UUID) -> None:
        """Leave the team."""
        await self._api.do("POST", f"{_own(challenge, user_id)}/teams/leave")

    async def rename(self, challenge: str, user_id: UUID, team_id: int, draft: TeamDraft) -> OwnTeam:
        """Rename a team as its creator. Raises also Forbidden."""
        return await self._api.send("PATCH", f"{_own(challenge, user_id)}/teams/{team_id}", OwnTeam, body=draft)

    async def delete(self, challenge: str, user_id: UUID, team_id: int) -> None:
        """Delete a team as its creator. Raises also Forbidden."""
        await self._api.do("DELETE", f"{_own(challenge, user_id)}/teams/{team_id}")


def _own(challenge: str, user_id: UUID) -> str:
    return f"/participants/{user_id}/challenges/{challenge}"
