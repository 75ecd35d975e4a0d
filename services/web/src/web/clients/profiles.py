"""leaderboard's API of participants, as everybody sees them."""

from uuid import UUID

from shared.contracts.leaderboard_api import ParticipantProfile
from web.clients.calls import Api, Caller


class ProfilesClient:
    """Reads what is shown of one participant."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def get(self, challenge: str, user_id: UUID, caller: Caller) -> ParticipantProfile:
        """A participant in a challenge, as far as the caller may see them. Raises NotFound, Unavailable."""
        return await self._api.get(f"/challenges/{challenge}/participants/{user_id}", ParticipantProfile, caller)
