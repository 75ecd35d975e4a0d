"""A consumer's queue of each test's own, a database for its consumer, and the command line."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from click.testing import Result
from dead_letter_helpers import Gruppetto
from typer.testing import CliRunner

from ops import archive_cli, dead_letters_cli
from ops.cli import app
from shared.database.engine import Database
from testkit.consumer_queue import ConsumerQueue
from testkit.tcp_proxy import TcpProxy


@pytest.fixture(autouse=True)
def known_queues(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands know no queue but the test's."""
    queue = request.getfixturevalue("queue") if "queue" in request.fixturenames else None
    if isinstance(queue, ConsumerQueue):
        for module in (dead_letters_cli, archive_cli):
            monkeypatch.setattr(module, "QUEUES", {queue.name: (queue.event,)})


@pytest.fixture
async def proxy(rabbitmq_url: str, make_proxy: Callable[[str], Awaitable[TcpProxy]]) -> TcpProxy:
    """A proxy to the broker."""
    return await make_proxy(rabbitmq_url)


@pytest.fixture
def gruppetto(rabbitmq_url: str) -> Gruppetto:
    """gruppetto("dead-letters", "list"): the command, run to its end."""

    async def run(*words: str, url: str = rabbitmq_url, answer: str | None = None) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, words, env={"RABBITMQ_URL": url}, input=answer)

    return run


@pytest.fixture
def database(effects_database: Database) -> Database:
    """A consumer's database, empty."""
    return effects_database
