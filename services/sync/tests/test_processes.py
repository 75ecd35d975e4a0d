"""sync as its operator starts it: the process `api` releases jobs over RabbitMQ, and workers share them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import httpx
import pytest
from fastapi import FastAPI
from live_server import serve_app
from sync_helpers import ATHLETE, FakeAuth

from devstack.process.ports import release_ports, reserve_ports
from shared.database.engine import Database
from shared.messaging import topology
from stravasim.app import create_app
from stravasim.dataset.loader import load_dataset
from stravasim.fault_injection import FaultKind, FaultRule
from stravasim.simulator import Simulator
from testkit.databases import execute, fetch_rows
from testkit.waiting import wait_until

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
KEY = "a-key-of-the-tests-0"
ACTIVITIES = 1_000
CALL_S = 0.4  # that Strava takes for a page


@dataclass
class Surroundings:
    """Strava and auth on real ports, and the settings of sync's processes."""

    strava: Simulator
    database: Database
    settings: dict[str, str]
    output: Path

    @asynccontextmanager
    async def start(self, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A running process, killed at the end if it has not ended."""
        ports = reserve_ports(2)
        env = {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            **self.settings,
            "HTTP_PORT": str(ports[0]),
            "INTERNAL_PORT": str(ports[1]),
        }
        with self.output.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "sync.main", name, env=env, stdout=file, stderr=asyncio.subprocess.STDOUT
            )
        try:
            async with httpx.AsyncClient() as client:
                address = f"http://127.0.0.1:{ports[1]}/health/ready"
                await wait_until(lambda: _is_ready(client, address), f"sync {name} is ready")
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            release_ports(ports)

    async def jobs(self) -> list[Any]:
        return await fetch_rows(self.database, "select * from jobs order by id")


async def _is_ready(client: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await client.get(address)).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
async def surroundings(
    database: Database,
    database_url_for: Callable[[str], str],
    rabbitmq_url: str,
    management_url: str,
    tmp_path: Path,
) -> AsyncIterator[Surroundings]:
    await topology.declare(rabbitmq_url, management_url)
    await purge_queues(rabbitmq_url)
    await execute(database, "insert into nightly_runs values ('2999-01-01', now(), 0, false)")  # no other begins
    folder = tmp_path / "club"
    folder.mkdir()
    for number in range(6):
        (folder / f"{ATHLETE + number}.json").write_text("[]")
    strava = create_app(load_dataset(folder))
    simulator: Simulator = strava.state.simulator
    fake = FakeAuth(simulator)
    auth = FastAPI()

    @auth.get("/users/{user_id}/access-token")
    async def access_token(user_id: UUID) -> dict[str, str]:
        return {"access_token": fake.token(athlete=user_id.int), "expires_at": "2100-01-01T00:00:00Z"}

    async with serve_app(strava) as strava_url, serve_app(auth) as auth_url:
        settings = {
            "DATABASE_URL": database_url_for("sync").replace("+asyncpg", ""),
            "RABBITMQ_URL": rabbitmq_url,
            "AUTH_URL": auth_url,
            "VAULT_ACCESS_KEY": KEY,
            "SYNC_OPERATOR_KEY": KEY,
            "STRAVA_API_URL": f"{strava_url}/api/v3",
            "SYNC_CONCURRENCY": "1",
        }
        yield Surroundings(simulator, database, settings, tmp_path / "output.log")


async def purge_queues(rabbitmq_url: str) -> None:
    """Take away what other tests with this broker have told sync."""
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        for name in ("sync.people", "sync.jobs"):
            await (await channel.get_queue(name)).purge()


async def open_join(database: Database, athlete: int) -> None:
    """A job as `user.authorized` opens it."""
    await execute(
        database,
        """insert into athletes (user_id, athlete_id, status, permission_at)
           values (:user, :athlete, 'authorized', now())""",
        user=UUID(int=athlete),
        athlete=athlete,
    )
    await execute(
        database,
        "insert into jobs (user_id, kind, priority, not_before, opened_at) values (:user, 'join', 30, now(), now())",
        user=UUID(int=athlete),
    )


async def test_a_worker_that_is_terminated_in_a_listing_leaves_it_to_the_next_within_seconds(
    surroundings: Surroundings,
) -> None:
    strava, database = surroundings.strava, surroundings.database
    for number in range(ACTIVITIES):
        start = f"2026-05-{number // 50 + 1:02}T{number % 24:02}:{number % 50:02}:{number % 60:02}Z"
        strava.dataset.add_activity(ATHLETE, {"id": number + 1, "sport_type": "Run", "start_date": start})
    strava.faults.add(FaultRule(FaultKind.SLOW, seconds=CALL_S))
    await open_join(database, ATHLETE)

    async def has_progress() -> bool:
        [job] = await surroundings.jobs()
        return job.listing is not None

    async def is_done() -> bool:
        [job] = await surroundings.jobs()
        return job.outcome == "succeeded"

    async with surroundings.start("api"):
        async with surroundings.start("worker") as first:
            await wait_until(has_progress, "a page is published")
            first.send_signal(signal.SIGTERM)
            async with asyncio.timeout(15):
                assert await first.wait() == 0
            [job] = await surroundings.jobs()
            assert (job.outcome, job.attempts, job.lease) == (None, 0, None)
            assert 0 < job.activities < ACTIVITIES
        async with surroundings.start("worker"):
            await wait_until(is_done, "another worker has finished it")
    queries = [record.query for record in strava.request_log]
    assert len(queries) == len(set(queries)), "no page was asked for twice"
    [job] = await surroundings.jobs()
    assert job.activities == ACTIVITIES
    assert "Traceback" not in surroundings.output.read_text()


async def test_several_workers_and_two_dispatchers_fetch_everybody_once(surroundings: Surroundings) -> None:
    for number in range(6):
        await open_join(surroundings.database, ATHLETE + number)
    surroundings.strava.faults.add(FaultRule(FaultKind.SLOW, seconds=0.1))

    async def are_done() -> bool:
        return all(job.outcome == "succeeded" for job in await surroundings.jobs())

    async with (
        surroundings.start("api"),
        surroundings.start("api"),
        surroundings.start("worker"),
        surroundings.start("worker"),
    ):
        await wait_until(are_done, "everybody is fetched")
    assert [job.attempts for job in await surroundings.jobs()] == [1] * 6
    assert set(surroundings.strava.athlete_counts.values()) == {2}
