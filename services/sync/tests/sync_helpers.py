"""Dispatcher and worker in this process, with the simulator as their Strava and a hand-written auth."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from shared.contracts.events import Event
from shared.database.engine import Database
from stravasim.simulator import Simulator
from stravasim.strava.oauth import ACCESS_LIFETIME, Grant, Rotation
from sync.fetching.calls import FetchContext
from sync.fetching.worker import Worker
from sync.jobs.dispatcher import dispatch
from sync.jobs.handlers import make_handlers
from sync.webhooks.use_cases import Receipt, WebhookEvent, receive_events
from testkit.clock import ManualClock
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
    scopes: frozenset[str] = SCOPES
    athletes: dict[UUID, int] = field(default_factory=dict)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requested.append(request.url)
        if self.script:
            return give(self.script.pop(0))
        if self.revoked:
            return httpx.Response(409, json={"code": "reauthorization_needed", "message": "Gone."})
        user = UUID(request.url.path.split("/")[2])
        token = self.token(athlete=self.athletes.get(user, ATHLETE))
        return httpx.Response(200, json={"access_token": token, "expires_at": datetime.now(UTC).isoformat()})

    def token(self, lifetime_s: int = ACCESS_LIFETIME, athlete: int = ATHLETE) -> str:
        issued = self.strava.now() - ACCESS_LIFETIME + lifetime_s
        code = self.strava.tokens.approve(Grant(athlete, self.scopes), issued)
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
    """A dispatcher and a worker, their Strava and their auth, all by one clock."""

    worker: Worker
    context: FetchContext
    transport: ScriptedTransport
    auth: FakeAuth
    strava: Simulator
    clock: ManualClock

    @property
    def database(self) -> Database:
        return self.context.database

    def now(self) -> datetime:
        return self.clock.now()

    def add_activities(self, *ids: int, **fields: Any) -> None:
        """Add activities at Strava, the first one the newest."""
        for number, strava_id in enumerate(ids):
            start = datetime(2026, 5, 1, tzinfo=UTC) - timedelta(minutes=number)
            self.strava.dataset.add_activity(
                ATHLETE, {"id": strava_id, "sport_type": "Run", "start_date": f"{start:%Y-%m-%dT%H:%M:%SZ}", **fields}
            )

    async def authorize(self, user: UUID = USER, athlete: int = ATHLETE, **fields: Any) -> None:
        """The athlete signs in, a moment after whatever was before."""
        self.clock.advance(0.001)
        self.auth.athletes[user] = athlete
        await self.hear(authorized(user, athlete_id=athlete, **{"authorized_at": self.now(), **fields}))

    async def sign_in_again(self, **fields: Any) -> None:
        """The known athlete signs in, with nothing new about it but `fields`."""
        await self.authorize(first_time=False, **fields)

    async def hear(self, *events: Event) -> None:
        await handle(self.database, "sync.people", make_handlers(self.clock.now), *events, one_by_one=True)

    async def step(self) -> bool:
        """Release what may be run, and run one job; returns whether there was one."""
        await dispatch(self.database, self.now())
        for job_id in await self.released():
            if await self.worker.run(job_id):
                return True
        return False

    async def run_all(self) -> None:
        """Run jobs until none is due."""
        while await self.step():
            pass

    async def released(self) -> list[int]:
        """The jobs that a worker may take."""
        rows = await fetch_rows(
            self.database,
            "select id from jobs where closed_at is null and released_at is not null order by priority, id",
        )
        return [row.id for row in rows]

    async def receive(self, aspect: str, strava_id: int, athlete: int = ATHLETE, **fields: Any) -> Receipt:
        """Strava's webhook tells of a change now."""
        event = {
            "object_type": "activity",
            "object_id": strava_id,
            "aspect_type": aspect,
            "owner_id": athlete,
            "subscription_id": 1,
            "event_time": int(self.now().timestamp()),
            **fields,
        }
        async with self.database.transaction() as session:
            told = WebhookEvent.model_validate(event)
            [receipt] = await receive_events(session, [told], self.now(), self.context.freshness)
        return receipt

    async def job(self) -> Any:
        [job] = await fetch_rows(
            self.database,
            "select *, extract(epoch from not_before - cast(:now as timestamptz)) as wait_s from jobs",
            now=self.now(),
        )
        return job

    async def jobs(self) -> list[Any]:
        return await fetch_rows(self.database, "select * from jobs order by id")

    async def athlete(self) -> Any:
        [athlete] = await fetch_rows(self.database, "select * from athletes")
        return athlete

    async def events(self, topic: str = "") -> list[dict[str, Any]]:
        """What was emitted for others."""
        return [event for name, event in await emitted(self.database, topic) if name != "job.released"]

    async def fetched(self) -> list[dict[str, Any]]:
        """Every activity that was published, with the number of its fetch."""
        return [
            {"fetch_seq": event["fetch_seq"], "user_id": event["user_id"], **activity}
            for event in await self.events("activity.fetched")
            for activity in event["activities"]
        ]

    async def make_due(self) -> None:
        await execute(
            self.database,
            "update jobs set not_before = cast(:now as timestamptz) - interval '1 s', released_at = null",
            now=self.now(),
        )
