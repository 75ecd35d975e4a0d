"""The floor: the same hops on raw aio-pika and asyncpg, the same messages, and nothing in between."""

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import aio_pika
import asyncpg
from aio_pika.abc import AbstractIncomingMessage
from bus_load import BATCH, EXCHANGE, PER_TRANSACTION, QUEUE

from devstack.servers.servers import Servers
from shared.contracts.events import ActivityRecorded


class Floor:
    """The same hops with nothing in between: no models, no parsing of headers, no failure handling."""

    def __init__(self, servers: Servers, database_url: str) -> None:
        self._amqp_url = servers.rabbitmq.url
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
