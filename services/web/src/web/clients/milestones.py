"""leaderboard's API of milestones."""

from shared.contracts.leaderboard_api import MilestoneInfo, MilestonePage
from web.clients.calls import Api, Caller


class MilestonesClient:
    """Reads milestones and who reached them. Every method raises NotFound, Unavailable."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self, challenge: str, caller: Caller) -> tuple[MilestoneInfo, ...]:
        """The milestones of a challenge, and how far the caller is."""
        return await self._api.get(f"/challenges/{challenge}/milestones", tuple[MilestoneInfo, ...], caller)

    async def get(self, challenge: str, milestone: str, caller: Caller, *, limit: int, offset: int) -> MilestonePage:
        """Some of those who reached a milestone, the first one first."""
        path = f"/challenges/{challenge}/milestones/{milestone}"
        return await self._api.get(path, MilestonePage, caller, limit=limit, offset=offset)
