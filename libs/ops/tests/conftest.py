"""A consumer's queue of each test's own, a database for its consumer, and the command line."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aio_pika
import httpx
import pytest
from click.testing import Result
from sqlalchemy import text
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[2] / "shared" / "tests"))  # importlib mode leaves the rig unfindable
sys.path.insert(0, str(Path(__file__).parent))

from desk import Gruppetto
from rig import TABLES, Broker, Noted, Wire

from ops import archive_cli, letters_cli
from ops.cli import app
from shared.contracts import queues
from shared.database.engine import Database, create_engine
from shared.database.tables import service_metadata
from shared.messaging import topology


@pytest.fixture
async def broker(rabbitmq_url: str, management_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Broker]:
    """One queue with its dead letters; the commands know no other."""
    mark = secrets.token_hex(4)
    event = type("Noted", (Noted,), {"producer": f"p{mark}", "__module__": __name__})
    queue = f"c{mark}.work"
    steps = {**queues.RETRY_STEPS, "10s": 600_000}
    for module in (letters_cli, archive_cli):
        monkeypatch.setattr(module, "QUEUES", {queue: (event,)})
    await topology.declare(rabbitmq_url, management_url, {queue: (event,)}, steps)
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        broker = Broker(rabbitmq_url, channel, event, queue)
        yield broker
        async with httpx.AsyncClient(base_url=management_url) as management:
            for name in [queue, broker.letters, *map(broker.waiting, queues.RETRY_STEPS), *broker.extra]:
                await channel.queue_delete(name, if_unused=False, if_empty=False)
                await management.delete(f"/api/policies/%2f/{name}")
        await channel.exchange_delete(broker.exchange)


@pytest.fixture
async def wire(rabbitmq_url: str) -> AsyncIterator[Wire]:
    """A proxy to the broker."""
    wire = Wire(rabbitmq_url)
    await wire.start()
    yield wire
    await wire.stop()


@pytest.fixture
def gruppetto(rabbitmq_url: str) -> Gruppetto:
    """gruppetto("letters", "list"): the command, run to its end."""

    async def run(*words: str, url: str = rabbitmq_url, answer: str | None = None) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, words, env={"RABBITMQ_URL": url}, input=answer)

    return run


@pytest.fixture(scope="session")
async def database_url(database_url_for: Callable[[str], str]) -> str:
    url = database_url_for("ops")
    engine = create_engine(url, "tests")
    async with engine.begin() as connection:
        await connection.run_sync(service_metadata().create_all)
        await connection.execute(text("create table effects (number bigint)"))
    await engine.dispose()
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A consumer's database, empty."""
    database = Database(create_engine(database_url, "tests"))
    async with database.transaction() as session:
        await session.execute(text(f"truncate {', '.join(TABLES)}"))
    yield database
    await database.engine.dispose()
