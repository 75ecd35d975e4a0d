"""auth's internal API: the way to Strava and back."""

import httpx

from shared.contracts.auth_api import (
    AuthorizationRequest,
    AuthorizationResponse,
    AuthorizeOrigin,
    AuthorizeUrl,
    SignedInUser,
)
from web.clients.calls import send

SIGN_IN_TIMEOUT = httpx.Timeout(20.0, connect=1.0)  # auth itself asks Strava


class AuthClient:
    """Connects people with Strava."""

    def __init__(self, http: httpx.AsyncClient, api_key: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {api_key}"}

    async def authorize_origin(self) -> str:
        """Scheme and host of Strava's consent page. Raises Unavailable."""
        request = self._http.build_request("GET", "/authorizations/origin", headers=self._headers)
        return (await send(self._http, request, AuthorizeOrigin)).origin

    async def begin_authorization(self, wanted: AuthorizationRequest) -> str:
        """Where to send the browser. Raises TooManyRequests, Unavailable."""
        request = self._http.build_request("POST", "/authorizations", json=wanted.model_dump(), headers=self._headers)
        return (await send(self._http, request, AuthorizeUrl)).url

    async def sign_in(self, response: AuthorizationResponse) -> SignedInUser:
        """Exchange what the browser brought back. Raises Forbidden, Conflict, TooManyRequests, Unavailable."""
        request = self._http.build_request(
            "POST", "/sign-ins", json=response.model_dump(), headers=self._headers, timeout=SIGN_IN_TIMEOUT
        )
        return await send(self._http, request, SignedInUser)
