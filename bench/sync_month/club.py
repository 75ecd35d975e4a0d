"""sync as it is, with a simulated Strava and one simulated clock: dispatcher, worker, webhooks and nights."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
from season import Action
from sqlalchemy import text

from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.servers.postgres import PostgresServer
from devstack.servers.roles import create_roles
from devstack.servers.servers import stack_folder
from devstack.stack.provision import upgrade
from shared.database.engine import Database, create_engine
from shared.http.api import create_api
from stravasim.app import create_app
from stravasim.dataset.activity_factory import build_activity
from stravasim.dataset.generator import generate_dataset
from stravasim.simulator import Settings, Simulator
from stravasim.strava.oauth import Grant, Rotation
from stravasim.webhook_dispatcher import NetworkConditions
from sync.budget import queries as budget_queries
from sync.budget.rules import roll, window_end
from sync.clients.auth import AuthClient
from sync.clients.strava import StravaClient
from sync.clients.subscriptions import SubscriptionClient, Webhooks
from sync.dependencies import ApiContext
from sync.fetching.calls import FetchContext
from sync.fetching.worker import Worker
from sync.jobs.dispatcher import dispatch
from sync.jobs.handlers import make_handlers
from sync.main import configure_api
from sync.nightly.use_cases import run_if_due
from sync.webhooks.use_cases import ensure_subscription, note_listening
from testkit.events import authorized
from testkit.handling import handle

WARSAW = ZoneInfo("Europe/Warsaw")
SCOPES = frozenset({"read", "activity:read", "activity:read_all"})
RELIST_DAYS = 7
HISTORY_DAYS = 30  # before the challenge begins
#: Strava tries three times within minutes, so that events are lost only while nobody listens for longer.
NETWORK = NetworkConditions(duplicates=0.02)
OUTAGE_NETWORK = NetworkConditions(loss=1.0)
SECRET = "simulated-webhook-secret"  # noqa: S105 - of a simulation


@dataclass
class Known:
    """What whoever hears sync's events knows of one athlete, and since when."""

    activities: dict[int, dict[str, Any]] = field(default_factory=dict)
    fetch_seqs: dict[int, int] = field(default_factory=dict)
    first_seen: dict[int, datetime] = field(default_factory=dict)


class Club:
    """The parts of sync, run by hand whenever something is due."""

    def __init__(self, database: Database, simulator: Simulator, app: Any) -> None:
        self.database = database
        self.simulator = simulator
        self.strava_http = httpx.AsyncClient(transport=_Routes(httpx.ASGITransport(app), simulator))
        self.context = FetchContext(
            database,
            AuthClient(self.strava_http, "http://auth.test", "key"),
            StravaClient(self.strava_http, "http://strava.test/api/v3"),
            self.now,
        )
        self.worker = Worker(self.context)
        public = create_api("sync-api")
        client = SubscriptionClient(self.strava_http, "http://strava.test/api/v3", 12345, "simulated-secret")
        self.webhooks = Webhooks("http://sync.test", SECRET, client)
        configure_api(ApiContext(database, self.webhooks, "key", self.now), public, create_api("internal"))
        self.public_http = httpx.AsyncClient(transport=httpx.ASGITransport(public), base_url="http://sync.test")
        simulator.webhooks._client = self.public_http
        simulator.webhooks.network = NETWORK
        self.known: dict[UUID, Known] = {}
        self._is_away = False

    def now(self) -> datetime:
        """The simulated time."""
        return self.simulator.clock.now()

    async def join(self, athletes: list[int], since: datetime) -> None:
        """Everybody signs in; the challenge begins at `since`."""
        await self.execute("insert into fetch_window values (1, :since, :now)", since=since, now=self.now())
        await note_listening(self.database, self.now)
        problem = await ensure_subscription(self.database, self.webhooks, self.now)
        assert problem is None, problem
        handlers = make_handlers(self.now)
        for athlete in athletes:
            event = authorized(UUID(int=athlete), athlete_id=athlete, authorized_at=self.now())
            await handle(self.database, "sync.people", handlers, event)

    async def go_away(self) -> None:
        """From now on nobody receives webhooks."""
        self.simulator.webhooks.network = OUTAGE_NETWORK
        self._is_away = True

    async def come_back(self) -> None:
        """They are received again."""
        self.simulator.webhooks.network = NETWORK
        self._is_away = False
        await note_listening(self.database, self.now)

    async def pass_time(self, moment: datetime) -> None:
        """Advance the clock, while the process that receives webhooks goes on to run."""
        self.simulator.clock.set(to=moment, frozen=True)
        if not self._is_away:
            await self.execute("update strava_application set listening_at = :now", now=moment)

    async def deliver(self) -> None:
        """Let the webhooks arrive that Strava has sent."""
        while self.simulator.webhooks._tasks:
            await asyncio.gather(*self.simulator.webhooks._tasks)

    async def work(self) -> None:
        """Run every job that is due and that there are calls for."""
        await run_if_due(self.database, self.now, WARSAW, RELIST_DAYS)
        while await dispatch(self.database, self.now()):
            rows = await self.fetch(
                "select id from jobs where closed_at is null and released_at is not null order by priority, id"
            )
            for row in rows:
                await self.worker.run(row.id)
        await self.listen()

    async def next_at(self) -> datetime | None:
        """When there is something to do, as far as that is known."""
        [row] = await self.fetch(
            """select min(not_before) filter (where not_before > :now) as next_at,
                   bool_or(not_before <= :now) as is_any_due
               from jobs where closed_at is null""",
            now=self.now(),
        )
        if not row.is_any_due:
            return row.next_at
        async with self.database.transaction() as session:  # they wait for calls
            budget = roll(await budget_queries.get_budget(session, self.now()), self.now())
        turns_at = window_end("quarter", budget.quarter)
        soon = min(turns_at, self.now() + timedelta(minutes=1))
        return min(soon, row.next_at) if row.next_at else soon

    async def listen(self) -> None:
        """Take what was emitted, as ingest does: the newest fetch of an activity decides."""
        rows = await self.fetch("delete from outbox returning seq, routing_key, body")
        for row in sorted(rows, key=lambda one: one.seq):
            event = json.loads(row.body)
            if "user_id" not in event:
                continue
            known = self.known.setdefault(UUID(event["user_id"]), Known())
            match row.routing_key:
                case "activity.fetched.v2":
                    for activity in event["activities"]:
                        known.activities[activity["id"]] = activity
                        known.fetch_seqs[activity["id"]] = event["fetch_seq"]
                        known.first_seen.setdefault(activity["id"], self.now())
                case "activity.vanished.v1":
                    known.activities.pop(event["strava_id"], None)
                case "athlete.listed.v1":
                    kept = set(event["strava_ids"])
                    for strava_id in [one for one in known.activities if one not in kept]:
                        if known.fetch_seqs[strava_id] < event["fetch_seq"]:
                            del known.activities[strava_id]

    async def execute(self, statement: str, **parameters: Any) -> None:
        async with self.database.transaction() as session:
            await session.execute(text(statement), parameters)

    async def fetch(self, statement: str, **parameters: Any) -> list[Any]:
        async with self.database.transaction() as session:
            return list(await session.execute(text(statement), parameters))

    async def close(self) -> None:
        await self.strava_http.aclose()
        await self.public_http.aclose()


class _Routes(httpx.AsyncBaseTransport):
    """auth's answers, a token for whoever is asked for; all else is Strava's."""

    def __init__(self, strava: httpx.AsyncBaseTransport, simulator: Simulator) -> None:
        self._strava = strava
        self._simulator = simulator

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "auth.test":
            return await self._strava.handle_async_request(request)
        athlete = UUID(request.url.path.split("/")[2]).int
        token = issue_token(self._simulator, athlete)
        return httpx.Response(200, json={"access_token": token, "expires_at": "2100-01-01T00:00:00Z"})


def issue_token(simulator: Simulator, athlete: int) -> str:
    """An access token as auth would have it."""
    now = simulator.now()
    form = {
        "client_id": "12345",
        "client_secret": "simulated-secret",
        "grant_type": "authorization_code",
        "code": simulator.tokens.approve(Grant(athlete, SCOPES), now),
    }
    answer = simulator.tokens.handle_token_request(form, now, Rotation.RENEWAL)
    return str(answer.access.value)  # type: ignore[union-attr]


class Doer:
    """Does at the simulated Strava what the athletes do."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.ids: dict[int, int] = {}  # number of an activity -> its id at Strava

    def do(self, action: Action) -> None:
        """One action; of an activity that is gone, none."""
        simulator = self._simulator
        if action.kind == "upload":
            start = f"{action.start:%Y-%m-%dT%H:%M:%SZ}"
            fields = {"sport_type": "Run", "start_date": start, "visibility": "everyone", "trainer": False}
            activity = build_activity(simulator.dataset, action.athlete, fields, simulator.clock.now())
            self.ids[action.number] = int(str(activity["id"]))
            simulator.add_activity(action.athlete, activity)
            return
        strava_id = self.ids[action.number]
        match action.kind:
            case "delete":
                simulator.delete_activity(action.athlete, strava_id)
            case "edit":
                simulator.update_activity(action.athlete, strava_id, {"sport_type": "TrailRun"})
            case "rename":
                simulator.update_activity(action.athlete, strava_id, {"name": "Evening run with friends"})
            case "hide":
                simulator.update_activity(action.athlete, strava_id, {"visibility": "only_me"})
            case "show":
                simulator.update_activity(action.athlete, strava_id, {"visibility": "everyone"})
            case "crop":
                simulator.update_activity(action.athlete, strava_id, {"distance": 1234.5})


def make_simulator(athletes: int, seed: int, begin: datetime, settings: Settings) -> tuple[Any, Simulator]:
    """A Strava with that many athletes, who have trained for some time before."""
    dataset = generate_dataset(
        athletes=athletes, days=HISTORY_DAYS, seed=seed, until=(begin - timedelta(days=1)).date(), now=begin
    )
    app = create_app(dataset, settings=settings)
    simulator: Simulator = app.state.simulator
    simulator.clock.set(to=begin, frozen=True)
    return app, simulator


@asynccontextmanager
async def migrated_database() -> AsyncIterator[Database]:
    """A database of sync's on a Postgres of its own."""
    async with Supervisor() as supervisor:
        with stack_folder(None, supervisor) as folder:
            server = PostgresServer(folder / "postgres", reserve_ports(1)[0], durable=False)
            await server.start(supervisor)
            url = (await create_roles(server, ["sync"]))["sync"]
            await upgrade("sync", url)
            database = Database(create_engine(url, "bench"))
            try:
                yield database
            finally:
                await database.engine.dispose()
                await supervisor.stop_all()
