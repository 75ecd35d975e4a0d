"""Strava's data API and the vault that opens it: what only the sync worker talks to."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx

from shared.errors import AppError, Unavailable

PER_PAGE = 200  # the most that Strava gives


class AccessLost(AppError):
    """Strava no longer gives us this athlete's data; they need to connect again."""

    status = 409
    code = "reauthorization_needed"


class RateLimited(AppError):
    """The application's calls are spent, for the quarter hour or for the day."""

    status = 429
    code = "rate_limited"

    def __init__(self, *, day_is_spent: bool) -> None:
        super().__init__()
        self.day_is_spent = day_is_spent


class Vault:
    """auth's internal API, of which sync may use the access tokens."""

    def __init__(self, client: httpx.AsyncClient, auth_url: str, key: str) -> None:
        self._client = client
        self._auth_url = auth_url.rstrip("/")
        self._key = key

    async def access_token(self, user_id: UUID) -> str:
        """A token that is valid now. Raises AccessLost or Unavailable."""
        try:
            response = await self._client.get(
                f"{self._auth_url}/users/{user_id}/access-token",
                headers={"Authorization": f"Bearer {self._key}"},
                timeout=15,
            )
        except httpx.TransportError as error:
            raise Unavailable("auth does not answer") from error
        if response.status_code in (404, 409):
            raise AccessLost
        if response.status_code != 200:
            raise Unavailable(f"auth answered {response.status_code}")
        return str(response.json()["access_token"])


class StravaApi:
    """The data API on behalf of one athlete at a time."""

    def __init__(self, client: httpx.AsyncClient, base_url: str) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")

    async def pages(self, token: str) -> AsyncIterator[list[Any]]:
        """All activities, newest first, page by page, the empty last page included.

        A short page is not the last one: Strava drops what it hides after cutting the pages.
        Raises AccessLost, RateLimited or Unavailable.
        """
        page = 1
        while True:
            activities = await self._list(token, {"page": page, "per_page": PER_PAGE})
            yield activities
            if not activities:
                return
            page += 1

    async def _list(self, token: str, params: dict[str, int]) -> list[Any]:
        try:
            response = await self._client.get(
                f"{self._base_url}/athlete/activities",
                params=params,
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            )
        except httpx.TransportError as error:
            raise Unavailable("Strava does not answer") from error
        if response.status_code == 200:
            return _activities(response)
        if response.status_code == 429:
            raise RateLimited(day_is_spent=_day_is_spent(response.headers))
        if response.status_code == 401:
            raise AccessLost
        raise Unavailable(f"Strava answered {response.status_code}")


def _activities(response: httpx.Response) -> list[Any]:
    try:
        activities = response.json()
    except ValueError as error:
        raise Unavailable("Strava's answer is not JSON") from error
    if not isinstance(activities, list):
        raise Unavailable("Strava's answer is not a list")
    return activities


def _day_is_spent(headers: httpx.Headers) -> bool:
    """Whether usage has reached the daily limit, read or overall; missing or empty figures count as not."""
    for bucket in ("x-ratelimit", "x-readratelimit"):
        limit, usage = (headers.get(f"{bucket}-{part}", "").split(",") for part in ("limit", "usage"))
        if (
            len(limit) == len(usage) == 2
            and limit[1].isdigit()
            and usage[1].isdigit()
            and int(usage[1]) >= int(limit[1])
        ):
            return True
    return False
