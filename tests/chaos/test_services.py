"""The five services do their main job while they are killed; in the end every row of every board is right."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import asyncpg
import httpx
import pytest
from battered import Battered
from ledger import until
from weather import LONG, SECONDS, SEED, TIMEOUT_S, Deck, Say, gusts

from devstack.errors import StackError
from devstack.process.gather_or_cancel import together
from devstack.servers.servers import DECLARED, Servers, silent
from devstack.stack import smoke
from devstack.stack.idle import dead_letters, query, until_idle
from devstack.stack.sign_in_client import sign_in
from devstack.stack.stack import Athlete, Club, Plan, Stack, Starter, answers

pytestmark = pytest.mark.timeout(TIMEOUT_S)

CLUB = Club(athletes=12, days=40, seed=SEED)
PROCESSES = ("auth", "sync-api", "sync-worker", "ingest", "leaderboard", "web")
LEAST_S = 6.0  # of storm, because a service takes a second or two to start
JOIN_S = 120.0
RIGHT_S = 120.0


class System:
    """The running services, and what becomes of them."""

    def __init__(self, battered: Battered, stack: Stack) -> None:
        self._battered = battered
        self.stack = stack
        self.kills: Counter[str] = Counter()

    async def replace(self, name: str) -> None:
        """Kill a service and start it again, with the same settings."""
        command = await self._battered.strike(name)
        self.kills[name] += 1
        if name == "sync-worker":
            # What its lease would wait for; nobody else has one.
            await self.execute("sync", "update jobs set lease_until = now() where lease_until > now()")
        await self._battered.supervisor.start(
            name, command.argv, env=command.env, cwd=command.cwd, layer=command.layer, quiet=True
        )

    async def replace_broker(self) -> None:
        await self._battered.kill_broker()
        self.kills["broker"] += 1
        await self._battered.start_broker()

    async def healthy(self) -> None:
        async with httpx.AsyncClient(timeout=5) as client:
            for name in PROCESSES:
                port = self._battered.supervisor.processes[name].command.env["INTERNAL_PORT"]
                address = f"http://127.0.0.1:{port}/health/ready"
                await until(partial(answers, client, address), f"{name} is ready")

    async def execute(self, schema: str, statement: str) -> list[asyncpg.Record]:
        return await query(self.stack.database_urls[schema], statement)

    async def count(self, schema: str, table: str) -> int:
        [row] = await self.execute(schema, f"select count(*) as rows from {table}")
        return int(row["rows"])

    async def progress(self) -> int:
        return await self.count("auth", "users") + await self.count("ingest", "activities")

    async def join(self, athlete: Athlete) -> None:
        """As people do: when a page is not there, they try again."""

        async def joined() -> bool:
            try:
                await sign_in(self.stack.web_url, athlete.id)
            except (StackError, httpx.HTTPError):
                return False
            return True

        await until(joined, f"athlete {athlete.id} joins", JOIN_S)


@pytest.fixture
async def system(battered: Battered) -> AsyncIterator[System]:
    await battered.revive()
    battered.died.clear()
    servers = Servers(battered.postgres, battered.rabbitmq, battered.folder / DECLARED)
    starter = Starter(Plan(CLUB, None, log_level="WARNING"), battered.supervisor, silent)
    await starter.start_strava()
    yield System(battered, await starter.start(servers))
    await together(*map(battered.supervisor.stop, (*PROCESSES, "strava")))


async def test_every_board_is_right_although_services_are_killed(
    system: System, battered: Battered, say: Say
) -> None:
    dice = random.Random(SEED)
    victims = Deck(dice, PROCESSES)
    joining = asyncio.create_task(together(*map(system.join, system.stack.athletes)))
    async for _ in gusts(dice, system.progress, most=200, patience_s=2.5, seconds=max(SECONDS, LEAST_S)):
        await system.replace(victims.deal())
        if LONG and not system.kills["broker"] and joining.done():
            await system.replace_broker()
    await joining
    await system.healthy()

    await _wait_until_right(system)
    left = await until_idle(system.stack, RIGHT_S)
    wrong, observed = await _compare(system)
    kills = " ".join(f"{name} {number}" for name, number in sorted(system.kills.items()))
    say(
        f"services: athletes {len(system.stack.athletes)}, activities {sum(observed.recorded.values())}, "
        f"rows {sum(map(len, observed.boards.values()))}, mismatches {len(wrong)}, kills: {kills} (CHAOS_SEED={SEED})"
    )
    assert left == {}
    assert wrong == []
    assert sum(observed.recorded.values()) > 100
    assert await dead_letters(system.stack) == {}
    assert battered.died == []


async def _wait_until_right(system: System) -> None:
    async def right() -> bool:
        # Fetches that failed while auth was away would wait for minutes.
        await system.execute("sync", "update jobs set not_before = now() where not_before > now()")
        wrong, _ = await _compare(system)
        return not wrong

    with suppress(TimeoutError):
        await until(right, "every row is right", RIGHT_S)


async def _compare(system: System) -> tuple[list[str], smoke.Observed]:
    """What is wrong, and what the system holds."""
    names = await smoke.names_of(system.stack)
    assert len(names) == len(system.stack.athletes)
    wanted = smoke.expected(system.stack.athletes, names)
    async with httpx.AsyncClient(base_url=system.stack.leaderboard_url, timeout=30) as client:
        shown = await smoke.observe(system.stack, client, list(wanted.boards), names)
    return list(smoke.differences(wanted, shown)), shown
