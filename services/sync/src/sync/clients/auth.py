"""auth's internal API, from which only the worker gets access tokens."""

from uuid import UUID

import httpx
from pydantic import ValidationError

from shared.contracts.auth_api import AccessToken, AuthErrorCode
from shared.contracts.error_body import ErrorBody
from shared.errors import Unavailable
from sync.clients.calls import get
from sync.clients.errors import AuthorizationLost


class AuthClient:
    """Access tokens of athletes."""

    def __init__(self, client: httpx.AsyncClient, auth_url: str, key: str) -> None:
        self._client = client
        self._auth_url = auth_url.rstrip("/")
        self._key = key

    async def access_token(self, user_id: UUID, *, fresh: bool = False) -> str:
        """A valid token, a `fresh` one if Strava refused the last. Raises AuthorizationLost, Unavailable."""
        address = f"{self._auth_url}/users/{user_id}/access-token"
        try:
            response = await get(self._client, address, self._key, {"fresh": fresh}, timeout_s=30)
        except httpx.RequestError as error:
            raise Unavailable("auth does not answer") from error
        if response.status_code in (404, 409) and _code(response) in (
            AuthErrorCode.NOT_FOUND,
            AuthErrorCode.REAUTHORIZATION_NEEDED,
        ):
            raise AuthorizationLost
        if response.status_code != 200:
            raise Unavailable(f"auth answered {response.status_code}")
        try:
            return AccessToken.model_validate_json(response.content).access_token
        except ValidationError:
            raise Unavailable("auth's answer cannot be read") from None


def _code(response: httpx.Response) -> str:
    """Why auth refuses; empty when it was not auth who answered."""
    try:
        return ErrorBody.model_validate_json(response.content).code
    except ValidationError:
        return ""
