"""Strava's data API, which only the worker calls."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from shared.errors import AppError, Unavailable
from sync.clients.calls import get
from sync.clients.errors import AuthorizationLost

PER_PAGE = 200  # the most that Strava gives
MAX_PAGES = 1000  # nobody has so many activities: a listing this long does not end

#: Of the quarter hour and of the day.
_FIGURES = re.compile(r"([0-9]{1,15}),([0-9]{1,15})")


class RateLimited(AppError):
    """The application's calls are spent, for the quarter hour or for the day."""

    status = 429
    code = "rate_limited"

    def __init__(self, *, day_is_spent: bool) -> None:
        super().__init__()
        self.day_is_spent = day_is_spent


class StravaClient:
    """The data API on behalf of one athlete at a time."""

    def __init__(self, client: httpx.AsyncClient, base_url: str) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")

    async def pages(self, token: str) -> AsyncIterator[list[Any]]:
        """All activities, newest first, page by page, the empty last page included.

        A short page is not the last one: Strava drops what it hides after cutting the pages.
        Raises AuthorizationLost, RateLimited, Unavailable.
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
            response = await get(self._client, address, token, params, timeout_s=30)
        except httpx.RequestError as error:
            raise Unavailable("Strava does not answer") from error
        if response.status_code == 200:
            return _activities(response)
        if response.status_code == 429:
            raise RateLimited(day_is_spent=_day_is_spent(response.headers))
        if response.status_code == 401:
            raise AuthorizationLost
        raise Unavailable(f"Strava answered {response.status_code}")


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
