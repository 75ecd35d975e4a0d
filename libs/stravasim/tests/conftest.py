"""A simulator in this process, a manual clock, and clients of its APIs."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from live_server import started

from stravasim.app import create_app
from stravasim.control.client import ControlClient
from stravasim.dataset.loader import load_dataset
from stravasim.simulator import Settings
from testkit.clock import ManualClock

NOON = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
BACK = "http://localhost:8000/callback"


@dataclass
class Harness:
    """The simulator and its client: `page`, `submit` and `token` are steps of the OAuth flow, `asked` its query."""

    client: httpx.AsyncClient
    clock: ManualClock
    app: Any
    asked: dict[str, str] = field(
        default_factory=lambda: {
            "client_id": "12345",
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": "read,activity:read,activity:read_all",
            "state": "s1",
        }
    )

    async def page(self, **changed: str) -> httpx.Response:
        return await self.client.get("/oauth/authorize", params=self.asked | changed)

    async def submit(self, athlete: int = 7, granted: str | None = None, **changed: str) -> dict[str, list[str]]:
        """Submit the consent form with `decision`, by default authorize; returns the query of the redirect."""
        form: dict[str, Any] = self.asked | {"athlete_id": str(athlete), "decision": "authorize"} | changed
        form["granted"] = (form["scope"] if granted is None else granted).split(",")
        response = await self.client.post("/oauth/authorize", data=form)
        assert response.status_code == 302, response.text
        return parse_qs(urlsplit(response.headers["location"]).query, keep_blank_values=True)

    async def token(self, **fields: str) -> httpx.Response:
        whole = {"client_id": "12345", "client_secret": "simulated-secret"} | fields
        return await self.client.post("/oauth/token", data=whole)

    async def exchange(self, code: str) -> httpx.Response:
        return await self.token(grant_type="authorization_code", code=code)

    async def refresh(self, refresh_token: str) -> httpx.Response:
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token)

    async def tokens(self, athlete: int = 7, granted: str | None = None) -> dict[str, Any]:
        code = (await self.submit(athlete, granted))["code"][0]
        answer: dict[str, Any] = (await self.exchange(code)).json()
        return answer

    async def reader(self, athlete: int = 7, granted: str | None = None) -> "ActivityReader":
        return ActivityReader(self.client, (await self.tokens(athlete, granted))["access_token"])


@dataclass
class ActivityReader:
    """The data API with one athlete's token."""

    client: httpx.AsyncClient
    token: str

    async def get(self, path: str = "/api/v3/athlete/activities", **parameters: Any) -> httpx.Response:
        return await self.client.get(path, params=parameters, headers={"Authorization": f"Bearer {self.token}"})

    async def ids(self, **parameters: Any) -> list[int]:
        response = await self.get(**parameters)
        assert response.status_code == 200, response.text
        return [activity["id"] for activity in response.json()]


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write files of activities into a folder; a string is written unchanged, any other value as JSON."""

    def write(files: Mapping[str, object]) -> Path:
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def open_harness(make_folder: Callable[..., Path]) -> Callable[..., Any]:
    """Start a simulator whose athlete 7 has the given activities (default: ids 1 to 5, one per minute)."""

    @asynccontextmanager
    async def start(activities: object = None, **settings: Any) -> AsyncIterator[Harness]:
        given = [started(number) for number in (3, 1, 5, 2, 4)] if activities is None else activities
        clock = ManualClock(NOON)
        app = create_app(load_dataset(make_folder({"7.json": given, "8.json": []})), clock, Settings(**settings))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://strava.test") as client:
            yield Harness(client, clock, app)
        await app.state.simulator.webhooks.close()  # no server runs the application's lifespan

    return start


@pytest.fixture
async def harness(open_harness: Callable[..., Any]) -> AsyncIterator[Harness]:
    """The default simulator."""
    async with open_harness() as opened:
        yield opened


@pytest.fixture
async def control(harness: Harness) -> AsyncIterator[ControlClient]:
    """The control client of that simulator."""
    async with ControlClient("http://strava.test", httpx.ASGITransport(app=harness.app)) as opened:
        yield opened
