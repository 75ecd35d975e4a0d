"""The floor of the pipe: the same hops on raw aio-pika and asyncpg, and nothing in between.

`python -P bench/pipe/floor.py ingest|leaderboard DATABASE_URL RABBITMQ_URL` is one of its two services. No models,
no parsing of headers, no locks, no failure handling, no rules: what is fetched is stored, and what is stored is added
up.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import aio_pika
import asyncpg
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared.contracts.queues import ARCHIVE

BATCH = 200
PAGES = 20
EXCHANGE = "floor"
QUEUES = {"ingest": "floor.ingest", "leaderboard": "floor.leaderboard", "web": "floor.web"}
_OUTBOX = """create table {name} (seq bigint generated always as identity primary key, id uuid not null unique,
    routing_key text not null, headers jsonb not null, body text not null)"""
TABLES = (
    *(_OUTBOX.format(name=name) for name in ("sync_outbox", "ingest_outbox", "leaderboard_outbox")),
    "create table inbox (consumer text, message_id uuid, primary key (consumer, message_id))",
    *(
        f"""create table {name} (strava_id bigint primary key, user_id uuid not null, fetch_seq bigint not null,
            sport_type text not null, start_at timestamptz not null, local_start timestamp not null,
            distance_m float8 not null, moving_time_s int not null, elapsed_time_s int not null,
            elev_gain_m float8 not null, trainer boolean not null, commute boolean not null, manual boolean not null,
            flagged boolean not null, visibility text not null)"""
        for name in ("activities", "facts")
    ),
    """create table standings (sport_type text, user_id uuid, distance_m float8 not null,
        moving_time_s bigint not null, elev_gain_m float8 not null, activities int not null,
        primary key (sport_type, user_id))""",
)
_COLUMNS = (
    ("strava_id", "bigint"),
    ("user_id", "uuid"),
    ("fetch_seq", "bigint"),
    ("sport_type", "text"),
    ("start_at", "timestamptz"),
    ("local_start", "timestamp"),
    ("distance_m", "float8"),
    ("moving_time_s", "int"),
    ("elapsed_time_s", "int"),
    ("elev_gain_m", "float8"),
    ("trainer", "boolean"),
    ("commute", "boolean"),
    ("manual", "boolean"),
    ("flagged", "boolean"),
    ("visibility", "text"),
)
_ADDED = ("sport_type", "user_id", "distance_m", "moving_time_s", "elev_gain_m")
_STRAVA = (
    ("distance", "distance_m"),
    ("moving_time", "moving_time_s"),
    ("elapsed_time", "elapsed_time_s"),
    ("total_elevation_gain", "elev_gain_m"),
    *((name, name) for name in ("sport_type", "trainer", "commute", "manual", "flagged", "visibility")),
)


def _upsert(table: str) -> str:
    names = [name for name, _ in _COLUMNS]
    arrays = ", ".join(f"${at}::{kind}[]" for at, (_, kind) in enumerate(_COLUMNS, 1))
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    return f"""insert into {table} as t ({", ".join(names)}) select * from unnest({arrays})
        on conflict (strava_id) do update set {changes} where t.fetch_seq < excluded.fetch_seq
        returning strava_id"""  # noqa: S608 - made of constants


async def write(session: asyncpg.Connection, table: str, messages: Sequence[tuple[str, str]]) -> None:
    """Rows of the outbox: routing key and body."""
    now = datetime.now(UTC).isoformat()
    headers = [
        json.dumps(
            {
                "cloudEvents_specversion": "1.0",
                "cloudEvents_id": str(uuid4()),
                "cloudEvents_source": "/floor",
                "cloudEvents_type": key,
                "cloudEvents_time": now,
            }
        )
        for key, _ in messages
    ]
    await session.execute(
        f"""insert into {table} (id, routing_key, headers, body)
            select * from unnest($1::uuid[], $2::text[], $3::jsonb[], $4::text[])""",  # noqa: S608 - a constant
        [uuid4() for _ in messages],
        [key for key, _ in messages],
        headers,
        [body for _, body in messages],
    )


@asynccontextmanager
async def relaying(pool: asyncpg.Pool, amqp_url: str, table: str) -> AsyncIterator[asyncio.Event]:
    """Publish what the outbox holds, with confirms; set the event after a commit."""
    filled = asyncio.Event()
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        task = asyncio.create_task(_relay(pool, channel, table, filled))
        try:
            yield filled
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _relay(pool: asyncpg.Pool, channel: AbstractChannel, table: str, filled: asyncio.Event) -> None:
    exchange = await channel.get_exchange(EXCHANGE, ensure=False)
    while True:
        filled.clear()
        async with pool.acquire() as session, session.transaction():
            due = f"select * from {table} order by seq limit $1 for update skip locked"  # noqa: S608 - a constant
            rows = await session.fetch(due, BATCH)
            await asyncio.gather(
                *(
                    exchange.publish(
                        aio_pika.Message(
                            row["body"].encode(),
                            headers=json.loads(row["headers"]),
                            message_id=str(row["id"]),
                            content_type="application/json",
                            delivery_mode=2,
                        ),
                        row["routing_key"],
                        mandatory=True,
                    )
                    for row in rows
                )
            )
            seqs = [row["seq"] for row in rows]
            await session.execute(f"delete from {table} where seq = any($1)", seqs)  # noqa: S608 - a constant
        if not rows:
            await filled.wait()


Handle = Callable[[asyncpg.Connection, Sequence[AbstractIncomingMessage]], Awaitable[None]]


async def consume(
    pool: asyncpg.Pool, amqp_url: str, queue: str, *, batch: int, handle: Handle, done: asyncio.Event
) -> None:
    """Batches as transactions with an inbox, acknowledged after the commit."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=batch * 2)
        waiting: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        await (await channel.get_queue(queue)).consume(waiting.put)
        while True:
            messages = [await waiting.get()]
            with contextlib.suppress(asyncio.QueueEmpty):
                while len(messages) < batch:
                    messages.append(waiting.get_nowait())
            async with pool.acquire() as session, session.transaction():
                await session.execute(
                    "insert into inbox select $1, unnest($2::uuid[])", queue, [one.message_id for one in messages]
                )
                await handle(session, messages)
            done.set()
            await messages[-1].ack(multiple=True)


async def ingest(session: asyncpg.Connection, messages: Sequence[AbstractIncomingMessage]) -> None:
    """Pages become rows, and a message each."""
    rows = []
    for message in messages:
        page = json.loads(message.body)
        for one in page["activities"]:
            row = {ours: one[theirs] for theirs, ours in _STRAVA}
            row |= {"strava_id": one["id"], "user_id": page["user_id"], "fetch_seq": page["fetch_seq"]}
            row["start_at"] = datetime.fromisoformat(one["start_date"])
            row["local_start"] = datetime.fromisoformat(one["start_date_local"]).replace(tzinfo=None)
            rows.append(row)
    saved = await session.fetch(_upsert("activities"), *([row[name] for row in rows] for name, _ in _COLUMNS))
    new = {row["strava_id"] for row in saved}
    bodies = [
        json.dumps({**row, "start_at": row["start_at"].isoformat(), "local_start": row["local_start"].isoformat()})
        for row in rows
        if row["strava_id"] in new
    ]
    await write(session, "ingest_outbox", [("activity.recorded", body) for body in bodies])


async def leaderboard(session: asyncpg.Connection, messages: Sequence[AbstractIncomingMessage]) -> None:
    """Rows are added up."""
    rows = [json.loads(message.body) for message in messages]
    for row in rows:
        row["start_at"] = datetime.fromisoformat(row["start_at"])
        row["local_start"] = datetime.fromisoformat(row["local_start"])
    await session.execute(_upsert("facts"), *([row[name] for row in rows] for name, _ in _COLUMNS))
    await session.execute(
        """insert into standings as t
           select sport, id, sum(distance), sum(moving), sum(climb), count(*)
           from unnest($1::text[], $2::uuid[], $3::float8[], $4::int[], $5::float8[])
               as batch (sport, id, distance, moving, climb)
           group by sport, id order by sport, id
           on conflict (sport_type, user_id) do update set distance_m = t.distance_m + excluded.distance_m,
               moving_time_s = t.moving_time_s + excluded.moving_time_s,
               elev_gain_m = t.elev_gain_m + excluded.elev_gain_m, activities = t.activities + excluded.activities""",
        *([row[name] for row in rows] for name in _ADDED),
    )
    changed = json.dumps({"boards": ["running", "cycling"]})
    await write(session, "leaderboard_outbox", [("standings.changed", changed)])


async def main(role: str, database_url: str, amqp_url: str) -> None:
    """Consume and relay until the process is ended."""
    handle, batch = (ingest, PAGES) if role == "ingest" else (leaderboard, BATCH)
    async with (
        asyncpg.create_pool(database_url, min_size=2, max_size=4) as pool,
        relaying(pool, amqp_url, f"{role}_outbox") as filled,
    ):
        await consume(pool, amqp_url, QUEUES[role], batch=batch, handle=handle, done=filled)


async def declare(channel: AbstractChannel, *, archived: bool) -> None:
    """The queues of both services, and the archive if it is to get everything as well, which ours always does."""
    exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
    keys = {"ingest": "activity.fetched", "leaderboard": "activity.recorded", "web": "standings.changed"}
    for role, name in QUEUES.items():
        queue = await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind(exchange, routing_key=keys[role])
    archive = await channel.get_queue(ARCHIVE, ensure=False)
    await (archive.bind if archived else archive.unbind)(exchange, routing_key="#")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
