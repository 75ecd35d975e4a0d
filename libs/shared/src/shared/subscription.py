"""A subscription: takes what a queue delivers in batches, and settles every message that it took."""

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from typing import TypeAlias

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from shared import consumer, metrics
from shared.consumer import Delivery, Handlers, InvalidMessage, Processor
from shared.db import Sessions
from shared.feed import Feed
from shared.publisher import BROKER_ERRORS, Publisher
from shared.topology import RETRY_STEPS, dead_letter_queue, retry_queue

HAND_OVER_PAUSE_S = 1.0

log = structlog.stdlib.get_logger(__name__)

Arrival: TypeAlias = tuple[AbstractIncomingMessage, Delivery]


class Subscription:
    """One durable queue and what happens to its messages.

    A message is in hand from its arrival until it is acknowledged, after its effect is committed or a copy of it is
    safe elsewhere. One whose connection is lost before is let go: the broker delivers it again.
    """

    def __init__(
        self, queue: str, handlers: Handlers, sessions: Sessions, letters: Publisher, *, batch: int, wait_s: float
    ) -> None:
        self.queue = queue
        self.feed = Feed(queue, self._find, self._receive, prefetch=batch * 2)
        self._handlers = handlers
        self._processor = Processor(queue, sessions, handlers)
        self._letters = letters
        self._batch = batch
        self._wait_s = wait_s
        self._arrived: list[Arrival] = []
        self._in_hand: set[AbstractIncomingMessage] = set()
        self._more = asyncio.Event()
        self._full = asyncio.Event()
        self._idle = asyncio.Event()
        self._asides: set[asyncio.Task[None]] = set()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work off what will arrive."""
        self._worker = asyncio.create_task(self._work())

    async def drain(self) -> None:
        """Wait until nothing is in hand."""
        while self._in_hand:
            self._idle.clear()
            await self._idle.wait()

    async def stop(self) -> None:
        """Give up what is in hand: the broker delivers it again."""
        tasks = [*self._asides, *([self._worker] if self._worker else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._arrived.clear()
        self._in_hand.clear()
        self._worker = None

    @property
    def working(self) -> bool:
        """Whether what arrives is worked off."""
        return self._worker is not None and not self._worker.done()

    async def _find(self, channel: AbstractChannel) -> AbstractQueue:
        return await channel.get_queue(self.queue, ensure=False)

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        self._in_hand.add(message)
        try:
            delivery = consumer.parse(message, self._handlers)
        except InvalidMessage as invalid:
            self._aside(message, self._refuse(message, str(invalid)))
            return
        self._arrived.append((message, delivery))
        self._more.set()
        if len(self._arrived) >= self._batch:
            self._full.set()

    async def _work(self) -> None:
        while True:
            try:
                await self._work_off(await self._gather())
            except Exception:  # a bug of ours: begin anew, and have what is in hand delivered again
                log.exception("worker failed", queue=self.queue)
                await self.feed.detach()
                self._arrived.clear()
                self._let_go(list(self._in_hand))

    async def _work_off(self, gathered: Sequence[Arrival]) -> None:
        self._let_go([message for message, _ in gathered if _channel(message) is None])
        arrivals = [(message, delivery) for message, delivery in gathered if message in self._in_hand]
        if not arrivals:
            return
        outcomes = await self._processor.process([delivery for _, delivery in arrivals])
        done = []
        for (message, _), error in zip(arrivals, outcomes, strict=True):
            if error is None:
                done.append(message)
            else:
                self._aside(message, self._set_aside(message, error))
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

    def _let_go(self, messages: Sequence[AbstractIncomingMessage]) -> None:
        self._in_hand.difference_update(messages)
        if not self._in_hand:
            self._idle.set()

    async def _acknowledge(self, done: Sequence[AbstractIncomingMessage]) -> None:
        for message, multiple in self._acknowledgements(done):
            try:
                await message.ack(multiple=multiple)
            except BROKER_ERRORS as error:
                # The connection went away after the commit: the broker delivers again, and the inbox knows it.
                log.info("acknowledgement lost", queue=self.queue, error=type(error).__name__)
        self._let_go(done)

    def _acknowledgements(
        self, done: Sequence[AbstractIncomingMessage]
    ) -> list[tuple[AbstractIncomingMessage, bool]]:
        """One for all of them, if everything that came before the last one is settled; else one for each."""
        channels = {id(_channel(message)) for message in done}
        if len(channels) != 1:  # tags begin anew with each channel
            return [(message, False) for message in done]
        last = max(done, key=_tag)
        others = self._in_hand.difference(done)
        if any(id(_channel(message)) in channels and _tag(message) < _tag(last) for message in others):
            return [(message, False) for message in done]
        return [(last, True)]

    def _aside(self, message: AbstractIncomingMessage, hand_over: Awaitable[None]) -> None:
        async def aside() -> None:
            try:
                await hand_over
            except Exception:  # a bug of ours: not given back, where it would take its neighbours with it
                log.exception("a message stays in hand", queue=self.queue, message_id=message.message_id)
            else:
                await self._acknowledge([message])

        task = asyncio.create_task(aside())
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def _refuse(self, message: AbstractIncomingMessage, reason: str) -> None:
        log.warning("dead letter", queue=self.queue, message_id=message.message_id, reason=reason)
        await self._hand_over(dead_letter_queue(self.queue), consumer.dead_letter(message, reason))
        metrics.DEAD_LETTERS.labels(self.queue, "invalid").inc()

    async def _set_aside(self, message: AbstractIncomingMessage, error: Exception) -> None:
        attempt = consumer.attempt_of(message)
        steps = list(RETRY_STEPS)
        log.error("handler failed", queue=self.queue, message_id=message.message_id, attempt=attempt, exc_info=error)
        if attempt < len(steps):
            step = steps[attempt]
            await self._hand_over(retry_queue(self.queue, step), consumer.retry(message, attempt + 1, error))
            metrics.RETRIES.labels(self.queue, step).inc()
        else:
            reason = f"{type(error).__name__} after {attempt + 1} attempts"
            await self._hand_over(dead_letter_queue(self.queue), consumer.dead_letter(message, reason))
            metrics.DEAD_LETTERS.labels(self.queue, "failed").inc()

    async def _hand_over(self, queue: str, copy: aio_pika.Message) -> None:
        """Put a copy elsewhere, confirmed; waits as long as the broker is away. Only then may we ack."""
        while True:
            try:
                return await self._letters.publish(copy, "", queue)
            except BROKER_ERRORS as error:
                log.warning("cannot set a message aside yet", queue=queue, error=type(error).__name__)
                await asyncio.sleep(HAND_OVER_PAUSE_S)


def _channel(message: AbstractIncomingMessage) -> object | None:
    """The channel that the message came over; None when that is closed."""
    try:
        return message.channel
    except aio_pika.exceptions.ChannelInvalidStateError:
        return None


def _tag(message: AbstractIncomingMessage) -> int:
    return message.delivery_tag or 0
