"""The worker in this process, with the simulator as its Strava and a hand-written auth."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from shared.contracts.events import Event
from shared.database.engine import Database
from stravasim.simulator import Simulator
from stravasim.strava.oauth import ACCESS_LIFETIME, Grant, Rotation
from sync.fetching.worker import Worker
from sync.jobs.handlers import HANDLERS
from testkit.databases import execute, fetch_rows
from testkit.events import authorized
from testkit.handling import emitted, handle
from testkit.transports import ScriptedAnswer, ScriptedTransport, give

ATHLETE = 7
USER = UUID(int=7)
SCOPES = frozenset({"read", "activity:read", "activity:read_all"})


@dataclass
class FakeAuth:
    """auth's answers to requests for a token: one that the simulator issued, or what the script says."""

    strava: Simulator
    script: list[ScriptedAnswer] = field(default_factory=list)
    requested: list[httpx.URL] = field(default_factory=list)
    revoked: bool = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requested.append(request.url)
        if self.script:
            return give(self.script.pop(0))
        if self.revoked:
            return httpx.Response(409, json={"code": "reauthorization_needed", "message": "Gone."})
        return httpx.Response(200, json={"access_token": self.token(), "expires_at": datetime.now(UTC).isoformat()})

    def token(self, lifetime_s: int = ACCESS_LIFETIME) -> str:
        issued = self.strava.now() - ACCESS_LIFETIME + lifetime_s
        code = self.strava.tokens.approve(Grant(ATHLETE, SCOPES), issued)
        answer = self.strava.tokens.handle_token_request(
            {
                "client_id": "12345",
                "client_secret": "simulated-secret",
                "grant_type": "authorization_code",
                "code": code,
            },
            issued,
            Rotation.RENEWAL,
        )
        return str(answer.access.value)  # type: ignore[union-attr]


@dataclass
class RoutingTransport(httpx.AsyncBaseTransport):
    """Requests to auth go to the fake, all others to Strava."""

    auth: FakeAuth
    strava: ScriptedTransport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.test":
            return self.auth.answer(request)
        return await self.strava.handle_async_request(request)


@dataclass
class SyncUnderTest:
    """A worker, its Strava and its auth."""

    worker: Worker
    transport: ScriptedTransport
    auth: FakeAuth
    strava: Simulator
    database: Database

    def add_activities(self, *ids: int, **fields: Any) -> None:
        """Add activities at Strava, the first one the newest."""
        for number, strava_id in enumerate(ids):
            start = datetime(2026, 5, 1, tzinfo=UTC) - timedelta(minutes=number)
            self.strava.dataset.add_activity(
                ATHLETE, {"id": strava_id, "sport_type": "Run", "start_date": f"{start:%Y-%m-%dT%H:%M:%SZ}", **fields}
            )

    async def authorize(self, user: UUID = USER, athlete: int = ATHLETE, **fields: Any) -> None:
        """The athlete signs in now."""
        await self.hear(authorized(user, athlete_id=athlete, **{"authorized_at": datetime.now(UTC), **fields}))

    async def sign_in_again(self, **fields: Any) -> None:
        """The known athlete signs in, with nothing new about it but `fields`."""
        await self.authorize(first_time=False, **fields)

    async def hear(self, *events: Event) -> None:
        await handle(self.database, "sync.people", HANDLERS, *events, one_by_one=True)

    async def job(self) -> Any:
        [job] = await fetch_rows(
            self.database, "select *, extract(epoch from not_before - now()) as wait_s from jobs"
        )
        return job

    async def athlete(self) -> Any:
        [athlete] = await fetch_rows(self.database, "select * from athletes")
        return athlete

    async def events(self, topic: str = "") -> list[dict[str, Any]]:
        return [event for _, event in await emitted(self.database, topic)]

    async def make_due(self) -> None:
        await execute(self.database, "update jobs set not_before = now() - interval '1 s'")
