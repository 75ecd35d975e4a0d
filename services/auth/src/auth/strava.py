"""Strava's OAuth endpoints, as auth uses them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import httpx
import stamina
import structlog
from pydantic import BaseModel, Field, SecretStr, ValidationError

from auth.rules import REQUESTED_SCOPES, Refusal, interpret_refusal
from auth.token_encryption import TokenPair
from shared.contracts.auth_api import AuthErrorCode
from shared.errors import AppError, Conflict, Forbidden, Unavailable

#: For a whole call, less than a lease: two refreshes that overlap would use one refresh token twice.
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
    access_token: SecretStr = Field(min_length=1)
    refresh_token: SecretStr = Field(min_length=1)
    expires_at: int = Field(ge=0, le=253_402_300_799)  # the last second that datetime knows
    athlete: _Athlete | None = None


@dataclass(frozen=True)
class Grant:
    """What Strava answers to a code or to a refresh token; `athlete` only to a code."""

    tokens: TokenPair = field(repr=False)
    expires_at: datetime
    athlete: _Athlete | None = field(repr=False)


class StravaOAuth:
    """Strava's OAuth endpoints with this application's credentials."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, client_id: int, client_secret: str) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret

    def authorize_origin(self) -> str:
        """Scheme and host of the page that asks for permission."""
        parts = urlsplit(self._base_url)
        return f"{parts.scheme}://{parts.netloc}"

    def authorize_url(self, redirect_uri: str, state: str, *, force_prompt: bool = False) -> str:
        """Where to send a browser to ask its athlete for permission, again if they gave it before."""
        query = {
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "approval_prompt": "force" if force_prompt else "auto",
            "scope": ",".join(REQUESTED_SCOPES),
            "state": state,
        }
        return f"{self._base_url}/authorize?{urlencode(query)}"

    async def exchange(self, code: str) -> Grant:
        """Tokens for a code. Raises SignInExpired, CapacityReached, Misconfigured or Unavailable."""
        return await self._token({"grant_type": "authorization_code", "code": code}, dead=SignInExpired)

    async def refresh(self, refresh_token: str) -> Grant:
        """New tokens; the old refresh token may be dead now.

        Raises AuthorizationRevoked, Misconfigured or Unavailable.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._token(form, dead=AuthorizationRevoked)

    async def revoke(self, token: str) -> None:
        """End the permission that a token belongs to, if it has not ended. Raises Misconfigured or Unavailable."""
        credentials = httpx.BasicAuth(str(self._client_id), self._client_secret)
        response = await self._post("revoke", {"token": token}, auth=credentials)
        if response.status_code == 401:  # of this endpoint it says nothing but that the credentials are wrong
            raise Misconfigured
        if response.status_code != 200:
            raise _refusal(response, "revoke", dead=AuthorizationRevoked)

    async def deauthorize(self, access_token: str) -> None:
        """The older way to end a permission, with a living access token.

        Raises AuthorizationRevoked when the token is dead, Misconfigured or Unavailable.
        """
        response = await self._post("deauthorize", {}, headers={"Authorization": f"Bearer {access_token}"})
        if response.status_code != 200:
            raise _refusal(response, "deauthorize", dead=AuthorizationRevoked)

    async def _token(self, form: dict[str, str], *, dead: type[AppError]) -> Grant:
        secret = {"client_id": str(self._client_id), "client_secret": self._client_secret}
        response = await self._post("token", {**secret, **form})
        if response.status_code != 200:
            raise _refusal(response, form["grant_type"], dead=dead)
        try:
            answer = _TokenAnswer.model_validate_json(response.content)
        except ValidationError:
            # Not chained: the validation error would quote the tokens.
            raise Unavailable("Strava gave an answer that cannot be read. Please try again soon.") from None
        return Grant(
            TokenPair(answer.access_token.get_secret_value(), answer.refresh_token.get_secret_value()),
            datetime.fromtimestamp(answer.expires_at, UTC),
            answer.athlete,
        )

    async def _post(
        self,
        endpoint: str,
        form: Mapping[str, str],
        *,
        auth: httpx.Auth | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer, whatever its status. Raises Unavailable."""
        address = f"{self._base_url}/{endpoint}"
        try:
            async with asyncio.timeout(TIMEOUT_S):
                # A connection that was never made is safe to try again; an answer that was lost may have used up the
                # code. Not the decorator: it logs the arguments of what it tries again.
                async for attempt in stamina.retry_context(on=httpx.ConnectError, attempts=3, timeout=5):
                    with attempt:
                        return await self._client.post(
                            address, data=form, auth=auth or httpx.USE_CLIENT_DEFAULT, headers=headers, timeout=10
                        )
        except (httpx.RequestError, TimeoutError) as error:
            raise Unavailable("Strava does not answer at the moment. Please try again soon.") from error
        raise AssertionError("the last attempt returns or raises")


def _refusal(response: httpx.Response, request: str, *, dead: type[AppError]) -> AppError:
    # Not `response.text`: it parses a Content-Type in quadratic time, and fails on some charsets.
    text = response.content[:MAX_REFUSAL_BYTES].decode(errors="replace").lower()
    meaning = interpret_refusal(
        response.status_code, _resources(response), names_the_limit="limit of connected athletes" in text
    )
    log.warning("strava refused", request=request, status=response.status_code, meaning=meaning.name.lower())
    match meaning:
        case Refusal.CREDENTIAL_DEAD:
            return dead()
        case Refusal.CAPACITY_REACHED:
            return CapacityReached()
        case Refusal.MISCONFIGURED:
            return Misconfigured()
        case Refusal.TRY_LATER:
            return Unavailable("Strava has trouble at the moment. Please try again soon.")


def _resources(response: httpx.Response) -> frozenset[str]:
    """What the refusal is about, as far as it is one of Strava's."""
    try:
        return frozenset(str(error["resource"]) for error in response.json()["errors"])
    except (ValueError, KeyError, TypeError, RecursionError):  # the last for what is nested a thousand times
        return frozenset()
