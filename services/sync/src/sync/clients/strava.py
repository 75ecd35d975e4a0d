"""Strava's data API, which only the worker calls: one method a request, and what the answers mean."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from shared.errors import Unavailable

TIMEOUT_S = 30.0  # for each step of a call
WHOLE_TIMEOUT_S = 60.0  # for all of it: less than a lease
MAX_BODY_BYTES = 16_000_000  # many times a page of the longest activities


class StravaUnavailable(Unavailable):
    """Strava does not answer, or gives an answer that says nothing. It will be tried again."""


@dataclass(frozen=True)
class StravaAnswer:
    """An answer of Strava's, whatever its status; `headers` by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class StravaClient:
    """The data API on behalf of one athlete at a time. The methods raise httpx.RequestError, StravaUnavailable."""

    def __init__(self, client: httpx.AsyncClient, base_url: str) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")

    async def list_activities(self, token: str, params: Mapping[str, int]) -> StravaAnswer:
        """A page of the athlete's activities."""
        return await self._get("/athlete/activities", token, params)

    async def get_activity(self, token: str, strava_id: int) -> StravaAnswer:
        """One activity of the athlete's."""
        return await self._get(f"/activities/{strava_id}", token, {})

    async def _get(self, path: str, token: str, params: Mapping[str, int]) -> StravaAnswer:
        headers = {"Authorization": f"Bearer {token}"}
        request = self._client.stream("GET", self._base_url + path, params=params, headers=headers, timeout=TIMEOUT_S)
        try:
            async with asyncio.timeout(WHOLE_TIMEOUT_S), request as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise StravaUnavailable("Strava's answer is too long")
                return StravaAnswer(response.status_code, dict(response.headers), bytes(body))
        except TimeoutError as error:
            raise StravaUnavailable("Strava answers too slowly") from error


def parse_activities(answer: StravaAnswer) -> list[Any]:
    """The items of a page. Raises StravaUnavailable."""
    activities = _parse(answer)
    if not isinstance(activities, list):
        raise StravaUnavailable("Strava's answer is not a list")
    return activities


def parse_activity(answer: StravaAnswer) -> dict[str, Any]:
    """An activity. Raises StravaUnavailable."""
    activity = _parse(answer)
    if not isinstance(activity, dict):
        raise StravaUnavailable("Strava's answer is not an object")
    return activity


def is_about_the_application(answer: StravaAnswer) -> bool:
    """Whether a refusal is about the application, and not about an athlete or an activity."""
    try:
        return any(error["resource"] == "Application" for error in _parse(answer)["errors"])
    except (StravaUnavailable, KeyError, TypeError):
        return False


def _parse(answer: StravaAnswer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:  # the latter for what is nested a thousand times
        raise StravaUnavailable("Strava's answer is not JSON") from error
