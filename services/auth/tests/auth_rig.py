"""auth in this process, with the simulator as its Strava."""

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from auth.api import Api
from auth.strava import StravaOAuth
from auth.token_encryption import Keyring
from shared.database.engine import Database
from shared.http.api import create_api
from stravasim.simulator import Simulator
from stravasim.strava.oauth import Grant, Rotation

WEB_KEY, SYNC_KEY = "the-key-of-web-0123", "the-key-of-sync-0123"
SECRET = "simulated-secret"
ALL = "read,activity:read,activity:read_all"
KEYRING = Keyring.parse("k1:" + base64.b64encode(b"k" * 32).decode())
ATHLETE = 7


@dataclass
class HandClock:
    """The simulator's clock: tokens that it hands out in the past end early."""

    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.moment

    def tokens_end_in(self, minutes: float) -> None:
        self.moment = datetime.now(UTC) - timedelta(hours=6) + timedelta(minutes=minutes)

    def present(self) -> None:
        self.moment = datetime.now(UTC)


@dataclass
class Wire(httpx.AsyncBaseTransport):
    """The way to Strava: notes what passes, and answers in Strava's place when told so."""

    inner: httpx.AsyncBaseTransport
    odd: list[httpx.Response | Exception] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(await request.aread())
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        if self.odd:
            odd = self.odd.pop(0)
            if isinstance(odd, Exception):
                raise odd
            return odd
        response = await self.inner.handle_async_request(request)
        self.answers.append(await response.aread())
        return response


@dataclass
class World:
    web: httpx.AsyncClient
    sync: httpx.AsyncClient
    wire: Wire
    clock: HandClock
    strava: Simulator
    database: Database

    def code(self, athlete: int = ATHLETE, scope: str = ALL) -> str:
        return self.strava.tokens.approve(Grant(athlete, frozenset(scope.split(","))), self.strava.now())

    async def sign_in(self, scope: str = ALL, code: str | None = None, version: str = "1") -> httpx.Response:
        body = {"code": self.code() if code is None else code, "scope": scope, "consent_version": version}
        return await self.web.post("/sign-ins", json=body)

    async def signed_in(self) -> str:
        response = await self.sign_in()
        assert response.status_code == 200, response.text
        return str(response.json()["user_id"])

    async def token(self, user_id: str, **params: Any) -> httpx.Response:
        return await self.sync.get(f"/users/{user_id}/access-token", params=params)

    async def rows(self, statement: str) -> list[Any]:
        async with self.database.transaction() as session:
            return list(await session.execute(text(statement)))

    async def events(self) -> list[dict[str, Any]]:
        return [json.loads(row.body) for row in await self.rows("select body from outbox order by seq")]

    async def tokens_row(self) -> Any:
        [row] = await self.rows("select * from tokens")
        return row


def app(database: Database, strava: httpx.AsyncClient, admins: frozenset[int] = frozenset({ATHLETE})) -> FastAPI:
    api = Api(
        database,
        StravaOAuth(strava, "http://strava.test/oauth", 12345, SECRET),
        KEYRING,
        "http://localhost:8000/auth/strava/callback",
        admins,
    )
    app = create_api("auth")
    app.state.database = database
    app.include_router(api.router(WEB_KEY, SYNC_KEY))
    return app


def caller(application: FastAPI, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(application, raise_app_exceptions=False),
        base_url="http://auth.test",
        headers={"Authorization": f"Bearer {key}"},
    )


__all__ = ["ALL", "ATHLETE", "KEYRING", "SECRET", "HandClock", "Rotation", "Wire", "World", "app", "caller"]
