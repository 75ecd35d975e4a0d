"""leaderboard's API for participants: their activities, their choices, and what is known of them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import date
from uuid import UUID

from shared.contracts.leaderboard_api import Listing, ParticipantStatus, PrivateActivities, VerdictPage
from web.clients.calls import Api, Caller


class ParticipantsClient:
    """Asks for one participant. Every method raises Unavailable, and NotFound while they are not known there."""

    def __init__(self, api: Api, user_id: UUID) -> None:
        self._api = api
        self._caller = Caller(user_id)
        self._path = f"/participants/{user_id}"

    async def get_status(self) -> ParticipantStatus:
        """What they chose, and how fetching goes for them."""
        return await self._api.get(self._path, ParticipantStatus, self._caller)

    async def choose_listed(self, *, listed: bool) -> None:
        """Show them on boards, or hide them."""
        await self._api.do("PUT", f"{self._path}/listing", self._caller, body=Listing(listed=listed))

    async def choose_private(self, *, count: bool) -> None:
        """Let their private activities count, or not."""
        await self._api.do(
            "PUT", f"{self._path}/private-activities", self._caller, body=PrivateActivities(count=count)
        )

    async def request_sync(self) -> None:
        """Have their activities fetched now. Raises TooManyRequests."""
        await self._api.do("POST", f"{self._path}/sync", self._caller)

    def export(self) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Everything that leaderboard knows of them, as JSON in chunks."""
        return self._api.stream(f"{self._path}/export", self._caller)

    async def list_verdicts(self, challenge: str, until: date | None) -> VerdictPage:
        """Their activities until that day, and why each counts or does not. Raises Conflict if there are too many."""
        path = f"/challenges/{challenge}{self._path}/verdicts"
        return await self._api.get(path, VerdictPage, self._caller, until=until)

    async def exclude(self, strava_id: int) -> None:
        """Let an activity count nowhere."""
        await self._api.do("PUT", f"{self._path}/activities/{strava_id}/exclusion", self._caller)

    async def include(self, strava_id: int) -> None:
        """Let it count again."""
        await self._api.do("DELETE", f"{self._path}/activities/{strava_id}/exclusion", self._caller)

    async def prefer(self, strava_id: int) -> None:
        """Let it count instead of those that overlap it."""
        await self._api.do("PUT", f"{self._path}/activities/{strava_id}/preference", self._caller)

    async def prefer_no_more(self, strava_id: int) -> None:
        """Leave to the rules which of those that overlap counts."""
        await self._api.do("DELETE", f"{self._path}/activities/{strava_id}/preference", self._caller)
