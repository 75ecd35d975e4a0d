"""The whole pipe beside its floor: from a page in sync's hand until `standings.changed` tells of its last activity.

`python bench/pipeline.py` prints one line of JSON. Ours: all services run, on private servers that write to disk as
an operator's would; this process is sync's worker, and writes pages into sync's outbox. The floor: the same hops in
as many processes on raw aio-pika and asyncpg, copies in the archive included; and once more without those. They take
turns; the figures are medians.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
import structlog
from aio_pika.abc import AbstractIncomingMessage
from pipe import floor
from pipe.load import ATHLETES, PER_ATHLETE, Round, make_round

from devstack.process.supervisor import Supervisor
from devstack.servers.roles import create_roles
from devstack.servers.servers import Servers, private_servers
from devstack.stack.stack import DatasetOptions, Stack, StackConfig, StackLauncher
from shared.contracts.events import StandingsChanged
from shared.contracts.queues import exchange_name
from shared.database.engine import Database, create_engine
from shared.messaging.outbox import Relay, emit

ROUNDS = 3
WARM_UP = 20  # athletes


@asynccontextmanager
async def listening(amqp_url: str, exchange: str, routing_key: str) -> AsyncIterator[list[float]]:
    """When each message of that key arrived, as web would see it."""
    arrivals: list[float] = []

    async def arrive(message: AbstractIncomingMessage) -> None:
        arrivals.append(time.perf_counter())
        await message.ack()

    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True, auto_delete=True)
        await queue.bind(exchange, routing_key=routing_key)
        await queue.consume(arrive)
        yield arrivals


FLOOR_COUNTED = "select coalesce(sum(activities), 0) from standings"
#: Milestones count activities once more, and so does what is computed beside what is shown.
COUNTED = f"""{FLOOR_COUNTED} join board_versions on board_versions.id = version_id
    where threshold is null and state = 'live'"""


async def until_counted(
    database_url: str, statement: str, total: int, arrivals: list[float], is_told: Callable[[], Awaitable[bool]]
) -> float:
    """When the last news of the standings arrived, after all activities were in them."""
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    counted = 0
    try:
        while counted < total:
            await asyncio.sleep(0.02)
            counted = await connection.fetchval(statement)
        while not await is_told():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    finally:
        await connection.close()
    return arrivals[-1]


class Ours:
    """The services, of which this process is sync's worker."""

    def __init__(self, stack: Stack) -> None:
        self._urls = {name: url.replace("+asyncpg", "") for name, url in stack.database_urls.items()}
        self._amqp_url = stack.rabbitmq_url
        self._database_urls = stack.database_urls
        self._total = 0

    async def first_day(self) -> datetime:
        connection = await asyncpg.connect(self._urls["leaderboard"])
        day = await connection.fetchval("select first_day from challenges order by id limit 1")
        await connection.execute("update challenges set last_day = first_day + 400")
        await connection.execute("update board_versions set last_day = first_day + 400")
        await connection.close()
        return datetime.combine(day, datetime.min.time(), UTC)

    async def add_participants(self, user_ids: list[UUID], number: int) -> None:
        connection = await asyncpg.connect(self._urls["leaderboard"])
        await connection.execute(
            """insert into participants (user_id, athlete_id, display_name, joined_at)
               select id, $2 + n, 'Somebody ' || n, now() from unnest($1::uuid[]) with ordinality as a (id, n)""",
            user_ids,
            number * 100_000,
        )
        await connection.close()

    async def run(self, load: Round) -> float:
        await self.add_participants(load.user_ids, load.number + 1)
        database = Database(create_engine(self._database_urls["sync"], "bench worker"))
        relay = Relay(database, self._amqp_url, "bench worker", 0.25)
        relaying = asyncio.create_task(relay.run())
        self._total += load.activities
        leaderboard = await asyncpg.connect(self._urls["leaderboard"])

        async def is_told() -> bool:
            return (
                await leaderboard.fetchval(
                    "select (select count(*) from outbox) + (select count(*) from board_changes)"
                )
                == 0
            )

        exchange = exchange_name(StandingsChanged.producer)
        async with listening(self._amqp_url, exchange, StandingsChanged.routing_key()) as arrivals:
            started = time.perf_counter()
            for page in load.pages:
                async with database.transaction() as session:
                    await emit(session, page)
            ended = await until_counted(self._urls["leaderboard"], COUNTED, self._total, arrivals, is_told)
        await leaderboard.close()
        relay.stop()
        await relaying
        await database.engine.dispose()
        return ended - started


class Floor:
    """The same hops without anything in between."""

    def __init__(self, servers: Servers, supervisor: Supervisor, database_url: str) -> None:
        self._amqp_url = servers.rabbitmq.url
        self._url = database_url.replace("+asyncpg", "")
        self._supervisor = supervisor
        self._total = 0

    async def prepare(self) -> None:
        connection = await asyncpg.connect(self._url)
        for table in floor.TABLES:
            await connection.execute(table)
        await connection.close()

    @asynccontextmanager
    async def processes(self) -> AsyncIterator[None]:
        names = [f"floor-{role}" for role in ("ingest", "leaderboard")]
        for name in names:
            argv = [sys.executable, "-P", floor.__file__, name.partition("-")[2], self._url, self._amqp_url]
            await self._supervisor.start(name, argv, env={"PATH": "/usr/bin:/bin"})
        await asyncio.sleep(1.5)  # they connect
        yield
        for name in names:
            await self._supervisor.stop(name)

    async def run(self, load: Round, *, archived: bool) -> float:
        async with await aio_pika.connect(self._amqp_url) as broker:
            await floor.declare(await broker.channel(), archived=archived)
        pages = [page.model_dump(mode="json") for page in load.pages]
        self._total += load.activities
        async with (
            self.processes(),
            asyncpg.create_pool(self._url, min_size=2, max_size=4) as pool,
            listening(self._amqp_url, floor.EXCHANGE, "standings.changed") as arrivals,
            floor.relaying(pool, self._amqp_url, "sync_outbox") as filled,
        ):

            async def is_told() -> bool:
                return await pool.fetchval("select count(*) from leaderboard_outbox") == 0

            started = time.perf_counter()
            for page in pages:
                async with pool.acquire() as session, session.transaction():
                    await floor.write(session, "sync_outbox", [("activity.fetched", json.dumps(page))])
                filled.set()
            ended = await until_counted(self._url, FLOOR_COUNTED, self._total, arrivals, is_told)
        return ended - started


async def compare(stack: Stack, servers: Servers, supervisor: Supervisor) -> dict[str, Any]:
    """All three in turns."""
    database_url = (await create_roles(servers.postgres, ["floor"]))["floor"]
    ours, raw = Ours(stack), Floor(servers, supervisor, database_url)
    await raw.prepare()
    first_day = await ours.first_day() + timedelta(hours=6)
    rates: dict[str, list[float]] = {"ours": [], "floor": [], "bare": []}
    for number in range(ROUNDS + 1):  # the first warms up
        for name in rates if number % 2 else reversed(rates):
            # Everybody's own athletes, each time.
            load = make_round(2 * number + (name == "bare"), first_day, ATHLETES if number else WARM_UP)
            took = await (ours.run(load) if name == "ours" else raw.run(load, archived=name == "floor"))
            rates[name] += [load.activities / took] if number else []
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "athletes": ATHLETES,
        "activities": ATHLETES * PER_ATHLETE,
        "floor_without_archive_per_s": round(medians["bare"]),
        "ratio_without_archive": round(medians["ours"] / medians["bare"], 2),
        "activities_per_s": round(medians["ours"]),
        "floor_per_s": round(medians["floor"]),
        "ratio": round(medians["ours"] / medians["floor"], 2),
    }


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    config = StackConfig(DatasetOptions(athletes=1, days=7), None, log_level="WARNING")
    async with Supervisor() as supervisor:
        launcher = StackLauncher(config, supervisor, lambda _line: None)
        async with private_servers(None, supervisor, startup_tasks=[launcher.start_strava]) as servers:
            await launcher.prepare_schemas(servers.postgres)
            stack = await launcher.start(servers)
            result = await compare(stack, servers, supervisor)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
