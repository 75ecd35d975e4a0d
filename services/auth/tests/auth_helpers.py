"""auth in this process, with the simulator as its Strava."""

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
from fastapi import FastAPI

from auth.dependencies import AuthContext, CallerKeys
from auth.main import configure_app
from auth.revocations.use_cases import revoke_next
from auth.strava import StravaOAuth
from auth.token_encryption import Cell, Keyring
from auth.tokens.refresher import TokenRefresher
from auth.users.handlers import make_handlers
from auth.users.use_cases import check_next_deauthorization
from shared.contracts.events import Event
from shared.database.engine import Database
from shared.http.api import create_api
from stravasim.simulator import Simulator
from stravasim.strava.oauth import Grant
from testkit.clock import ManualClock
from testkit.databases import execute, fetch_rows
from testkit.handling import emitted, handle
from testkit.transports import ScriptedTransport

WEB_KEY, SYNC_KEY, OPERATOR_KEY = "the-key-of-web-0123", "the-key-of-sync-0123", "the-key-of-operators"
SECRET = "simulated-secret"
ALL = "read,activity:read,activity:read_all"
OLD_KEY, NEW_KEY = (base64.b64encode(letter * 32).decode() for letter in (b"k", b"n"))
KEYRING = Keyring.parse(f"k1:{OLD_KEY}")
ATHLETE = 7
BROWSER = "browser-" + "b" * 40


@dataclass
class Replica:
    """One process's auth: its application's clients with the keys of web, sync and operators."""

    context: AuthContext
    refresher: TokenRefresher
    web: httpx.AsyncClient
    sync: httpx.AsyncClient
    operator: httpx.AsyncClient

    async def token(self, user_id: str, **params: Any) -> httpx.Response:
        return await self.sync.get(f"/users/{user_id}/access-token", params=params)


@dataclass
class AuthUnderTest:
    """auth and the way to Strava, whose clock makes tokens end early."""

    replica: Replica
    strava_client: httpx.AsyncClient
    transport: ScriptedTransport
    clock: ManualClock
    strava: Simulator
    database: Database
    browser: str = BROWSER
    web: httpx.AsyncClient = field(init=False)
    sync: httpx.AsyncClient = field(init=False)
    operator: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.web, self.sync, self.operator = self.replica.web, self.replica.sync, self.replica.operator

    def code(self, athlete: int = ATHLETE, scope: str = ALL) -> str:
        return self.strava.tokens.approve(Grant(athlete, frozenset(scope.split(","))), self.strava.now())

    async def begin(self, version: str = "1", **fields: Any) -> httpx.Response:
        body = {"browser": self.browser, "consent_version": version, **fields}
        return await self.web.post("/authorizations", json=body)

    async def state(self, version: str = "1") -> str:
        """The state of an authorization that has gone to Strava, from a browser of its own."""
        self.browser = secrets.token_urlsafe(32)
        response = await self.begin(version)
        assert response.status_code == 200, response.text
        return parse_qs(urlsplit(response.json()["url"]).query)["state"][0]

    async def complete(self, state: str, **fields: str) -> httpx.Response:
        """Bring this back from Strava."""
        return await self.web.post("/sign-ins", json={"browser": self.browser, "state": state, **fields})

    async def sign_in(
        self, scope: str = ALL, code: str | None = None, version: str = "1", athlete: int = ATHLETE
    ) -> httpx.Response:
        # A browser of its own each time: how often one may begin is bounded.
        browser = secrets.token_urlsafe(32)
        response = await self.begin(version, browser=browser)
        state = parse_qs(urlsplit(response.json()["url"]).query)["state"][0]
        code = self.code(athlete, scope) if code is None else code
        body = {"browser": browser, "state": state, "code": code, "scope": scope}
        return await self.web.post("/sign-ins", json=body)

    async def signed_in(self, athlete: int = ATHLETE) -> str:
        response = await self.sign_in(athlete=athlete)
        assert response.status_code == 200, response.text
        return str(response.json()["user_id"])

    async def token(self, user_id: str, **params: Any) -> httpx.Response:
        return await self.replica.token(user_id, **params)

    async def age_tokens(self) -> None:
        """Have the tokens refreshed longer ago than a refusal of them is taken for a late one."""
        await execute(self.database, "update tokens set refreshed_at = refreshed_at - interval '1 hour'")

    def set_token_lifetime(self, minutes: float) -> None:
        """Tokens issued from now on end in so many minutes."""
        self.clock.moment = datetime.now(UTC) - timedelta(hours=6) + timedelta(minutes=minutes)

    def reset_clock(self) -> None:
        self.clock.moment = datetime.now(UTC)

    async def expired_user(self) -> str:
        """Somebody whose access token has just expired."""
        self.set_token_lifetime(minutes=-30)
        user = await self.signed_in()
        self.reset_clock()
        return user

    async def handle(self, *events: Event) -> None:
        await handle(self.database, "auth.people", make_handlers(self.replica.context.keyring), *events)

    async def revoke_all(self) -> int:
        """End every permission that is due; returns how many were tried."""
        tried = 0
        while await revoke_next(self.replica.context):
            tried += 1
        return tried

    async def check_deauthorizations(self) -> int:
        """Check every report that is due; returns how many were tried."""
        tried = 0
        while await check_next_deauthorization(self.replica.context, self.replica.refresher):
            tried += 1
        return tried

    async def events(self, topic: str = "") -> list[dict[str, Any]]:
        return [event for _, event in await emitted(self.database, topic)]

    async def tokens_row(self) -> Any:
        [row] = await fetch_rows(self.database, "select * from tokens")
        return row

    def decrypt(self, row: Any, column: str) -> str:
        return KEYRING.decrypt(getattr(row, f"{column}_token"), Cell("tokens", UUID(str(row.user_id)), column))

    def is_connected(self, athlete: int = ATHLETE) -> bool:
        """Whether Strava has a permission of the athlete."""
        return athlete in self.strava.tokens.scopes


def make_context(
    database: Database,
    strava: httpx.AsyncClient,
    *,
    admins: frozenset[int] = frozenset({ATHLETE}),
    keyring: Keyring = KEYRING,
    uses_deauthorize: bool = False,
) -> AuthContext:
    return AuthContext(
        database,
        StravaOAuth(strava, "http://strava.test/oauth", 12345, SECRET),
        keyring,
        "http://localhost:8000/auth/strava/callback",
        uses_deauthorize,
        admins,
        CallerKeys(web=WEB_KEY, sync=SYNC_KEY, operator=OPERATOR_KEY),
    )


def create_app(context: AuthContext) -> FastAPI:
    app = create_api("auth", openapi=True)
    configure_app(app, context)
    return app


@asynccontextmanager
async def start_replica(
    database: Database, strava: httpx.AsyncClient, context: AuthContext | None = None
) -> AsyncIterator[Replica]:
    context = context or make_context(database, strava)
    app = create_app(context)
    async with (
        make_client(app, WEB_KEY) as web,
        make_client(app, SYNC_KEY) as sync,
        make_client(app, OPERATOR_KEY) as operator,
    ):
        yield Replica(context, app.state.refresher, web, sync, operator)
        await app.state.refresher.close()


def make_client(application: FastAPI, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(application, raise_app_exceptions=False),
        base_url="http://auth.test",
        headers={"Authorization": f"Bearer {key}"},
    )
