"""A database, a piece of the broker and wires for each test."""

import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aio_pika
import httpx
import pytest
import structlog
from sqlalchemy import text

from shared.contracts import queues
from shared.database.engine import Database, create_engine
from shared.database.tables import service_metadata
from shared.messaging import topology

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode leaves the test rig unfindable

from rig import STEPS, TABLES, Broker, Noted, Wire

# Its default draws each exception in colours, for seconds.
structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])


@pytest.fixture(scope="session")
async def database_url(database_url_for: Callable[[str], str]) -> str:
    url = database_url_for("shared")
    engine = create_engine(url, "tests")
    async with engine.begin() as connection:
        await connection.run_sync(service_metadata().create_all)
        await connection.execute(
            text("create table effects (number bigint, xid text default pg_current_xact_id()::text)")
        )
    await engine.dispose()
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The test's database, empty."""
    database = Database(create_engine(database_url, "tests"))
    async with database.transaction() as session:
        await session.execute(text(f"truncate {', '.join(TABLES)}"))
    yield database
    await database.engine.dispose()


@pytest.fixture
async def wire() -> AsyncIterator[Callable[[str], Awaitable[Wire]]]:
    """wire(url): a proxy to that server."""
    wires: list[Wire] = []

    async def make(url: str) -> Wire:
        wires.append(Wire(url))
        await wires[-1].start()
        return wires[-1]

    yield make
    for one in wires:
        await one.stop()


@pytest.fixture
async def broker(rabbitmq_url: str, management_url: str) -> AsyncIterator[Broker]:
    mark = secrets.token_hex(4)
    event = type("Noted", (Noted,), {"producer": f"p{mark}", "__module__": __name__})
    queue = f"c{mark}.work"
    steps = {**queues.RETRY_STEPS, "10s": 600_000}
    await topology.declare(rabbitmq_url, management_url, {queue: (event,)}, steps)
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        broker = Broker(rabbitmq_url, channel, event, queue)
        yield broker
        async with httpx.AsyncClient(base_url=management_url) as management:
            for name in [queue, broker.letters, *map(broker.waiting, STEPS), *broker.extra]:
                await channel.queue_delete(name, if_unused=False, if_empty=False)
                await management.delete(f"/api/policies/%2f/{name}")
        await channel.exchange_delete(broker.exchange)
