"""The five services do their main job although they are killed: in the end every row of every board is right."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import asyncpg
import httpx
import pytest
from fault_schedule import LONG, SECONDS, SEED, TIMEOUT_S, Report, ShuffleBag, fault_points
from killable_servers import KillableServers

from devstack.errors import StackError
from devstack.process.gather_or_cancel import gather_or_cancel
from devstack.process.ports import reserve_ports
from devstack.servers.servers import TOPOLOGY_DECLARED, Servers, discard_report
from devstack.stack import smoke
from devstack.stack.idle import count_dead_letters, fetch_rows, wait_until_idle
from devstack.stack.sign_in_client import sign_in
from devstack.stack.stack import Athlete, DatasetOptions, Stack, StackConfig, StackLauncher, is_healthy
from stravasim.control.client import ControlClient
from testkit.waiting import wait_until

pytestmark = pytest.mark.timeout(TIMEOUT_S)

DATASET = DatasetOptions(athletes=12, days=40, seed=SEED)
SECOND_INGEST = "ingest-2"
PROCESSES = ("auth", "sync-api", "sync-worker", "ingest", SECOND_INGEST, "leaderboard", "web")
MIN_FAULTS_S = 6.0  # a service takes a second or two to start
JOIN_S = 120.0
SETTLE_S = 120.0
IDLE_S = 5.0  # at a time


class SystemUnderTest:
    """The running services, and how often each was killed."""

    def __init__(self, killable_servers: KillableServers, stack: Stack) -> None:
        self._servers = killable_servers
        self.stack = stack
        self.kills: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self.athletes = stack.athletes  # with the activities that they have at Strava in the end

    async def replace(self, name: str) -> None:
        """Kill a service and start it again, with the same settings."""
        command = await self._servers.kill_process(name)
        self.kills[name] += 1
        if name == "sync-worker":
            # Its jobs would wait for the end of their leases; no other process holds leases.
            await self.execute("sync", "update jobs set lease_until = now() where lease_until > now()")
        await self._servers.supervisor.start(
            name, command.argv, env=command.env, cwd=command.cwd, shutdown_order=command.shutdown_order, quiet=True
        )

    async def replace_broker(self) -> None:
        await self._servers.kill_broker()
        self.kills["broker"] += 1
        await self._servers.start_broker()

    async def change_something(self, rng: random.Random) -> None:
        """Somebody uploads, edits, hides, shows or deletes an activity at Strava."""
        athlete = rng.choice(self.stack.athletes)
        async with ControlClient(self.stack.strava_url) as strava:
            activities = await strava.list_activities(athlete.id)
            change = rng.choice(["upload", "upload", "edit", "delete", "hide", "show"]) if activities else "upload"
            self.changes[change] += 1
            if change == "upload":
                day = rng.choice(athlete.activities)["start_date"][:10]  # of the challenge, which may be over today
                run = {"sport_type": "Run", "trainer": False, "distance": rng.uniform(1e3, 2e4)}
                await strava.add_activity(athlete.id, start_date=f"{day}T03:10:00Z", **run)
            elif change == "edit":
                chosen = rng.choice(activities)
                await strava.update_activity(athlete.id, chosen["id"], distance=rng.uniform(1e3, 2e4))
            elif change in ("hide", "show"):
                visibility = "only_me" if change == "hide" else "everyone"
                await strava.update_activity(athlete.id, rng.choice(activities)["id"], visibility=visibility)
            else:
                await strava.delete_activity(athlete.id, rng.choice(activities)["id"])

    async def look_at_strava(self) -> None:
        """Read what everybody has there now, and have it fetched, as an operator does after trouble."""
        async with ControlClient(self.stack.strava_url) as strava:
            self.athletes = [
                Athlete(athlete.id, await strava.list_activities(athlete.id)) for athlete in self.stack.athletes
            ]
        command = self._servers.supervisor.processes["sync-api"].command.env
        headers = {"Authorization": f"Bearer {command['SYNC_OPERATOR_KEY']}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{command['INTERNAL_PORT']}") as operator:
            (await operator.post("/syncs", headers=headers)).raise_for_status()

    async def make_jobs_due(self) -> None:
        """Fetches that failed, or that webhooks ask for which come late, would wait for minutes."""
        await self.execute("sync", "update jobs set not_before = now() where not_before > now()")

    async def wait_until_healthy(self) -> None:
        async with httpx.AsyncClient(timeout=5) as client:
            for name in PROCESSES:
                port = self._servers.supervisor.processes[name].command.env["INTERNAL_PORT"]
                address = f"http://127.0.0.1:{port}/health/ready"
                await wait_until(partial(is_healthy, client, address), f"{name} is ready")

    async def execute(self, schema: str, statement: str) -> list[asyncpg.Record]:
        return await fetch_rows(self.stack.database_urls[schema], statement)

    async def count(self, schema: str, table: str) -> int:
        [row] = await self.execute(schema, f"select count(*) as rows from {table}")
        return int(row["rows"])

    async def count_progress(self) -> int:
        return await self.count("auth", "users") + await self.count("ingest", "activities")

    async def join(self, athlete: Athlete) -> None:
        """Sign in as this athlete; retry as people do when a page cannot be loaded."""

        async def has_joined() -> bool:
            try:
                await sign_in(self.stack.web_url, athlete.id)
            except (StackError, httpx.HTTPError):
                return False
            return True

        await wait_until(has_joined, f"athlete {athlete.id} joins", JOIN_S)


@pytest.fixture
async def system(killable_servers: KillableServers) -> AsyncIterator[SystemUnderTest]:
    await killable_servers.restart_stopped()
    killable_servers.unexpected_exits.clear()
    servers = Servers(
        killable_servers.postgres, killable_servers.rabbitmq, killable_servers.folder / TOPOLOGY_DECLARED
    )
    launcher = StackLauncher(
        StackConfig(DATASET, None, log_level="WARNING"), killable_servers.supervisor, discard_report
    )
    await launcher.start_strava()
    await launcher.prepare_schemas(servers.postgres)
    stack = await launcher.start(servers)
    command = killable_servers.supervisor.processes["ingest"].command
    ports = dict(zip(("HTTP_PORT", "INTERNAL_PORT"), map(str, reserve_ports(2)), strict=True))
    await killable_servers.supervisor.start(
        SECOND_INGEST, command.argv, env=(command.env or {}) | ports, cwd=command.cwd, shutdown_order=0
    )
    yield SystemUnderTest(killable_servers, stack)
    await gather_or_cancel(*map(killable_servers.supervisor.stop, (*PROCESSES, "strava")))


async def test_every_board_is_right_although_services_are_killed(
    system: SystemUnderTest, killable_servers: KillableServers, report: Report
) -> None:
    rng = random.Random(SEED)
    bag = ShuffleBag(rng, PROCESSES)
    joining = asyncio.create_task(gather_or_cancel(*map(system.join, system.stack.athletes)))
    async for _ in fault_points(
        rng, system.count_progress, max_step=200, max_wait_s=2.5, seconds=max(SECONDS, MIN_FAULTS_S)
    ):
        await system.replace(bag.draw())
        await system.change_something(rng)
        if LONG and not system.kills["broker"] and joining.done():
            await system.replace_broker()
    await joining
    await system.wait_until_healthy()

    await system.look_at_strava()
    await _wait_until_right(system)
    pending = await _settle(system)
    mismatches, state = await _compare(system)
    kills = " ".join(f"{name} {number}" for name, number in sorted(system.kills.items()))
    report(
        f"services: athletes {len(system.stack.athletes)}, activities {sum(state.recorded.values())}, "
        f"rows {sum(map(len, state.boards.values()))}, mismatches {len(mismatches)}, "
        f"changes at Strava {system.changes.total()}, "
        f"kills: {kills} (CHAOS_SEED={SEED})"
    )
    assert pending == {}
    assert not mismatches, "\n".join(mismatches)
    assert sum(state.recorded.values()) > 100
    assert await count_dead_letters(system.stack) == {}
    assert killable_servers.unexpected_exits == []


async def _settle(system: SystemUnderTest) -> dict[str, int]:
    """Wait until nothing is left to do; returns what is, after SETTLE_S."""
    pending: dict[str, int] = {}

    async def is_idle() -> bool:
        nonlocal pending
        await system.make_jobs_due()
        pending = await wait_until_idle(system.stack, IDLE_S)
        return not pending

    with suppress(TimeoutError):
        await wait_until(is_idle, "nothing is left to do", SETTLE_S)
    return pending


async def _wait_until_right(system: SystemUnderTest) -> None:
    async def is_right() -> bool:
        await system.make_jobs_due()
        mismatches, _ = await _compare(system)
        return not mismatches

    with suppress(TimeoutError):
        await wait_until(is_right, "every row is right", SETTLE_S)


async def _compare(system: SystemUnderTest) -> tuple[list[str], smoke.SystemState]:
    """The mismatches and the state of the system."""
    users = await smoke.list_users(system.stack)
    assert len(users) == len(system.stack.athletes)
    expected = smoke.expected_state(system.athletes, users)
    async with httpx.AsyncClient(base_url=system.stack.leaderboard_url, timeout=30) as client:
        observed = await smoke.read_state(system.stack, client, list(expected.boards), users)
    return list(smoke.list_differences(expected, observed)), observed
