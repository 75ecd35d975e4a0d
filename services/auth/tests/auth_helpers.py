"""auth in this process, with the simulator as its Strava."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from auth import routes
from auth.strava import StravaOAuth
from auth.token_encryption import Keyring
from auth.use_cases import AuthContext
from shared.database.engine import Database
from shared.http.api import create_api
from stravasim.simulator import Simulator
from stravasim.strava.oauth import Grant
from testkit.clock import ManualClock
from testkit.databases import fetch_rows
from testkit.handling import emitted
from testkit.transports import ScriptedTransport

WEB_KEY, SYNC_KEY = "the-key-of-web-0123", "the-key-of-sync-0123"
SECRET = "simulated-secret"
ALL = "read,activity:read,activity:read_all"
KEYRING = Keyring.parse("k1:" + base64.b64encode(b"k" * 32).decode())
ATHLETE = 7


@dataclass
class AuthUnderTest:
    """Clients with the keys of web and sync, and the way to Strava, whose clock makes tokens end early."""

    web: httpx.AsyncClient
    sync: httpx.AsyncClient
    transport: ScriptedTransport
    clock: ManualClock
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

    def set_token_lifetime(self, minutes: float) -> None:
        """Tokens issued from now on end in so many minutes."""
        self.clock.moment = datetime.now(UTC) - timedelta(hours=6) + timedelta(minutes=minutes)

    def reset_clock(self) -> None:
        self.clock.moment = datetime.now(UTC)

    async def events(self) -> list[dict[str, Any]]:
        return [event for _, event in await emitted(self.database)]

    async def tokens_row(self) -> Any:
        [row] = await fetch_rows(self.database, "select * from tokens")
        return row


def create_app(
    database: Database, strava: httpx.AsyncClient, admins: frozenset[int] = frozenset({ATHLETE})
) -> FastAPI:
    app = create_api("auth")
    app.state.auth = AuthContext(
        database,
        StravaOAuth(strava, "http://strava.test/oauth", 12345, SECRET),
        KEYRING,
        "http://localhost:8000/auth/strava/callback",
        admins,
        WEB_KEY,
        SYNC_KEY,
    )
    app.include_router(routes.router)
    return app


def make_client(application: FastAPI, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(application, raise_app_exceptions=False),
        base_url="http://auth.test",
        headers={"Authorization": f"Bearer {key}"},
    )
