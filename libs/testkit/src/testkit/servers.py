"""Servers for tests, started when they are first used.

TEST_DATABASE_URL (a superuser's) and TEST_RABBITMQ_URL name servers to use instead of private ones; the latter with
TEST_RABBITMQ_MANAGEMENT_URL, unless that is on the usual port. The private broker collects statistics, as operators'
brokers do, unless TEST_RABBITMQ_STATISTICS is "off"; those of the demo and the storms never do.
"""

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.servers.postgres import PostgresServer
from devstack.servers.roles import Role, check_name, create_schemas, open_connection, with_database
from devstack.servers.secret_store import generate_secret
from devstack.servers.servers import stack_folder, start_rabbitmq

T = TypeVar("T")


def report(line: str) -> None:
    """Print to the original standard error, past any capturing by a test."""
    print(line, file=sys.__stderr__, flush=True)


class LazyServers:
    """Starts each server when it is first asked for, and keeps it until the end.

    The processes belong to a thread with a loop of its own, so that they outlive any test's loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="devstack", daemon=True)
        self._thread.start()
        self._context = AsyncExitStack()
        self._stack: tuple[Supervisor, Path] | None = None

    @property
    def stack_id(self) -> str | None:
        """The id of the private servers' processes; None while there are none."""
        return self._stack[0].stack_id if self._stack else None

    @cached_property
    def superuser_url(self) -> str:
        """Of Postgres: TEST_DATABASE_URL, or a private server's that is quick and not durable."""
        return os.environ.get("TEST_DATABASE_URL") or self.call(self._start_postgres())

    @cached_property
    def rabbitmq(self) -> tuple[str, str]:
        """The broker's address and its management API's: TEST_RABBITMQ_URL's, or a private one's."""
        url = os.environ.get("TEST_RABBITMQ_URL")
        return (url, _management_url(url)) if url else self.call(self._start_rabbitmq())

    def database(self, *schemas: str) -> dict[str, str]:
        """A new database, dropped at the end, with a role for each schema; returns {schema: database url}."""
        return self.call(self._context.enter_async_context(fresh_database(self.superuser_url, *schemas)))

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine in the servers' own loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self) -> None:
        """End everything that was started."""
        self.call(self._context.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start_postgres(self) -> str:
        supervisor, folder = await self._started()
        server = PostgresServer(folder / "postgres", reserve_ports(1)[0], durable=False)
        await server.start(supervisor)
        return server.superuser_url()

    async def _start_rabbitmq(self) -> tuple[str, str]:
        supervisor, folder = await self._started()
        statistics = os.environ.get("TEST_RABBITMQ_STATISTICS") != "off"
        server = await start_rabbitmq(folder / "rabbitmq", supervisor, report, statistics=statistics)
        return server.url, server.management_url

    async def _started(self) -> tuple[Supervisor, Path]:
        if self._stack is None:
            supervisor = await self._context.enter_async_context(Supervisor())
            self._stack = supervisor, self._context.enter_context(stack_folder(None, supervisor))
        return self._stack


@contextmanager
def running_servers() -> Iterator[LazyServers]:
    """Servers for a block of tests; each starts when it is first used. They end even when this process is killed."""
    servers = LazyServers()
    try:
        yield servers
    finally:
        servers.close()


@asynccontextmanager
async def fresh_database(superuser_url: str, *schemas: str) -> AsyncIterator[dict[str, str]]:
    """A new database with a role and a schema for each name: {schema: database url}; dropped at the end."""
    unique = secrets.token_hex(4)
    database = f"test_{unique}"
    roles = [Role(f"{check_name(schema)}_{unique}", generate_secret(), schema) for schema in schemas]
    try:
        await create_schemas(superuser_url, database, roles)
        yield {role.schema: _url(superuser_url, role, database) for role in roles}
    finally:
        await _drop(superuser_url, database, roles)


def _management_url(rabbitmq_url: str) -> str:
    parts = urlsplit(rabbitmq_url)
    usual = f"http://{parts.username}:{parts.password}@{parts.hostname}:15672"
    return os.environ.get("TEST_RABBITMQ_MANAGEMENT_URL", usual)


def _url(superuser_url: str, role: Role, database: str) -> str:
    address = with_database(superuser_url, database).rpartition("@")[2]
    return f"postgresql+asyncpg://{role.name}:{role.password}@{address}"


async def _drop(superuser_url: str, database: str, roles: Iterable[Role]) -> None:
    async with open_connection(superuser_url) as connection:
        await connection.execute(f"drop database if exists {database} with (force)")
        for role in roles:
            await connection.execute(f"drop role if exists {role.name}")
