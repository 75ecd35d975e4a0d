"""Strava's OAuth endpoints, as auth uses them."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx
import stamina
import structlog
from pydantic import BaseModel, Field, SecretStr, ValidationError

from auth.rules import REQUESTED_SCOPES
from shared.contracts.auth_api import AuthErrorCode
from shared.errors import AppError, Conflict, Forbidden, Unavailable

#: For a whole token call, less than a refresh's lease: two that overlap would use one refresh token twice.
TIMEOUT_S = 20.0
MAX_REFUSAL_BYTES = 10_000  # of a refusal in which its words are looked for

log = structlog.stdlib.get_logger(__name__)


class SignInExpired(Conflict):
    """This sign-in has expired or was used already. Please connect with Strava again."""

    code = AuthErrorCode.SIGN_IN_EXPIRED


class AuthorizationRevoked(Conflict):
    """Strava no longer accepts this athlete's permission. They need to connect again."""

    code = AuthErrorCode.REAUTHORIZATION_NEEDED


class CapacityReached(Forbidden):
    """Strava lets this application connect no more athletes at present. Please tell the organiser."""

    code = AuthErrorCode.CAPACITY


class Misconfigured(AppError):
    """Strava does not accept this application's credentials. The operator must check STRAVA_CLIENT_ID and _SECRET."""

    status = 502
    code = AuthErrorCode.STRAVA_MISCONFIGURED


class _Athlete(BaseModel):
    id: int = Field(gt=0, lt=2**63)
    firstname: str | None = None
    lastname: str | None = None


class _TokenAnswer(BaseModel):
    access_token: SecretStr
    refresh_token: SecretStr
    expires_at: int = Field(ge=0, le=253_402_300_799)  # the last second that datetime knows
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
            async with asyncio.timeout(TIMEOUT_S):
                response = await self._post({**secret, **form})
        except (httpx.RequestError, TimeoutError) as error:
            raise Unavailable("Strava does not answer at the moment. Please try again soon.") from error
        if response.status_code != 200:
            refusal = _refusal(response, form["grant_type"])
            log.warning("strava refused", grant=form["grant_type"], status=response.status_code, meaning=refusal.code)
            raise refusal
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

    async def _post(self, form: dict[str, str]) -> httpx.Response:
        # A connection that was never made is safe to try again; an answer that was lost may have used up the code.
        # Not the decorator: it logs the arguments of what it tries again.
        async for attempt in stamina.retry_context(on=httpx.ConnectError, attempts=3, timeout=5):
            with attempt:
                return await self._client.post(f"{self._base_url}/token", data=form, timeout=10)
        raise AssertionError("the last attempt returns or raises")


def _refusal(response: httpx.Response, grant_type: str) -> AppError:
    # Not `response.text`: it parses a Content-Type in quadratic time, and fails on some charsets.
    if "limit of connected athletes" in response.content[:MAX_REFUSAL_BYTES].decode(errors="replace").lower():
        return CapacityReached()
    resources = _resources(response)
    if "Application" in resources:
        return Misconfigured()
    # Only Strava's own words end a permission: a proxy's page says nothing about the athlete.
    if response.status_code in (400, 401) and resources:
        return AuthorizationRevoked() if grant_type == "refresh_token" else SignInExpired()
    return Unavailable("Strava has trouble at the moment. Please try again soon.")


def _resources(response: httpx.Response) -> set[str]:
    """What the refusal is about, as far as it is one of Strava's."""
    if response.status_code >= 500 or response.status_code == 429:
        return set()
    try:
        return {str(error["resource"]) for error in response.json()["errors"]}
    except (ValueError, KeyError, TypeError, RecursionError):  # the last for what is nested a thousand times
        return set()
