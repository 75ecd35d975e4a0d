"""Strava's OAuth endpoints, as auth uses them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import stamina
from pydantic import BaseModel, SecretStr, ValidationError

from auth.domain import REQUESTED_SCOPES
from shared.errors import AppError, Conflict, Forbidden, Unavailable


class SignInExpired(Conflict):
    """This sign-in has expired or was used already. Please connect with Strava again."""

    code = "sign_in_expired"


class GrantLost(Conflict):
    """Strava no longer accepts this athlete's permission. They need to connect again."""

    code = "reauthorization_needed"


class CapacityReached(Forbidden):
    """Strava lets this application connect no more athletes at present. Please tell the organiser."""

    code = "capacity"


class Misconfigured(AppError):
    """Strava does not accept this application's credentials. The operator must check STRAVA_CLIENT_ID and _SECRET."""

    status = 502
    code = "strava_misconfigured"


class _Athlete(BaseModel):
    id: int
    firstname: str | None = None
    lastname: str | None = None


class _TokenAnswer(BaseModel):
    access_token: SecretStr
    refresh_token: SecretStr
    expires_at: int
    athlete: _Athlete | None = None


@dataclass(frozen=True)
class Grant:
    """What Strava answers to a code or to a refresh token; `athlete` only to a code."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    athlete: _Athlete | None


class StravaOAuth:
    """Strava's token endpoint with this application's credentials."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, client_id: int, client_secret: str) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret

    def authorize_url(self, redirect_uri: str, state: str) -> str:
        """Where to send a browser to ask its athlete for permission."""
        query = {
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "approval_prompt": "auto",
            "scope": ",".join(REQUESTED_SCOPES),
            "state": state,
        }
        return f"{self._base_url}/authorize?{urlencode(query)}"

    async def exchange(self, code: str) -> Grant:
        """Tokens for a code. Raises SignInExpired, CapacityReached, Misconfigured or Unavailable."""
        return await self._token({"grant_type": "authorization_code", "code": code})

    async def refresh(self, refresh_token: str) -> Grant:
        """New tokens; the old refresh token may be dead now. Raises GrantLost, Misconfigured or Unavailable."""
        return await self._token({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def _token(self, form: dict[str, str]) -> Grant:
        secret = {"client_id": str(self._client_id), "client_secret": self._client_secret}
        try:
            response = await self._post({**secret, **form})
        except httpx.TransportError as error:
            raise Unavailable("Strava does not answer at the moment. Please try again soon.") from error
        if response.status_code != 200:
            raise _refusal(response, form["grant_type"])
        try:
            answer = _TokenAnswer.model_validate_json(response.content)
        except ValidationError:
            # Not chained: the validation error would quote the tokens.
            raise Unavailable("Strava gave an answer that cannot be read. Please try again soon.") from None
        return Grant(
            answer.access_token.get_secret_value(),
            answer.refresh_token.get_secret_value(),
            datetime.fromtimestamp(answer.expires_at, UTC),
            answer.athlete,
        )

    # A connection that was never made is safe to try again; an answer that was lost may have used up the code.
    @stamina.retry(on=httpx.ConnectError, attempts=3, timeout=5)
    async def _post(self, form: dict[str, str]) -> httpx.Response:
        return await self._client.post(f"{self._base_url}/token", data=form, timeout=10)


def _refusal(response: httpx.Response, grant_type: str) -> AppError:
    if response.status_code >= 500 or response.status_code == 429:
        return Unavailable("Strava has trouble at the moment. Please try again soon.")
    if "limit of connected athletes" in response.text.lower():
        return CapacityReached()
    try:
        answer: Any = response.json()
        resources = {str(error.get("resource")) for error in answer["errors"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        resources = set()
    if "Application" in resources:
        return Misconfigured()
    return GrantLost() if grant_type == "refresh_token" else SignInExpired()
