"""auth's internal API: the way to Strava and back."""

import httpx

from shared.contracts.auth_api import AuthorizeUrl, SignedInUser
from web.clients.calls import send

SIGN_IN_TIMEOUT = httpx.Timeout(20.0, connect=1.0)  # auth itself asks Strava


class AuthClient:
    """Connects people with Strava."""

    def __init__(self, http: httpx.AsyncClient, api_key: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {api_key}"}

    async def authorize_url(self, state: str) -> str:
        """The address of Strava's consent page. Raises Unavailable."""
        request = self._http.build_request("GET", "/authorize-url", params={"state": state}, headers=self._headers)
        return (await send(self._http, request, AuthorizeUrl)).url

    async def sign_in(self, code: str, scope: str, consent_version: str) -> SignedInUser:
        """Exchange the code that the browser brought back. Raises Forbidden, Conflict, Unavailable."""
        body = {"code": code, "scope": scope, "consent_version": consent_version}
        request = self._http.build_request(
            "POST", "/sign-ins", json=body, headers=self._headers, timeout=SIGN_IN_TIMEOUT
        )
        return await send(self._http, request, SignedInUser)
