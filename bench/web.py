"""How many board pages web answers beside a bare route, and how soon 1,000 open pages hear of a change.

`python bench/web.py` prints one line of JSON. web and leaderboard are the real processes on a private Postgres and
RabbitMQ, with a club of 300 on the boards. The bare route is a FastAPI application without middleware, on the same
server, that returns the very bytes that web does; both are asked in turns over 32 connections by a client written in
C, and the figures are medians. A change is an activity on leaderboard's queue; it counts from the moment that the
database calls the commit of the new revision until the first byte of the news at each page.
"""

import asyncio
import json
import re
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
import httpx
import uuid_utils.compat as uuid_utils

from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.servers.packages import Program, ensure_program
from devstack.servers.roles import create_roles
from devstack.servers.servers import Servers, private_servers
from devstack.stack.provision import upgrade
from devstack.stack.stack import is_healthy
from shared.contracts.envelope import encode_attributes
from shared.contracts.events import Event
from shared.contracts.queues import exchange_name
from shared.messaging import topology
from shared.messaging.publisher import Publisher
from testkit.events import authorized, recorded
from testkit.waiting import wait_until

PEOPLE = 300
OPEN_PAGES = 1_000
CHANGES = 20
ROUNDS = 3
ROUND_S = 4
CONNECTIONS = 32
GAP_S = 1.5  # between changes, so that none waits for the second that another one had
KEY = "a-key-for-a-benchmark"


class Bench:
    """The servers, the services, and the bare route."""

    def __init__(self, supervisor: Supervisor, servers: Servers, urls: dict[str, str], client: Program) -> None:
        self._supervisor = supervisor
        self._servers = servers
        self._urls = urls
        self._client = client
        self._publisher = Publisher(servers.rabbitmq.url, "bench")
        self._ports = dict(zip(("leaderboard", "web", "bare"), reserve_ports(3), strict=True))
        self._today = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0, tzinfo=None)
        self._activities = 0
        self._internal_urls: dict[str, str] = {}

    @asynccontextmanager
    async def services(self) -> AsyncIterator[None]:
        first_day = self._today.date() - timedelta(days=20)
        async with AsyncExitStack() as stack:
            await self._serve(
                stack,
                "leaderboard",
                LEADERBOARD_API_KEY=KEY,
                LEADERBOARD_OPERATOR_KEY="another-key-for-a-benchmark",
                CHALLENGE_FIRST_DAY=str(first_day),
                CHALLENGE_LAST_DAY=str(first_day + timedelta(days=40)),
            )
            await self._serve(
                stack,
                "web",
                AUTH_URL="http://127.0.0.1:1",
                AUTH_API_KEY=KEY,
                LEADERBOARD_URL=f"http://127.0.0.1:{self._ports['leaderboard']}",
                LEADERBOARD_API_KEY=KEY,
                WEB_OPERATOR_KEY="another-key-for-a-benchmark",
                PUBLIC_URL="http://localhost",
                MAX_STREAMS_PER_ADDRESS=str(2 * OPEN_PAGES),
            )
            yield
        await self._publisher.close()

    async def _serve(self, stack: AsyncExitStack, name: str, **settings: str) -> None:
        [internal_port] = reserve_ports(1)
        self._internal_urls[name] = f"http://127.0.0.1:{internal_port}"
        env = {
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": self._urls[name],
            "RABBITMQ_URL": self._servers.rabbitmq.url,
            "HTTP_PORT": str(self._ports[name]),
            "INTERNAL_PORT": str(internal_port),
            "LOG_LEVEL": "ERROR",
            **settings,
        }
        await self._supervisor.start(name, [sys.executable, "-P", "-m", f"{name}.main"], env=env)
        stack.push_async_callback(self._supervisor.stop, name)
        async with httpx.AsyncClient() as client:
            address = f"{self._internal_urls[name]}/health/ready"
            await self._supervisor.wait_until_ready(name, lambda: is_healthy(client, address), 60)

    async def fill(self) -> None:
        """A club whose members have all run once."""
        ids = [UUID(int=number) for number in range(1, PEOPLE + 1)]
        await self._publish(*(authorized(one, f"Person {one.int} K.") for one in ids))
        await self._publish(*(self._activity(one, one.int) for one in ids))
        async with httpx.AsyncClient(base_url=self.url("web")) as client:

            async def is_complete() -> bool:
                return f"{PEOPLE} participants" in (await client.get("/")).text

            await wait_until(is_complete, "everybody is on the board")

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._ports[name]}"

    def _activity(self, user_id: UUID, km: float) -> Event:
        self._activities += 1
        start = self._today - timedelta(hours=self._activities // PEOPLE * 2)
        return recorded(
            self._activities, user_id=user_id, km=km, local_start=start, start_at=start.replace(tzinfo=UTC)
        )

    async def _publish(self, *events: Event) -> None:
        now = datetime.now(UTC)
        errors = await self._publisher.publish_all([_outgoing(event, now) for event in events])
        assert not any(errors), errors

    async def compare_pages(self) -> dict[str, Any]:
        """Requests a second of the board page and of the bare route, in turns."""
        path = "/c/main/running"
        async with httpx.AsyncClient(base_url=self.url("web"), headers={"Accept-Encoding": "gzip"}) as client:
            request = client.build_request("GET", path)
            response = await client.send(request, stream=True)
            content = b"".join([chunk async for chunk in response.aiter_raw()])
            await response.aclose()
        assert response.headers["content-encoding"] == "gzip"
        body = self._servers.topology_declared.parent / "page.gz"
        body.write_bytes(content)
        bare = [sys.executable, "-P", str(Path(__file__).parent / "web_bare.py"), str(self._ports["bare"]), str(body)]
        await self._supervisor.start("bare", bare, env={"PATH": "/usr/bin:/bin"})
        async with httpx.AsyncClient() as client:
            await self._supervisor.wait_until_ready("bare", lambda: is_healthy(client, self.url("bare")), 20)
        sides: dict[str, list[float]] = {"web": [], "bare": []}
        for turn in range(ROUNDS + 1):  # the first warms up and is not counted
            for side in sorted(sides, reverse=turn % 2 == 1):
                sides[side].append(await self._ask(self.url(side) + (path if side == "web" else "/")))
        await self._supervisor.stop("bare")
        rates = {side: statistics.median(values[1:]) for side, values in sides.items()}
        return {
            "pages_per_s": round(rates["web"]),
            "bare_per_s": round(rates["bare"]),
            "ratio": round(rates["web"] / rates["bare"], 2),
            "page_bytes": len(content),
        }

    async def _ask(self, url: str) -> float:
        process = await asyncio.create_subprocess_exec(
            str(self._client.path),
            *("-t1", f"-c{CONNECTIONS}", f"-d{ROUND_S}s", "-H", "Accept-Encoding: gzip", url),
            env=dict(self._client.env) or None,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        text = output.decode()
        assert "Non-2xx" not in text, text
        found = re.search(r"Requests/sec:\s+([\d.]+)", text)
        assert found, text
        return float(found[1])

    async def push(self) -> dict[str, Any]:
        """Milliseconds from the commit of a change until each open page has the first byte of it."""
        before = await self._web_memory_kb()
        pages = [await OpenPage.open(self._ports["web"]) for _ in range(OPEN_PAGES)]
        await asyncio.sleep(1)
        memory = (await self._web_memory_kb() - before) / OPEN_PAGES
        connection = await asyncpg.connect(self._urls["leaderboard"].replace("+asyncpg", ""))
        took: list[float] = []
        for number in range(1, CHANGES + 1):
            heard = [page.heard for page in pages]
            await self._publish(self._activity(UUID(int=number), 400 + number))
            await wait_until(
                lambda heard=heard: all(page.heard > count for page, count in zip(pages, heard, strict=True)),
                "every open page hears of the change",
            )
            changed_at = (await connection.fetchval("select changed_at from challenges")).timestamp()
            took += [1000 * (page.heard_at - changed_at) for page in pages]
            await asyncio.sleep(GAP_S)
        await connection.close()
        sizes = [size for page in pages for size in page.sizes[1:]]
        for page in pages:
            page.close()
        quantiles = statistics.quantiles(took, n=100)
        return {
            "open_pages": OPEN_PAGES,
            "push_p50_ms": round(quantiles[49]),
            "push_p95_ms": round(quantiles[94]),
            "push_bytes": round(statistics.median(sizes)),
            "kb_per_page": round(memory),
        }

    async def _web_memory_kb(self) -> float:
        async with httpx.AsyncClient() as client:
            metrics = (await client.get(f"{self._internal_urls['web']}/metrics")).text
        found = re.search(r"^process_resident_memory_bytes (\S+)", metrics, re.MULTILINE)
        assert found
        return float(found[1]) / 1024


class OpenPage(asyncio.Protocol):
    """A live page, and when it last heard something that is more than a ping."""

    MIN_NEWS_BYTES = 200

    def __init__(self) -> None:
        self.heard, self.heard_at = 0, 0.0
        self.sizes: list[int] = []
        self.is_there = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, port: int) -> "OpenPage":
        _, page = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        await page.is_there.wait()
        return page

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(
            b"GET /live/c/main/running?lang=en HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        if len(data) >= self.MIN_NEWS_BYTES:
            self.heard += 1
            self.heard_at = time.time()
            self.sizes.append(len(data))
            self.is_there.set()

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


def _outgoing(event: Event, now: datetime) -> tuple[aio_pika.Message, str, str]:
    event_id = uuid_utils.uuid7()
    message = aio_pika.Message(
        event.model_dump_json().encode(),
        headers=dict(encode_attributes(event, event_id, now)),
        message_id=str(event_id),
        type=event.event_type(),
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
    return message, exchange_name(event.producer), event.routing_key()


async def main() -> None:
    client = ensure_program("wrk", "wrk", lambda line: sys.stderr.write(f"{line}\n"))
    async with Supervisor() as supervisor, private_servers(None, supervisor) as servers:
        urls = await create_roles(servers.postgres, ["leaderboard", "web"])
        for service, url in urls.items():
            await upgrade(service, url)
        await topology.declare(servers.rabbitmq.url, servers.rabbitmq.management_url)
        bench = Bench(supervisor, servers, urls, client)
        async with bench.services():
            await bench.fill()
            result = {**await bench.compare_pages(), **await bench.push()}
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
