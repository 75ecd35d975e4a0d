"""The fixtures that every test may use: `pytest_plugins = ["testkit.plugin"]`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from shared.database.engine import Database
from testkit import effects
from testkit.consumer_queue import ConsumerQueue, declared_queue
from testkit.databases import open_database
from testkit.tcp_proxy import TcpProxy, proxy_to


@pytest.fixture
async def queue(rabbitmq_url: str, management_url: str) -> AsyncIterator[ConsumerQueue]:
    """A producer and a consumer's queue of this test only."""
    async with declared_queue(rabbitmq_url, management_url) as declared:
        yield declared


@pytest.fixture
async def make_proxy() -> AsyncIterator[Callable[[str], Awaitable[TcpProxy]]]:
    """make_proxy(url): a proxy to that server."""
    async with AsyncExitStack() as stack:
        yield lambda url: stack.enter_async_context(proxy_to(url))


@pytest.fixture(scope="session")
async def effects_database_url(database_url_for: Callable[[str], str]) -> str:
    """The database with the table of effects."""
    url = database_url_for("effects")
    await effects.create_tables(url)
    return url


@pytest.fixture
async def effects_database(effects_database_url: str) -> AsyncIterator[Database]:
    """The same, empty and open."""
    async with open_database(effects_database_url) as database:
        await effects.truncate_tables(database)
        yield database
