"""The services' way: emit into the outbox, relay, consume in batches."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from bus_load import BATCH, PER_TRANSACTION, QUEUE, events
from sqlalchemy import text

from devstack.servers.servers import Servers
from shared.contracts.events import ActivityRecorded
from shared.database.engine import Database, create_engine
from shared.messaging.bus import Bus
from shared.messaging.inbox import BatchHandler
from shared.messaging.outbox import Relay, emit

SAMPLES = 60

_effect = text(
    """insert into effects (strava_id, user_id, distance_m)
       select * from unnest(cast(:ids as bigint[]), cast(:users as uuid[]), cast(:distances as float8[]))"""
)


class Ours:
    """The services' way."""

    def __init__(self, servers: Servers, database_url: str) -> None:
        self._amqp_url = servers.rabbitmq.url
        self._database_url = database_url

    async def publish(self, batch: Sequence[ActivityRecorded]) -> float:
        async with self._relaying() as database:
            started = time.perf_counter()
            for at in range(0, len(batch), PER_TRANSACTION):
                async with database.transaction() as session:
                    await emit(session, *batch[at : at + PER_TRANSACTION])
            await until(lambda: _empty(database))
            return time.perf_counter() - started

    async def consume(self, count: int) -> float:
        database = Database(create_engine(self._database_url, "bench"))
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

        bus = Bus(self._amqp_url, "bench", database)
        bus.subscribe(QUEUE, {ActivityRecorded: BatchHandler(store)}, batch=BATCH)
        started = time.perf_counter()
        await bus.start()
        await done.wait()
        await bus.stop()
        took = time.perf_counter() - started
        await database.engine.dispose()
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
        async with self._relaying() as database:
            for event in events(SAMPLES):
                await asyncio.sleep(0.05)  # idle
                async with database.transaction() as session:
                    await emit(session, event)
                committed = time.perf_counter()
                taken.append(await arrivals.get() - committed)
        await queue.cancel(tag)
        return taken

    @asynccontextmanager
    async def _relaying(self) -> AsyncIterator[Database]:
        database = Database(create_engine(self._database_url, "bench"))
        relay = Relay(database, self._amqp_url, "bench", 0.25)
        running = asyncio.create_task(relay.run())
        async with database.transaction() as session:  # the connections of both sides are open
            await session.execute(text("select 1"))
        await asyncio.sleep(0.3)
        yield database
        relay.stop()
        await running
        await database.engine.dispose()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for the condition."""
    while not await condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def _empty(database: Database) -> bool:
    async with database.engine.connect() as connection:
        return not (await connection.execute(text("select exists(select 1 from outbox)"))).scalar_one()
