"""The two services that web asks: leaderboard and auth. Every failure becomes one of `shared.errors`."""

from typing import TypeVar

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from shared.contracts.auth_api import AuthorizeUrl, SignedInUser
from shared.contracts.error_body import ErrorBody
from shared.contracts.leaderboard_api import BoardStandings, ChallengeInfo
from shared.errors import AppError, Conflict, Forbidden, NotFound, Unavailable

READ_TIMEOUT = httpx.Timeout(4.0, connect=1.0)
SIGN_IN_TIMEOUT = httpx.Timeout(20.0, connect=1.0)  # auth itself asks Strava

log = structlog.stdlib.get_logger(__name__)

Answer = TypeVar("Answer", bound=BaseModel)


class Leaderboard:
    """Reads challenges and boards."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def current_challenge(self) -> ChallengeInfo:
        """The challenge of these days; NotFound when there is none."""
        return await _get(self._http, "/challenges/current", ChallengeInfo)

    async def challenge(self, slug: str) -> ChallengeInfo:
        return await _get(self._http, f"/challenges/{slug}", ChallengeInfo)

    async def standings(self, challenge: str, board: str) -> BoardStandings:
        return await _get(self._http, f"/challenges/{challenge}/boards/{board}", BoardStandings)


class Auth:
    """Connects people with Strava."""

    def __init__(self, http: httpx.AsyncClient, api_key: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {api_key}"}

    async def authorize_url(self, state: str) -> str:
        request = self._http.build_request("GET", "/authorize-url", params={"state": state}, headers=self._headers)
        return (await _ask(self._http, request, AuthorizeUrl)).url

    async def sign_in(self, code: str, scope: str, consent_version: str) -> SignedInUser:
        body = {"code": code, "scope": scope, "consent_version": consent_version}
        request = self._http.build_request(
            "POST", "/sign-ins", json=body, headers=self._headers, timeout=SIGN_IN_TIMEOUT
        )
        return await _ask(self._http, request, SignedInUser)


def connect(base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client for one service; whoever makes it closes it."""
    return httpx.AsyncClient(base_url=base_url, timeout=READ_TIMEOUT, transport=transport, follow_redirects=False)


async def _get(http: httpx.AsyncClient, path: str, answer: type[Answer]) -> Answer:
    return await _ask(http, http.build_request("GET", path), answer)


async def _ask(http: httpx.AsyncClient, request: httpx.Request, answer: type[Answer]) -> Answer:
    try:
        response = await http.send(request)
    except httpx.HTTPError as error:
        log.warning("service away", host=request.url.host, path=request.url.path, error=type(error).__name__)
        raise Unavailable from error
    if not response.is_success:
        raise _refusal(response)
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        log.error("answer breaks its contract", path=request.url.path, problems=error.error_count())
        raise Unavailable from None


def _refusal(response: httpx.Response) -> AppError:
    kinds: dict[int, type[AppError]] = {403: Forbidden, 404: NotFound, 409: Conflict}
    kind = kinds.get(response.status_code, Unavailable)
    try:
        body = ErrorBody.model_validate_json(response.content)
    except ValidationError:
        return kind()
    return kind(body.message, code=body.code)
