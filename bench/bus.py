"""The bus beside its floor: raw aio-pika and asyncpg doing the same hops, in the same run.

`python bench/bus.py` prints one line of JSON. Every pair runs in turns; figures are medians.
"""

import asyncio
import contextlib
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg
from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy import text

from devstack.servers import Servers, private_servers
from devstack.supervisor import Supervisor
from shared import topology
from shared.bus import Bus
from shared.consumer import Batched
from shared.db import Sessions, create_engine, service_metadata
from shared.events import ActivityRecorded
from shared.outbox import Relay, emit

EVENTS = 6_000
PER_TRANSACTION = 20
BATCH = 200
ROUNDS = 5
SAMPLES = 60
QUEUE = "bench.activity"
EXCHANGE = topology.exchange_name(ActivityRecorded.producer)

_effect = text(
    """insert into effects (strava_id, user_id, distance_m)
       select * from unnest(cast(:ids as bigint[]), cast(:users as uuid[]), cast(:distances as float8[]))"""
)


def events(count: int) -> list[ActivityRecorded]:
    """Activities as ingest records them."""
    now = datetime.now(UTC)
    return [
        ActivityRecorded(
            user_id=uuid4(),
            strava_id=9_000_000_000 + number,
            version=1,
            reason="fetched",
            sport_type="Run",
            start_at=now,
            local_start=now.replace(tzinfo=None),
            distance_m=10_000.0 + number,
            moving_time_s=3_000,
            elapsed_time_s=3_100,
            elev_gain_m=84.0,
            trainer=False,
            commute=False,
            manual=False,
            visibility="everyone",
        )
        for number in range(count)
    ]


class Ours:
    """The services' way."""

    def __init__(self, servers: Servers, database_url: str) -> None:
        self._amqp_url = servers.rabbitmq_url
        self._database_url = database_url

    async def publish(self, batch: Sequence[ActivityRecorded]) -> float:
        async with self._relaying() as sessions:
            started = time.perf_counter()
            for at in range(0, len(batch), PER_TRANSACTION):
                async with sessions.transaction() as session:
                    await emit(session, *batch[at : at + PER_TRANSACTION])
            await until(lambda: _empty(sessions))
            return time.perf_counter() - started

    async def consume(self, count: int) -> float:
        sessions = Sessions(create_engine(self._database_url, "bench"))
        done = asyncio.Event()
        seen = 0

        async def store(heard: Sequence[ActivityRecorded], session: Any) -> None:
            nonlocal seen
            columns = {
                "ids": [one.strava_id for one in heard],
                "users": [one.user_id for one in heard],
                "distances": [one.distance_m for one in heard],
            }
            await session.execute(_effect, columns)
            seen += len(heard)
            if seen == count:
                done.set()

        bus = Bus(self._amqp_url, "bench", sessions)
        bus.subscribe(QUEUE, {ActivityRecorded: Batched(store)}, batch=BATCH)
        started = time.perf_counter()
        await bus.start()
        await done.wait()
        await bus.stop()
        took = time.perf_counter() - started
        await sessions.engine.dispose()
        return took

    async def latency(self, channel: aio_pika.abc.AbstractChannel) -> list[float]:
        """Seconds from the commit to the arrival at a consumer, one event at a time on an idle system."""
        arrivals: asyncio.Queue[float] = asyncio.Queue()
        queue = await channel.get_queue(QUEUE)

        async def arrived(message: AbstractIncomingMessage) -> None:
            arrivals.put_nowait(time.perf_counter())
            await message.ack()

        tag = await queue.consume(arrived)
        taken = []
        async with self._relaying() as sessions:
            for event in events(SAMPLES):
                await asyncio.sleep(0.05)  # idle
                async with sessions.transaction() as session:
                    await emit(session, event)
                committed = time.perf_counter()
                taken.append(await arrivals.get() - committed)
        await queue.cancel(tag)
        return taken

    @asynccontextmanager
    async def _relaying(self) -> AsyncIterator[Sessions]:
        sessions = Sessions(create_engine(self._database_url, "bench"))
        relay = Relay(sessions, self._amqp_url, "bench", 0.25)
        running = asyncio.create_task(relay.run())
        async with sessions.transaction() as session:  # the connections of both sides are open
            await session.execute(text("select 1"))
        await asyncio.sleep(0.3)
        yield sessions
        relay.stop()
        await running
        await sessions.engine.dispose()


class Floor:
    """The same hops with nothing in between: no models, no parsing of headers, no failure handling."""

    def __init__(self, servers: Servers, database_url: str) -> None:
        self._amqp_url = servers.rabbitmq_url
        self._database_url = database_url.replace("+asyncpg", "")

    async def publish(self, batch: Sequence[ActivityRecorded]) -> float:
        async with (
            asyncpg.create_pool(self._database_url, min_size=2) as pool,
            await aio_pika.connect(self._amqp_url) as connection,
        ):
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchange = await channel.get_exchange(EXCHANGE, ensure=False)
            filled = asyncio.Event()
            written = False

            async def write() -> None:
                nonlocal written
                for at in range(0, len(batch), PER_TRANSACTION):
                    rows = [
                        (
                            uuid4(),
                            EXCHANGE,
                            event.routing_key(),
                            json.dumps(
                                {
                                    "cloudEvents_specversion": "1.0",
                                    "cloudEvents_id": str(uuid4()),
                                    "cloudEvents_source": "/ingest",
                                    "cloudEvents_type": event.event_type(),
                                    "cloudEvents_subject": event.subject,
                                    "cloudEvents_time": datetime.now(UTC).isoformat(),
                                }
                            ),
                            event.model_dump_json(),
                        )
                        for event in batch[at : at + PER_TRANSACTION]
                    ]
                    async with pool.acquire() as session, session.transaction():
                        await session.executemany(
                            "insert into outbox (id, exchange, routing_key, headers, body) values ($1,$2,$3,$4,$5)",
                            rows,
                        )
                    filled.set()
                written = True

            async def relay() -> None:
                while True:
                    async with pool.acquire() as session, session.transaction():
                        rows = await session.fetch(
                            """select seq, id, routing_key, headers, body from outbox
                               order by seq limit $1 for update skip locked""",
                            BATCH,
                        )
                        messages = [
                            aio_pika.Message(
                                row["body"].encode(),
                                headers=json.loads(row["headers"]),
                                message_id=str(row["id"]),
                                type="gruppetto.activity.recorded.v1",
                                timestamp=datetime.now(UTC),
                                content_type="application/json",
                                delivery_mode=2,
                            )
                            for row in rows
                        ]
                        await asyncio.gather(
                            *(
                                exchange.publish(message, row["routing_key"], mandatory=True)
                                for row, message in zip(rows, messages, strict=True)
                            )
                        )
                        await session.execute("delete from outbox where seq = any($1)", [row["seq"] for row in rows])
                    if not rows and written:
                        return
                    if not rows:
                        filled.clear()
                        await filled.wait()

            started = time.perf_counter()
            await asyncio.gather(write(), relay())
            return time.perf_counter() - started

    async def consume(self, count: int) -> float:
        started = time.perf_counter()
        async with (
            asyncpg.create_pool(self._database_url, min_size=1) as pool,
            await aio_pika.connect(self._amqp_url) as connection,
        ):
            channel = await connection.channel(publisher_confirms=False)
            await channel.set_qos(prefetch_count=BATCH * 2)
            queue = await channel.get_queue(QUEUE)
            waiting: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
            await queue.consume(waiting.put)
            seen = 0
            while seen < count:
                batch = [await waiting.get()]
                with contextlib.suppress(asyncio.QueueEmpty):
                    while len(batch) < BATCH:
                        batch.append(waiting.get_nowait())
                bodies = [json.loads(message.body) for message in batch]
                async with pool.acquire() as session, session.transaction():
                    await session.execute(
                        "insert into inbox (consumer, message_id) select $1, unnest($2::uuid[])",
                        QUEUE,
                        [message.message_id for message in batch],
                    )
                    await session.execute(
                        "insert into effects select * from unnest($1::bigint[], $2::uuid[], $3::float8[])",
                        [body["strava_id"] for body in bodies],
                        [body["user_id"] for body in bodies],
                        [body["distance_m"] for body in bodies],
                    )
                await batch[-1].ack(multiple=True)
                seen += len(batch)
        return time.perf_counter() - started


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for the condition."""
    while not await condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def _empty(sessions: Sessions) -> bool:
    async with sessions.engine.connect() as connection:
        return not (await connection.execute(text("select exists(select 1 from outbox)"))).scalar_one()


async def _emptied(sessions: Sessions, channel: aio_pika.abc.AbstractChannel) -> None:
    async with sessions.transaction() as session:
        await session.execute(text("truncate outbox, inbox, effects"))
    await (await channel.get_queue(QUEUE)).purge()


async def compare(servers: Servers) -> dict[str, Any]:
    """Publishing and consuming, ours and the floor's in turns; and the latency of one event."""
    await topology.declare(servers.rabbitmq_url, servers.management_url, {QUEUE: (ActivityRecorded,)})
    database_url = (await servers.roles(["bench"]))["bench"].replace("postgresql://", "postgresql+asyncpg://")
    sessions = Sessions(create_engine(database_url, "bench"))
    async with sessions.engine.begin() as connection:
        await connection.run_sync(service_metadata().create_all)
        await connection.execute(text("create table effects (strava_id bigint, user_id uuid, distance_m float8)"))
    sides: dict[str, Ours | Floor] = {"ours": Ours(servers, database_url), "floor": Floor(servers, database_url)}
    took: dict[str, list[float]] = {}
    async with await aio_pika.connect(servers.rabbitmq_url) as broker:
        channel = await broker.channel()
        for turn in range(ROUNDS + 1):  # the first warms up and is not counted
            batch = events(EVENTS)
            for name, side in sorted(sides.items(), reverse=turn % 2 == 1):
                await _emptied(sessions, channel)
                took.setdefault(f"publish {name}", []).append(await side.publish(batch))
                took.setdefault(f"consume {name}", []).append(await side.consume(EVENTS))
        await _emptied(sessions, channel)
        latencies = await Ours(servers, database_url).latency(channel)
    await sessions.engine.dispose()
    medians = {name: statistics.median(values[1:]) for name, values in took.items()}
    rates = {name: round(EVENTS / value) for name, value in medians.items()}
    return {
        "publish_per_s": rates["publish ours"],
        "publish_floor_per_s": rates["publish floor"],
        "publish_ratio": round(medians["publish floor"] / medians["publish ours"], 2),
        "consume_per_s": rates["consume ours"],
        "consume_floor_per_s": rates["consume floor"],
        "consume_ratio": round(medians["consume floor"] / medians["consume ours"], 2),
        "commit_to_arrival_ms": round(statistics.median(latencies) * 1000, 1),
    }


async def main() -> None:
    async with Supervisor() as supervisor, private_servers(None, supervisor) as servers:
        sys.stdout.write(json.dumps(await compare(servers)) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
