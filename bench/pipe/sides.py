"""A service and its floor, which take turns on the same servers."""

import asyncio
import statistics
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import asyncpg
import structlog
from aio_pika.abc import AbstractChannel
from pipe import floor
from pipe.service import Outgoing, start_service

from devstack.process.supervisor import Supervisor
from devstack.servers.roles import create_roles
from devstack.servers.servers import private_servers
from devstack.stack.provision import upgrade
from shared.messaging import topology
from shared.messaging.publisher import Publisher
from testkit.tcp_proxy import proxy_to

OURS, FLOOR, BARE_FLOOR = "ours", "floor", "floor without archive"
#: Ours with a database whose answers come late, as from another machine: what replicas wait for then is no processor.
FAR_OURS = "ours far from the database"
FAR_S = 0.005
ROUNDS = 3
CONNECTS_S = 1.5  # a process of the floor, which cannot be asked


def is_ours(side: str) -> bool:
    """Whether the service is measured, and no floor."""
    return side in (OURS, FAR_OURS)


class Sides:
    """The servers, and the processes of the side whose turn it is."""

    def __init__(
        self, supervisor: Supervisor, service: str, urls: dict[str, str], far_url: str, amqp_url: str
    ) -> None:
        self._supervisor = supervisor
        self._service = service
        self._urls = urls
        self._far_url = far_url
        self._amqp_url = amqp_url
        self._publisher = Publisher(amqp_url, "bench")

    @property
    def database_url(self) -> str:
        """Of the service."""
        return self._urls[self._service]

    @asynccontextmanager
    async def connect(self, side: str) -> AsyncIterator[asyncpg.Connection]:
        """To the database of a side."""
        connection = await asyncpg.connect(self._get_url(side).replace("+asyncpg", ""))
        try:
            yield connection
        finally:
            await connection.close()

    def _get_url(self, side: str) -> str:
        return self._urls[self._service if is_ours(side) else "floor"]

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        """To the broker."""
        async with await aio_pika.connect(self._amqp_url) as connection:
            yield await connection.channel()

    async def publish(self, messages: Iterable[Outgoing]) -> None:
        """All of them, confirmed."""
        errors = await self._publisher.publish_all(list(messages))
        assert not any(errors), errors

    @asynccontextmanager
    async def processes(self, side: str, replicas: int) -> AsyncIterator[None]:
        """Running, with the queues and the archive as they are on this side."""
        async with self.channel() as channel:
            await floor.declare(channel, archived=side != BARE_FLOOR)
        names = [f"{'ours' if is_ours(side) else 'floor'}-{number}" for number in range(replicas)]
        for name in names:
            await self._start(name, side)
        if not is_ours(side):
            await asyncio.sleep(CONNECTS_S)
        yield
        for name in names:
            await self._supervisor.stop(name)

    async def _start(self, name: str, side: str) -> None:
        if is_ours(side):
            database_url = self._far_url if side == FAR_OURS else self.database_url
            await start_service(self._supervisor, name, self._service, database_url, self._amqp_url)
            return
        url = self._get_url(side).replace("+asyncpg", "")
        argv = [sys.executable, "-P", floor.__file__, self._service, url, self._amqp_url]
        await self._supervisor.start(name, argv, env={"PATH": "/usr/bin:/bin"})

    async def prepare(self) -> None:
        """Create the tables of the floor."""
        async with self.connect(FLOOR) as connection:
            for table in floor.TABLES:
                await connection.execute(table)

    async def close(self) -> None:
        """Disconnect from the broker."""
        await self._publisher.close()


@asynccontextmanager
async def open_sides(service: str) -> AsyncIterator[Sides]:
    """Private servers with the schemas of ingest or leaderboard and of its floor."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    async with Supervisor() as supervisor, private_servers(None, supervisor) as servers:
        urls = await create_roles(servers.postgres, [service, "floor"])
        await upgrade(service, urls[service])
        await topology.declare(servers.rabbitmq.url, servers.rabbitmq.management_url)
        async with proxy_to(urls[service]) as proxy:
            proxy.delay_s = FAR_S
            sides = Sides(supervisor, service, urls, proxy.url, servers.rabbitmq.url)
            await sides.prepare()
            yield sides
            await sides.close()


async def take_turns(measure: Callable[[str, int], Awaitable[float]]) -> dict[str, Any]:
    """Floors and replicas in turns; `measure` gives the activities a second of a side with so many replicas."""
    turns = {
        "floor": (FLOOR, 1),
        "bare": (BARE_FLOOR, 1),
        "1": (OURS, 1),
        "2": (OURS, 2),
        "far 1": (FAR_OURS, 1),
        "far 2": (FAR_OURS, 2),
    }
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(ROUNDS + 1):  # the first warms up
        for name in turns if number % 2 else reversed(turns):
            rate = await measure(*turns[name])
            rates[name] += [rate] if number else []
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "activities_per_s": round(medians["1"]),
        "floor_per_s": round(medians["floor"]),
        "ratio": round(medians["1"] / medians["floor"], 2),
        "floor_without_archive_per_s": round(medians["bare"]),
        "ratio_without_archive": round(medians["1"] / medians["bare"], 2),
        "two_replicas_per_s": round(medians["2"]),
        "far_database": {"activities_per_s": round(medians["far 1"]), "two_replicas_per_s": round(medians["far 2"])},
    }
