"""The frame of a service: health, and an end that loses nothing."""

import asyncio
import json
import os
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import AmqpDsn, PostgresDsn
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from devstack.process.ports import reserve_ports
from devstack.stack.stack import is_healthy
from shared.database.engine import Database
from shared.messaging.outbox import emit
from shared.service import Service, bind_socket
from shared.settings import ServiceSettings
from testkit.consumer_queue import ConsumerQueue
from testkit.tcp_proxy import TcpProxy
from testkit.waiting import stays_true, wait_until


def new_service(database_url: str, rabbitmq_url: str) -> Service:
    settings = ServiceSettings(
        database_url=PostgresDsn(database_url),
        rabbitmq_url=AmqpDsn(rabbitmq_url),
        http_port=1,
        internal_port=2,
        outbox_poll_interval=0.02,
    )
    return Service("tests", settings)


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(service.internal_app)
    async with (
        service.app.router.lifespan_context(service.app),
        httpx.AsyncClient(transport=transport, base_url="http://it") as client,
    ):
        yield client


async def _is(client: httpx.AsyncClient, path: str, status: int) -> bool:
    return (await client.get(f"/health/{path}")).status_code == status


async def test_it_is_ready_while_both_servers_are_there_and_alive_without_them(
    database: Database,
    queue: ConsumerQueue,
    database_url: str,
    make_proxy: Callable[[str], Awaitable[TcpProxy]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.service.LIVENESS_TIMEOUT", timedelta(seconds=2))
    monkeypatch.setattr("shared.messaging.outbox._LONGEST_WAIT_S", 0.2)
    proxies = [await make_proxy(database_url), await make_proxy(queue.url)]
    service = new_service(*(proxy.url for proxy in proxies))
    service.bus.subscribe(queue.name, {queue.event: _pass_on})
    async with running(service) as client:
        for proxy in proxies:
            await wait_until(lambda: _is(client, "ready", 200))
            proxy.refusing = True
            proxy.cut()
            await wait_until(lambda: _is(client, "ready", 503))
            await stays_true(lambda: _is(client, "live", 200), 3)
            proxy.refusing = False
        await wait_until(lambda: _is(client, "ready", 200))


async def test_a_consumer_that_is_gone_for_long_while_the_broker_is_there_asks_for_a_restart(
    database: Database, queue: ConsumerQueue, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.service.LIVENESS_TIMEOUT", timedelta(seconds=0.5))
    service = new_service(database_url, queue.url)
    service.bus.subscribe(queue.name, {queue.event: _pass_on})
    async with running(service) as client:
        assert await _is(client, "live", 200)
        monkeypatch.setattr(type(service.bus), "is_consuming", _never)
        await wait_until(lambda: _is(client, "live", 503))
        assert await _is(client, "ready", 503)


async def test_what_was_in_hand_at_the_end_is_finished_and_its_events_are_published(
    database: Database, queue: ConsumerQueue, database_url: str
) -> None:
    service = new_service(database_url, queue.url)
    service.bus.subscribe(queue.name, {queue.event: _pass_on})
    archive = await queue.channel.declare_queue(f"{queue.name}.heard", durable=True)
    queue.extra.append(archive.name)
    await archive.bind(queue.exchange, "thing.noted.v1")
    async with database.engine.connect() as connection:
        await connection.execute(text("lock table effects in exclusive mode"))  # the handler waits for it
        async with running(service):
            await queue.put(1)
            await wait_until(lambda: _is_waiting_for_the_lock(database))
            await connection.rollback()
    assert queue.event.model_validate_json((await queue.take(archive.name)).body).number == 2
    async with database.transaction() as session:
        assert (await session.execute(text("select count(*) from outbox"))).scalar_one() == 0


async def _is_waiting_for_the_lock(database: Database) -> bool:
    async with database.transaction() as session:
        return bool((await session.execute(text("select count(*) from pg_locks where not granted"))).scalar_one())


PROGRAM = """
from shared import service
from shared.settings import ServiceSettings

service.serve("tests", ServiceSettings, lambda settings: service.Service("tests", settings))
"""


@asynccontextmanager
async def process(
    database: Database, database_url: str, rabbitmq_url: str, **settings: str
) -> AsyncIterator[Process]:
    """A service as operators run it."""
    env = {"DATABASE_URL": database_url.replace("+asyncpg", ""), "RABBITMQ_URL": rabbitmq_url, **settings}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM),
        env=os.environ | env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


@asynccontextmanager
async def ready_process(
    database: Database, database_url: str, rabbitmq_url: str
) -> AsyncIterator[tuple[Process, int, int]]:
    """One that is ready, with the ports of its two servers."""
    http_port, internal_port = reserve_ports(2)
    ports = {"HTTP_PORT": str(http_port), "INTERNAL_PORT": str(internal_port)}
    address = f"http://127.0.0.1:{internal_port}/health/ready"
    async with process(database, database_url, rabbitmq_url, **ports) as child:
        async with httpx.AsyncClient() as client:
            await wait_until(lambda: is_healthy(client, address), deadline_s=30)
        yield child, http_port, internal_port


async def test_health_and_metrics_are_served_on_a_port_that_faces_no_stranger(
    database: Database, database_url: str, rabbitmq_url: str
) -> None:
    async with ready_process(database, database_url, rabbitmq_url) as (child, http_port, internal_port):
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{internal_port}/health/live")).json() == {"ok": True}
            metrics = (await client.get(f"http://127.0.0.1:{internal_port}/metrics")).text
            for name in ("outbox_pending", "outbox_oldest_age_seconds", "process_resident_memory_bytes"):
                assert f"\n{name} " in metrics
            for path in ("/metrics", "/health/live", "/health/ready", "/openapi.json", "/docs"):
                assert (await client.get(f"http://127.0.0.1:{http_port}{path}")).status_code == 404
        child.terminate()
        assert await child.wait() == 0


async def test_its_log_tells_once_where_it_serves_and_when_it_begins_and_ends(
    database: Database, database_url: str, rabbitmq_url: str
) -> None:
    async with ready_process(database, database_url, rabbitmq_url) as (child, http_port, internal_port):
        child.terminate()
        out, _ = await child.communicate()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["event"] for line in lines] == ["starting", "started", "stopping", "stopped"]
    told = {name: lines[0][name] for name in ("service", "http", "internal", "pid")}
    addresses = {"http": f"127.0.0.1:{http_port}", "internal": f"127.0.0.1:{internal_port}"}
    assert told == {"service": "tests", **addresses, "pid": child.pid}


@pytest.mark.parametrize("name", ["HTTP_PORT", "INTERNAL_PORT"])
async def test_a_port_that_is_taken_is_named(
    database: Database, database_url: str, rabbitmq_url: str, name: str
) -> None:
    free = dict(zip(("HTTP_PORT", "INTERNAL_PORT"), map(str, reserve_ports(2)), strict=True))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {**free, name: str(taken.getsockname()[1])}
        async with process(database, database_url, rabbitmq_url, **ports) as child:
            _, said = await child.communicate()
            assert child.returncode == 2
            assert said.decode().startswith(f"cannot start: {name} {ports[name]} on 127.0.0.1 cannot be used")


async def test_answers_are_not_held_back_until_the_client_has_acknowledged() -> None:
    accepted: asyncio.Queue[int] = asyncio.Queue()

    async def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here = writer.get_extra_info("socket")
        accepted.put_nowait(here.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    server = await asyncio.start_server(look, sock=bind_socket("127.0.0.1", 0))
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await accepted.get() != 0
        writer.close()
        await writer.wait_closed()


async def _never(_bus: object) -> bool:
    return False


async def _pass_on(event: Any, session: AsyncSession) -> None:
    if event.number == 1:
        await session.execute(text("insert into effects (number) values (1)"))
        await emit(session, type(event)(number=2))
