"""Consumes a durable queue of work that takes long: each message is a task of its own, outside any transaction."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from shared.contracts.events import Event
from shared.messaging import decoding, redelivery
from shared.messaging.consumer import QueueConsumer
from shared.messaging.decoding import Delivery, InvalidMessage
from shared.messaging.publisher import BROKER_ERRORS, Publisher
from shared.observability import tracing

log = structlog.stdlib.get_logger(__name__)

#: Does the work that an event asks for. It may be asked for the same again, and must know what is done.
Work: TypeAlias = Callable[[Any], Awaitable[None]]


class WorkConsumer:
    """Runs at most `concurrency` messages of a queue at a time.

    A message is acknowledged when its work has ended, well or badly: whoever asked for it keeps a record of it, and
    asks again. Until then the broker counts it, so the length of the queue says how much is waiting.
    """

    def __init__(
        self,
        queue: str,
        event: type[Event],
        work: Work,
        publisher: Publisher,
        *,
        concurrency: int,
        on_stop: Callable[[], None],
    ) -> None:
        self.queue = queue
        self.consumer = QueueConsumer(queue, self._find, self._receive, prefetch=concurrency)
        self._event = event
        self._work = work
        self._publisher = publisher
        self._on_stop = on_stop
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Nothing has to be started but the consumer."""

    async def drain(self) -> None:
        """Ask the work to stop, and wait until it has."""
        self._on_stop()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Cancel what still runs; the broker redelivers its messages."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def is_running(self) -> bool:
        """Whether arriving messages are processed."""
        return True

    async def _find(self, channel: AbstractChannel) -> AbstractQueue:
        return await channel.get_queue(self.queue, ensure=False)

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        task = asyncio.create_task(self._process(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process(self, message: AbstractIncomingMessage) -> None:
        try:
            await self._run(decoding.decode_delivery(message, [self._event]))
        except InvalidMessage as invalid:
            await redelivery.dead_letter_invalid(self._publisher, self.queue, message, str(invalid))
        except Exception as error:  # whoever asked for it will ask again
            log.exception("work failed", queue=self.queue, message_id=message.message_id, error=type(error).__name__)
        with contextlib.suppress(*BROKER_ERRORS):
            await message.ack()

    async def _run(self, delivery: Delivery) -> None:
        bound = {"queue": self.queue, "message_id": str(delivery.message_id)}
        with (
            tracing.consumer_span(self.queue, [delivery.trace]) as trace_id,
            structlog.contextvars.bound_contextvars(**bound, **({"trace_id": trace_id} if trace_id else {})),
        ):
            await self._work(delivery.event)
