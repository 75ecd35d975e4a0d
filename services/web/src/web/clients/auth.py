"""auth's internal API: the way to Strava and back, and people's names."""

from uuid import UUID

import httpx

from shared.contracts.auth_api import (
    AuthorizationRequest,
    AuthorizationResponse,
    AuthorizeOrigin,
    AuthorizeUrl,
    Rename,
    SignedInUser,
    User,
)
from web.clients.calls import Api

SIGN_IN_TIMEOUT = httpx.Timeout(20.0, connect=1.0)  # auth itself asks Strava


class AuthClient:
    """Connects people with Strava. Every method raises Unavailable and TooManyRequests."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def authorize_origin(self) -> str:
        """Scheme and host of Strava's consent page."""
        return (await self._api.get("/authorizations/origin", AuthorizeOrigin)).origin

    async def begin_authorization(self, wanted: AuthorizationRequest) -> str:
        """Where to send the browser."""
        return (await self._api.send("POST", "/authorizations", AuthorizeUrl, body=wanted)).url

    async def sign_in(self, response: AuthorizationResponse) -> SignedInUser:
        """Exchange what the browser brought back. Raises Forbidden, Conflict."""
        return await self._api.send("POST", "/sign-ins", SignedInUser, body=response, timeout=SIGN_IN_TIMEOUT)

    async def get_user(self, user_id: UUID) -> User:
        """What auth knows of somebody. Raises NotFound."""
        return await self._api.get(f"/users/{user_id}", User)

    async def rename(self, user_id: UUID, display_name: str) -> User:
        """Give somebody another display name. Raises NotFound, Invalid."""
        return await self._api.send("PATCH", f"/users/{user_id}", User, body=Rename(display_name=display_name))

    async def disconnect(self, user_id: UUID) -> None:
        """Disconnect Strava. Raises NotFound."""
        await self._api.do("DELETE", f"/users/{user_id}/authorization")

    async def erase(self, user_id: UUID) -> None:
        """Delete everything about somebody, here and everywhere. Raises NotFound."""
        await self._api.do("DELETE", f"/users/{user_id}")
