"""Strava's data API and the vault that opens it: what only the sync worker talks to."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import httpx
import stamina
from pydantic import ValidationError

from shared.contracts.auth_api import AccessToken, AuthErrorCode
from shared.contracts.error_body import ErrorBody
from shared.errors import AppError, Unavailable

PER_PAGE = 200  # the most that Strava gives
MAX_PAGES = 1000  # nobody has so many activities: a listing this long does not end

#: A connection that broke, as a kept-alive one does when the server closed it: worth another try at once. Not a
#: timeout, which has cost its time already.
BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError)


#: Of the quarter hour and of the day.
_FIGURES = re.compile(r"([0-9]{1,15}),([0-9]{1,15})")


class AuthorizationLost(AppError):
    """Strava no longer gives us this athlete's data; they need to connect again."""

    status = 409
    code = AuthErrorCode.REAUTHORIZATION_NEEDED


class RateLimited(AppError):
    """The application's calls are spent, for the quarter hour or for the day."""

    status = 429
    code = "rate_limited"

    def __init__(self, *, day_is_spent: bool) -> None:
        super().__init__()
        self.day_is_spent = day_is_spent


class AuthClient:
    """auth's internal API, of which sync may use the access tokens."""

    def __init__(self, client: httpx.AsyncClient, auth_url: str, key: str) -> None:
        self._client = client
        self._auth_url = auth_url.rstrip("/")
        self._key = key

    async def access_token(self, user_id: UUID, *, fresh: bool = False) -> str:
        """A token that is valid now, `fresh` when Strava refused the last one. Raises AccessLost or Unavailable."""
        address = f"{self._auth_url}/users/{user_id}/access-token"
        try:
            response = await _get(self._client, address, self._key, {"fresh": fresh}, timeout_s=30)
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


class StravaClient:
    """The data API on behalf of one athlete at a time."""

    def __init__(self, client: httpx.AsyncClient, base_url: str) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")

    async def pages(self, token: str) -> AsyncIterator[list[Any]]:
        """All activities, newest first, page by page, the empty last page included.

        A short page is not the last one: Strava drops what it hides after cutting the pages.
        Raises AccessLost, RateLimited or Unavailable.
        """
        for page in range(1, MAX_PAGES + 1):
            activities = await self._list(token, {"page": page, "per_page": PER_PAGE})
            yield activities
            if not activities:
                return
        raise Unavailable("Strava's listing does not end")

    async def _list(self, token: str, params: Mapping[str, int]) -> list[Any]:
        address = f"{self._base_url}/athlete/activities"
        try:
            response = await _get(self._client, address, token, params, timeout_s=30)
        except httpx.RequestError as error:
            raise Unavailable("Strava does not answer") from error
        if response.status_code == 200:
            return _activities(response)
        if response.status_code == 429:
            raise RateLimited(day_is_spent=_day_is_spent(response.headers))
        if response.status_code == 401:
            raise AuthorizationLost
        raise Unavailable(f"Strava answered {response.status_code}")


async def _get(
    client: httpx.AsyncClient, address: str, bearer: str, params: Mapping[str, int], *, timeout_s: float
) -> httpx.Response:
    # Not the decorator: it logs the arguments of what it tries again.
    async for attempt in stamina.retry_context(on=BROKEN, attempts=3, timeout=5, wait_initial=0.05, wait_jitter=0.1):
        with attempt:
            return await client.get(
                address, params=params, headers={"Authorization": f"Bearer {bearer}"}, timeout=timeout_s
            )
    raise AssertionError("the last attempt returns or raises")


def _code(response: httpx.Response) -> str:
    """Why auth refuses; empty when it was not auth who answered."""
    try:
        return ErrorBody.model_validate_json(response.content).code
    except ValidationError:
        return ""


def _activities(response: httpx.Response) -> list[Any]:
    try:
        activities = response.json()
    except (ValueError, RecursionError) as error:  # the latter for what is nested a thousand times
        raise Unavailable("Strava's answer is not JSON") from error
    if not isinstance(activities, list):
        raise Unavailable("Strava's answer is not a list")
    return activities


def _day_is_spent(headers: httpx.Headers) -> bool:
    """Whether usage has reached the daily limit, read or overall; missing or empty figures count as not."""
    for bucket in ("x-ratelimit", "x-readratelimit"):
        limit, usage = (_FIGURES.fullmatch(headers.get(f"{bucket}-{part}", "")) for part in ("limit", "usage"))
        if limit and usage and int(usage[2]) >= int(limit[2]):
            return True
    return False
