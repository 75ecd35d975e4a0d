"""ingest alone beside its floor, with one and two replicas, and with more and more on record.

`python bench/recording.py` prints one line of JSON. A round: processes consume, pages of a club are published to
their queue, and the clock runs until the last activity's event is confirmed by the broker. The floor does the same
hops in one process on raw aio-pika and asyncpg: an upsert from arrays, outbox rows, publishing with confirms to a
queue and to the archive; and once more without the archive. They take turns; the figures are medians.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aio_pika
import asyncpg
import httpx
import structlog
import uuid_utils.compat as uuid_utils
from pipe import floor
from pipe.load import Round, make_round

from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.servers.roles import create_roles
from devstack.servers.servers import Servers, private_servers
from devstack.stack.provision import upgrade
from devstack.stack.stack import is_healthy
from shared.contracts.envelope import encode_attributes
from shared.messaging import topology
from shared.messaging.publisher import Publisher

ROUNDS = 3
SIZES = (10_000, 100_000, 1_000_000)
FIRST_DAY = datetime(2026, 1, 1, 6, tzinfo=UTC)
QUEUE, RECORDED = "ingest.activity", "leaderboard.activity"
#: Of as many athletes as have 94 activities each, an activity every 18 hours.
_FILL = """insert into activities (strava_id, user_id, fetch_seq, state, version, seen_at, changed_at, reason,
        sport_type, start_at, local_start, distance_m, moving_time_s, elapsed_time_s, elev_gain_m, trainer, commute,
        manual, flagged, visibility, suspicions)
    select n, ('00000000-0000-4000-8000-' || lpad(to_hex(n / 94), 12, '0'))::uuid, 1, 'recorded', 1, now(), now(),
        'fetched', 'Run', start, start at time zone 'UTC', 10012.4, 3120, 3245, 84, false, false, false, false,
        'everyone', '{}'
    from (select n, timestamptz '2026-01-01 06:00Z' + n % 94 * interval '18 hours' as start
          from generate_series($1::bigint, $2::bigint) as n) as activity"""


class Bench:
    """The servers, and the sides that take turns."""

    def __init__(self, supervisor: Supervisor, servers: Servers, urls: dict[str, str]) -> None:
        self._supervisor = supervisor
        self._amqp_url = servers.rabbitmq.url
        self._urls = urls
        self._publisher = Publisher(self._amqp_url, "bench")
        self._rounds = 0

    async def prepare(self) -> None:
        async with self._connect("floor") as connection:
            for table in floor.TABLES:
                await connection.execute(table)

    @asynccontextmanager
    async def _connect(self, schema: str) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self._urls[schema].replace("+asyncpg", ""))
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
        async with await aio_pika.connect(self._amqp_url) as connection:
            yield await connection.channel()

    async def close(self) -> None:
        await self._publisher.close()

    async def fill(self, size: int) -> None:
        """So many activities on record, of others than will come."""
        async with self._connect("ingest") as connection:
            present = await connection.fetchval("select count(*) from activities")
            if present < size:
                await connection.execute(_FILL, present + 1, size)
            await connection.execute("vacuum analyze activities")

    async def measure(self, side: str, replicas: int = 1) -> float:
        """Activities a second."""
        self._rounds += 1
        load = make_round(self._rounds, FIRST_DAY)
        is_ours = side == "ours"
        exchange, schema = ("ev.sync", "ingest") if is_ours else (floor.EXCHANGE, "floor")
        outbox = "outbox" if is_ours else "ingest_outbox"
        counts = f"select (select count(*) from inbox), (select count(*) from {outbox})"  # noqa: S608 - a constant
        async with self._channel() as channel:
            await floor.declare(channel, archived=side != "floor without archive")
        await self._purge()
        async with self._connect(schema) as connection:
            before = await connection.fetchval("select count(*) from inbox")
            async with self._processes(side, replicas):
                await self._publish(load, exchange)
                started = time.perf_counter()
                while True:
                    await asyncio.sleep(0.02)
                    done, left = await connection.fetchrow(counts)
                    if done - before == len(load.pages) and left == 0:
                        break
                took = time.perf_counter() - started
        await self._purge()
        return load.activities / took

    async def _purge(self) -> None:
        async with self._channel() as channel:
            for name in (QUEUE, RECORDED, *(floor.QUEUES[role] for role in ("ingest", "leaderboard"))):
                await (await channel.get_queue(name, ensure=False)).purge()

    async def _publish(self, load: Round, exchange: str) -> None:
        now = datetime.now(UTC)
        messages = []
        for page in load.pages:
            key = uuid_utils.uuid7()
            message = aio_pika.Message(
                page.model_dump_json().encode(),
                headers=dict(encode_attributes(page, key, now)),
                message_id=str(key),
                type=page.event_type(),
                delivery_mode=2,
            )
            messages.append((message, exchange, page.routing_key() if exchange == "ev.sync" else "activity.fetched"))
        errors = await self._publisher.publish_all(messages)
        assert not any(errors), errors

    @asynccontextmanager
    async def _processes(self, side: str, replicas: int) -> AsyncIterator[None]:
        names = [f"{side.partition(' ')[0]}-{number}" for number in range(replicas)]
        start = self._start_ours if side == "ours" else self._start_floor
        for name in names:
            await start(name)
        if side != "ours":
            await asyncio.sleep(1.5)  # it connects
        yield
        for name in names:
            await self._supervisor.stop(name)

    async def _start_floor(self, name: str) -> None:
        url = self._urls["floor"].replace("+asyncpg", "")
        argv = [sys.executable, "-P", floor.__file__, "ingest", url, self._amqp_url]
        await self._supervisor.start(name, argv, env={"PATH": "/usr/bin:/bin"})

    async def _start_ours(self, name: str) -> None:
        http_port, internal_port = reserve_ports(2)
        env = {
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": self._urls["ingest"],
            "RABBITMQ_URL": self._amqp_url,
            "HTTP_PORT": str(http_port),
            "INTERNAL_PORT": str(internal_port),
            "INGEST_OPERATOR_KEY": "a-key-for-a-benchmark",
            "LOG_LEVEL": "ERROR",
        }
        await self._supervisor.start(name, [sys.executable, "-P", "-m", "ingest.main"], env=env)
        async with httpx.AsyncClient() as client:
            address = f"http://127.0.0.1:{internal_port}/health/ready"
            await self._supervisor.wait_until_ready(name, lambda: is_healthy(client, address), 60)


async def compare(bench: Bench) -> dict[str, Any]:
    """Two floors, one replica and two in turns; then one with ever more on record."""
    turns = {"floor": ("floor", 1), "bare": ("floor without archive", 1), "1": ("ours", 1), "2": ("ours", 2)}
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(ROUNDS + 1):  # the first warms up
        for name in turns if number % 2 else reversed(turns):
            rate = await bench.measure(*turns[name])
            rates[name] += [rate] if number else []
    medians = {name: statistics.median(values) for name, values in rates.items()}
    by_size = {}
    for size in SIZES:
        await bench.fill(size)
        by_size[size] = round(statistics.median([await bench.measure("ours") for _ in range(ROUNDS)]))
    return {
        "activities_per_s": round(medians["1"]),
        "floor_per_s": round(medians["floor"]),
        "ratio": round(medians["1"] / medians["floor"], 2),
        "floor_without_archive_per_s": round(medians["bare"]),
        "ratio_without_archive": round(medians["1"] / medians["bare"], 2),
        "two_replicas_per_s": round(medians["2"]),
        "activities_per_s_by_size": by_size,
        "growth": round(by_size[SIZES[0]] / by_size[SIZES[-1]], 2),
    }


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    async with Supervisor() as supervisor, private_servers(None, supervisor) as servers:
        urls = await create_roles(servers.postgres, ["ingest", "floor"])
        await upgrade("ingest", urls["ingest"])
        await topology.declare(servers.rabbitmq.url, servers.rabbitmq.management_url)
        bench = Bench(supervisor, servers, urls)
        await bench.prepare()
        result = await compare(bench)
        await bench.close()
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
