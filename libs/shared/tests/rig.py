"""The test rig: a piece of the broker, a wire that can be cut, and what to look at."""

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aio_pika
import prometheus_client
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from sqlalchemy import text

from shared.contracts import queues
from shared.contracts.events import Event
from shared.database.engine import Database

TABLES = ("outbox", "inbox", "effects")
STEPS = list(queues.RETRY_STEPS)


class Noted(Event):
    """A fact of no meaning; each test gives it a producer of its own."""

    topic = "thing.noted"
    number: int

    @property
    def subject(self) -> str:
        return str(self.number)


async def until(condition: Callable[[], Any], deadline_s: float = 10.0) -> Any:
    """The condition's first true value; fails when there is none in time."""
    async with asyncio.timeout(deadline_s):
        while True:
            value = condition()
            value = await value if inspect.isawaitable(value) else value
            if value:
                return value
            await asyncio.sleep(0.02)


async def stays(condition: Callable[[], Any], duration_s: float) -> None:
    """Fails unless the condition is true each time it is looked at, for that long."""
    end = asyncio.get_running_loop().time() + duration_s
    while asyncio.get_running_loop().time() < end:
        value = condition()
        assert await value if inspect.isawaitable(value) else value
        await asyncio.sleep(0.05)


class Wire:
    """A TCP proxy: `cut` breaks every connection, `away` breaks the new ones too, answers come `late_s` late."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._url = url
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.away = False
        self.late_s = 0.0
        self.refused = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    @property
    def url(self) -> str:
        assert self._server is not None
        address = f"{self._target.hostname}:{self._target.port}"
        return self._url.replace(address, f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}")

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            self.refused += 1
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers |= {writer, far_writer}
        for source, sink, is_answer in ((reader, far_writer, False), (far_reader, writer, True)):
            task = asyncio.create_task(self._pump(source, sink, is_answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(65536):
                if is_answer:
                    await asyncio.sleep(self.late_s)
                sink.write(chunk)
                await sink.drain()
        sink.transport.abort()
        self._writers.discard(sink)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)


@dataclass
class Broker:
    """A producer and a consumer's queue, of this test only."""

    url: str
    channel: AbstractChannel
    event: type[Noted]
    queue: str
    extra: list[str] = field(default_factory=list)

    @property
    def exchange(self) -> str:
        return queues.exchange_name(self.event.producer)

    @property
    def letters(self) -> str:
        return queues.dead_letter_queue(self.queue)

    def waiting(self, step: str) -> str:
        return queues.retry_queue(self.queue, step)

    async def put(self, *numbers: int, **properties: Any) -> None:
        """Put an event for each number right into the queue."""
        for number in numbers:
            await self.put_raw(self.event(number=number).model_dump_json().encode(), **properties)

    async def put_raw(self, body: bytes, *, message_id: UUID | str | None = None, **properties: Any) -> None:
        message = aio_pika.Message(
            body,
            message_id=str(message_id or uuid4()),
            **{"type": self.event.event_type(), **properties},
        )
        await self.channel.default_exchange.publish(message, self.queue)

    async def count(self, queue: str) -> int:
        """How many messages are ready, that is: with no consumer at the moment."""
        return (await self._declared(queue)).declaration_result.message_count or 0

    async def consumers(self) -> int:
        return (await self._declared(self.queue)).declaration_result.consumer_count or 0

    async def take(self, queue: str) -> AbstractIncomingMessage:
        """The next message, removed."""
        declared = await self._declared(queue)
        message: AbstractIncomingMessage = await until(lambda: declared.get(no_ack=True, fail=False))
        return message

    async def _declared(self, queue: str) -> Any:
        return await self.channel.declare_queue(queue, passive=True)


def value(metric: str, labels: dict[str, str] | None = None) -> float:
    """What a metric of this process says now."""
    found = prometheus_client.REGISTRY.get_sample_value(metric, labels)
    assert found is not None, f"no {metric} with {labels}"
    return found


async def effects(database: Database) -> list[int]:
    """What the handlers did and committed."""
    async with database.transaction() as session:
        return list((await session.execute(text("select number from effects order by number"))).scalars())


async def write(session: Any, events: Sequence[Any]) -> None:
    await session.execute(text("insert into effects (number) values (:n)"), [{"n": e.number} for e in events])
