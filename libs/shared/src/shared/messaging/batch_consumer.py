"""Consumes a durable queue in batches and settles every message: acknowledged after commit, or copied elsewhere."""

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from typing import TypeAlias

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from shared.contracts.queues import RETRY_STEPS, dead_letter_queue, retry_queue
from shared.database.engine import Database
from shared.messaging import decoding, redelivery
from shared.messaging.consumer import QueueConsumer
from shared.messaging.decoding import Delivery, InvalidMessage
from shared.messaging.inbox import Handlers, InboxProcessor, Prepare
from shared.messaging.publisher import BROKER_ERRORS, Publisher
from shared.observability import metrics

log = structlog.stdlib.get_logger(__name__)

Arrival: TypeAlias = tuple[AbstractIncomingMessage, Delivery]


class BatchConsumer:
    """Consumes one durable queue.

    A message is unsettled from its arrival until it is acknowledged, which happens after its effect is committed or a
    copy of it is confirmed in a retry or dead letter queue. When its connection is lost before, it is released: the
    broker redelivers it.
    """

    def __init__(
        self,
        queue: str,
        handlers: Handlers,
        database: Database,
        dead_letter_publisher: Publisher,
        *,
        batch: int,
        wait_s: float,
        prepare: Prepare | None = None,
    ) -> None:
        self.queue = queue
        self.consumer = QueueConsumer(queue, self._find, self._receive, prefetch=batch * 2)
        self._handlers = handlers
        self._processor = InboxProcessor(queue, database, handlers, prepare)
        self._publisher = dead_letter_publisher
        self._batch = batch
        self._wait_s = wait_s
        self._arrived: list[Arrival] = []
        self._unsettled: set[AbstractIncomingMessage] = set()
        self._more = asyncio.Event()
        self._full = asyncio.Event()
        self._idle = asyncio.Event()
        self._copy_tasks: set[asyncio.Task[None]] = set()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start processing what arrives."""
        self._worker = asyncio.create_task(self._run())

    async def drain(self) -> None:
        """Wait until every message is settled."""
        while self._unsettled:
            self._idle.clear()
            await self._idle.wait()

    async def stop(self) -> None:
        """Stop processing; the broker redelivers what is unsettled."""
        tasks = [*self._copy_tasks, *([self._worker] if self._worker else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._arrived.clear()
        self._unsettled.clear()
        self._worker = None

    @property
    def is_running(self) -> bool:
        """Whether arriving messages are processed."""
        return self._worker is not None and not self._worker.done()

    async def _find(self, channel: AbstractChannel) -> AbstractQueue:
        return await channel.get_queue(self.queue, ensure=False)

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        self._unsettled.add(message)
        try:
            delivery = decoding.decode_delivery(message, self._handlers)
        except InvalidMessage as invalid:
            copying = redelivery.dead_letter_invalid(self._publisher, self.queue, message, str(invalid))
            self._settle_by_copy(message, copying)
            return
        self._arrived.append((message, delivery))
        self._more.set()
        if len(self._arrived) >= self._batch:
            self._full.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._process_batch(await self._gather())
            except Exception:  # a bug of ours: start again, and have what is unsettled redelivered
                log.exception("worker failed", queue=self.queue)
                await self.consumer.close()
                self._arrived.clear()
                self._release(list(self._unsettled))

    async def _process_batch(self, gathered: Sequence[Arrival]) -> None:
        self._release([message for message, _ in gathered if _channel(message) is None])
        arrivals = [(message, delivery) for message, delivery in gathered if message in self._unsettled]
        if not arrivals:
            return
        outcomes = await self._processor.process([delivery for _, delivery in arrivals])
        done = []
        for (message, _), error in zip(arrivals, outcomes, strict=True):
            if error is None:
                done.append(message)
            else:
                self._settle_by_copy(message, self._retry_or_dead_letter(message, error))
        await self._acknowledge(done)

    async def _gather(self) -> list[Arrival]:
        while not self._arrived:
            self._more.clear()
            await self._more.wait()
        if len(self._arrived) < self._batch:
            self._full.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wait_s):
                    await self._full.wait()
        taken, self._arrived = self._arrived[: self._batch], self._arrived[self._batch :]
        return taken

    def _release(self, messages: Sequence[AbstractIncomingMessage]) -> None:
        self._unsettled.difference_update(messages)
        if not self._unsettled:
            self._idle.set()

    async def _acknowledge(self, done: Sequence[AbstractIncomingMessage]) -> None:
        for message, multiple in self._acknowledgements(done):
            try:
                await message.ack(multiple=multiple)
            except BROKER_ERRORS as error:
                # The connection was lost after the commit: the broker redelivers, and the inbox recognises it.
                log.info("acknowledgement lost", queue=self.queue, error=type(error).__name__)
        self._release(done)

    def _acknowledgements(
        self, done: Sequence[AbstractIncomingMessage]
    ) -> list[tuple[AbstractIncomingMessage, bool]]:
        """One for all of them, if everything that came before the last one is settled; else one for each."""
        channels = {id(_channel(message)) for message in done}
        if len(channels) != 1:  # tags begin anew with each channel
            return [(message, False) for message in done]
        last = max(done, key=_tag)
        others = self._unsettled.difference(done)
        if any(id(_channel(message)) in channels and _tag(message) < _tag(last) for message in others):
            return [(message, False) for message in done]
        return [(last, True)]

    def _settle_by_copy(self, message: AbstractIncomingMessage, copying: Awaitable[None]) -> None:
        async def copy_and_acknowledge() -> None:
            try:
                await copying
            except Exception:  # a bug of ours: not rejected, which would redeliver its neighbours too
                log.exception("a message stays unsettled", queue=self.queue, message_id=message.message_id)
            else:
                await self._acknowledge([message])

        task = asyncio.create_task(copy_and_acknowledge())
        self._copy_tasks.add(task)
        task.add_done_callback(self._copy_tasks.discard)

    async def _retry_or_dead_letter(self, message: AbstractIncomingMessage, error: Exception) -> None:
        attempt = redelivery.retry_attempt(message)
        steps = list(RETRY_STEPS)
        log.error("handler failed", queue=self.queue, message_id=message.message_id, attempt=attempt, exc_info=error)
        if attempt < len(steps):
            step = steps[attempt]
            copy = redelivery.to_retry(message, attempt + 1, error)
            await redelivery.publish_copy(self._publisher, retry_queue(self.queue, step), copy)
            metrics.RETRIES.labels(self.queue, step).inc()
        else:
            reason = f"{type(error).__name__} after {attempt + 1} attempts"
            copy = redelivery.to_dead_letter(message, reason)
            await redelivery.publish_copy(self._publisher, dead_letter_queue(self.queue), copy)
            metrics.DEAD_LETTERS.labels(self.queue, "failed").inc()


def _channel(message: AbstractIncomingMessage) -> object | None:
    """The channel that the message came over; None when that is closed."""
    try:
        return message.channel
    except aio_pika.exceptions.ChannelInvalidStateError:
        return None


def _tag(message: AbstractIncomingMessage) -> int:
    return message.delivery_tag or 0
