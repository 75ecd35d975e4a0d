"""How fast sync's workers fetch, 1, 2, 4 and 8 at a time, with Strava's limits lifted; and that no call is refused.

And a burst of webhook events: how long after its beginning the last one is committed and answered.

`python -P bench/workers.py` prints one line of JSON. Real processes: sync-api, workers of one job at a time,
Postgres, RabbitMQ, the simulated Strava. (`-P`, because in this folder `sync` is a benchmark and not the service.)
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.servers.roles import create_roles
from devstack.servers.servers import Servers, private_servers
from devstack.stack.provision import upgrade
from devstack.stack.stack import is_healthy
from shared.database.engine import Database, create_engine
from shared.messaging import topology
from testkit.waiting import wait_until

ATHLETES, DAYS = 400, 30
WORKERS = (1, 2, 4, 8)
LIFTED = ",".join(["999999999"] * 4)
LIMITED = "200,2000,100,1000"
KEY = "a-key-for-a-benchmark"
BURST, CONNECTIONS = 1_000, 100  # events
BACK = "http://localhost/back"


class Bench:
    """The servers, a Strava, an auth that gives out tokens of its athletes, and sync's processes."""

    def __init__(self, supervisor: Supervisor, servers: Servers, database_url: str) -> None:
        self.supervisor = supervisor
        self.servers = servers
        self.database_url = database_url
        self.database = Database(create_engine(database_url, "bench"))
        self.tokens: dict[UUID, str] = {}
        self.strava_url = ""
        self.auth_url = ""
        self.webhook_port = 0

    async def execute(self, statement: str, **parameters: Any) -> None:
        async with self.database.transaction() as session:
            await session.execute(text(statement), parameters)

    async def count(self, statement: str) -> int:
        async with self.database.transaction() as session:
            counted: int = (await session.execute(text(statement))).scalar_one()
        return counted

    @asynccontextmanager
    async def strava(self, limits: str) -> AsyncIterator[httpx.AsyncClient]:
        """The simulated Strava, all of whose athletes have connected."""
        [port] = reserve_ports(1)
        self.strava_url = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-m", "stravasim", "serve", "--port", str(port), "--athletes", str(ATHLETES)]
        await self.supervisor.start("strava", [*argv, "--days", str(DAYS), "--limits", limits], quiet=True)
        async with httpx.AsyncClient(base_url=self.strava_url, timeout=60) as client:
            await self.supervisor.wait_until_ready("strava", lambda: is_healthy(client, "/_sim/health"), 60)
            for athlete in (await client.get("/_sim/athletes")).json():
                self.tokens[UUID(int=athlete["id"])] = await _connect(client, athlete["id"])
            yield client
        await self.supervisor.stop("strava")

    @asynccontextmanager
    async def auth(self) -> AsyncIterator[None]:
        """Answers like auth with the tokens that there are."""
        app = FastAPI()

        @app.get("/users/{user_id}/access-token")
        async def access_token(user_id: UUID) -> dict[str, str]:
            return {"access_token": self.tokens[user_id], "expires_at": "2100-01-01T00:00:00Z"}

        [port] = reserve_ports(1)
        self.auth_url = f"http://127.0.0.1:{port}"
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
        serving = asyncio.create_task(server.serve())
        await wait_until(lambda: server.started, "auth listens")
        yield
        server.should_exit = True
        await serving

    @asynccontextmanager
    async def processes(self, workers: int) -> AsyncIterator[None]:
        """sync-api and so many workers of one job at a time."""
        names = ["sync-api", *(f"sync-worker-{number}" for number in range(workers))]
        async with httpx.AsyncClient() as client:
            for name in names:
                http_port, internal_port = reserve_ports(2)
                self.webhook_port = http_port if name == "sync-api" else self.webhook_port
                env = {
                    "PATH": "/usr/bin:/bin",
                    "DATABASE_URL": self.database_url,
                    "RABBITMQ_URL": self.servers.rabbitmq.url,
                    "HTTP_PORT": str(http_port),
                    "INTERNAL_PORT": str(internal_port),
                    "LOG_LEVEL": "ERROR",
                    "STRAVA_API_URL": f"{self.strava_url}/api/v3",
                    "SYNC_OPERATOR_KEY": KEY,
                    "WEBHOOK_URL": f"http://127.0.0.1:{http_port}",
                    "WEBHOOK_SECRET": KEY,
                    "STRAVA_CLIENT_ID": "12345",
                    "STRAVA_CLIENT_SECRET": "simulated-secret",
                    "AUTH_URL": self.auth_url,
                    "VAULT_ACCESS_KEY": KEY,
                    "SYNC_CONCURRENCY": "1",
                }
                argv = [sys.executable, "-P", "-m", "sync.main", name.split("-")[1]]
                await self.supervisor.start(name, argv, env=env, quiet=True)
                address = f"http://127.0.0.1:{internal_port}/health/ready"
                await self.supervisor.wait_until_ready(name, lambda address=address: is_healthy(client, address), 60)
            yield
            for name in reversed(names):
                await self.supervisor.stop(name)

    async def open_jobs(self) -> None:
        """A join job for everybody."""
        await self.execute("truncate athletes, jobs, outbox, budget, webhook_events")
        await self.execute(
            """insert into athletes (user_id, athlete_id, status, permission_at)
               select id, ('x' || right(replace(id::text, '-', ''), 16))::bit(64)::bigint, 'authorized', now()
               from unnest(cast(:ids as uuid[])) as id""",
            ids=list(self.tokens),
        )
        await self.execute(
            """insert into jobs (user_id, kind, priority, not_before, opened_at)
               select user_id, 'join', 30, now(), now() from athletes"""
        )


async def _connect(client: httpx.AsyncClient, athlete_id: int) -> str:
    form = {"client_id": "12345", "redirect_uri": BACK, "response_type": "code", "scope": "activity:read_all"}
    consent = {"athlete_id": athlete_id, "decision": "authorize", "granted": "activity:read_all"}
    sent = await client.post("/oauth/authorize", data=form | consent)
    [code] = parse_qs(urlsplit(sent.headers["location"]).query)["code"]
    secret = {"client_id": "12345", "client_secret": "simulated-secret"}
    answer = await client.post("/oauth/token", data=secret | {"grant_type": "authorization_code", "code": code})
    token: str = answer.json()["access_token"]
    return token


async def measure(bench: Bench, workers: int, strava: httpx.AsyncClient) -> dict[str, float]:
    """Everybody is fetched once; athletes and calls a second."""
    await strava.delete("/_sim/requests")
    async with bench.processes(workers):
        await bench.open_jobs()
        started = time.perf_counter()

        async def are_done() -> bool:
            return await bench.count("select count(*) from jobs where closed_at is null") == 0

        await wait_until(are_done, "everybody is fetched", 300)
        took = time.perf_counter() - started
    counts = (await strava.get("/_sim/requests/counts")).json()
    calls = sum(counts["athletes"].values())
    return {"athletes_per_s": round(ATHLETES / took, 1), "calls_per_s": round(calls / took, 1)}


async def measure_limited(bench: Bench, workers: int, strava: httpx.AsyncClient) -> dict[str, int]:
    """With the limits of a new application: the calls of a quarter hour, none of which is refused."""
    async with bench.processes(workers):
        await bench.open_jobs()

        async def wait_for_calls() -> bool:
            return await bench.count("select count(*) from jobs where not_before > now() + interval '1 s'") > 0

        await wait_until(wait_for_calls, "jobs wait for calls", 300)
        await asyncio.sleep(5)  # time enough to make a call too many
    counts = (await strava.get("/_sim/requests/counts")).json()
    return {"calls": sum(counts["athletes"].values()), "refused": counts["rate_limited"]}


async def measure_burst(bench: Bench) -> dict[str, float]:
    """Seconds until the last of many events that come at once is answered, and until half of them are."""
    async with bench.processes(0):
        await bench.open_jobs()

        async def is_subscribed() -> bool:
            return await bench.count("select count(*) from strava_application where subscription_id is not null") > 0

        await bench.execute("insert into strava_application (id) values (1) on conflict do nothing")
        await wait_until(is_subscribed, "the subscription is there")
        subscription = await bench.count("select subscription_id from strava_application")
        owners = [user.int for user in bench.tokens]
        bodies = [
            json.dumps(
                {
                    "object_type": "activity",
                    "object_id": number,
                    "aspect_type": "create",
                    "owner_id": owners[number % len(owners)],
                    "subscription_id": subscription,
                    "event_time": 1_777_000_000,
                    "updates": {},
                }
            ).encode()
            for number in range(1, BURST + 1)
        ]
        connections = [await asyncio.open_connection("127.0.0.1", bench.webhook_port) for _ in range(CONNECTIONS)]
        started = time.perf_counter()
        waits = await asyncio.gather(
            *(_post(connections[at], bodies[at::CONNECTIONS], started) for at in range(CONNECTIONS))
        )
        stored = await bench.count("select count(*) from webhook_events")
    after = sorted(wait for one in waits for wait in one)
    return {"events": stored, "half_s": round(after[len(after) // 2], 2), "last_s": round(after[-1], 2)}


async def _post(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], bodies: list[bytes], started: float
) -> list[float]:
    reader, writer = connection
    waits = []
    for body in bodies:
        head = f"POST /strava/webhook/{KEY} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        await reader.readexactly(int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        waits.append(time.perf_counter() - started)
    writer.close()
    return waits


async def main() -> None:
    async with Supervisor() as supervisor, private_servers(None, supervisor) as servers:
        database_url = (await create_roles(servers.postgres, ["sync"]))["sync"]
        await upgrade("sync", database_url)
        await topology.declare(servers.rabbitmq.url, servers.rabbitmq.management_url)
        bench = Bench(supervisor, servers, database_url)
        async with bench.auth():
            async with bench.strava(LIFTED) as strava:
                burst = await measure_burst(bench)
                lifted = {str(workers): await measure(bench, workers, strava) for workers in WORKERS}
            async with bench.strava(LIMITED) as strava:
                limited = await measure_limited(bench, WORKERS[-1], strava)
        await bench.database.engine.dispose()
    sys.stdout.write(
        json.dumps({"workers": lifted, "limited_with_8_workers": limited, "webhook_burst": burst}) + "\n"
    )


if __name__ == "__main__":
    asyncio.run(main())
