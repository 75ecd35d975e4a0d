"""The bus: a service's one consuming connection, its subscriptions and their orderly end."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aio_pika
import structlog
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue, AbstractRobustConnection

from shared import consumer
from shared.consumer import Batcher, Handlers, InvalidMessage, Processor
from shared.db import Sessions
from shared.events import Event
from shared.publisher import BROKER_ERRORS, PUBLISH_TIMEOUT_S, Publisher, with_heartbeat
from shared.topology import RETRY_STEPS, dead_letter_queue, exchange_name, retry_queue

DRAIN_TIMEOUT_S = 20.0
HAND_OVER_PAUSE_S = 1.0

log = structlog.stdlib.get_logger(__name__)

Listener = Callable[[Event], Awaitable[None]]


@dataclass
class Subscription:
    """One durable queue and what happens to its messages."""

    queue: str
    handlers: Handlers
    batcher: Batcher
    prefetch: int
    consuming: AbstractQueue | None = None
    consumer_tag: str = ""
    in_flight: set[asyncio.Task[None]] = field(default_factory=set)


class Bus:
    """Subscribe first, then `start`; `stop` cancels consumers, lets what is in flight end, and closes."""

    def __init__(self, url: str, name: str, sessions: Sessions) -> None:
        self._url = url
        self._name = name
        self._sessions = sessions
        self._subscriptions: list[Subscription] = []
        self._listeners: list[tuple[type[Event], Listener]] = []
        self._connection: AbstractRobustConnection | None = None
        self._letters = Publisher(url, f"{name} dead letters")

    def subscribe(self, queue: str, handlers: Handlers, *, batch: int = 200, wait_ms: int = 10) -> None:
        """Handle a durable queue, in batches of at most `batch` messages gathered within `wait_ms`."""
        processor = Processor(queue, self._sessions, handlers)
        batcher = Batcher(processor.process, batch, wait_ms / 1000)
        self._subscriptions.append(Subscription(queue, handlers, batcher, prefetch=batch * 2))

    def listen(self, event: type[Event], listener: Listener) -> None:
        """Hear an event in this replica only, from now on: for caches, never for effects."""
        self._listeners.append((event, listener))

    @property
    def connected(self) -> bool:
        """Whether the broker is reachable at this moment."""
        return self._connection is not None and self._connection.connected.is_set()

    @property
    def consuming(self) -> bool:
        """Whether every subscription's channel is open."""
        return all(s.consuming is not None and not s.consuming.channel.is_closed for s in self._subscriptions)

    async def start(self) -> None:
        """Connect and consume. Raises OSError or an AMQP error when the broker is away or lacks a queue."""
        try:
            self._connection = await aio_pika.connect_robust(
                with_heartbeat(self._url),
                timeout=10,
                reconnect_interval=1,
                client_properties={"connection_name": f"{self._name} consumers"},
            )
            for subscription in self._subscriptions:
                await self._consume(self._connection, subscription)
            for event, listener in self._listeners:
                await self._listen(self._connection, event, listener)
        except BaseException:
            await self._close()  # or the next attempt would consume besides this one
            raise

    async def _consume(self, connection: AbstractRobustConnection, subscription: Subscription) -> None:
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=subscription.prefetch)
        subscription.consuming = await channel.get_queue(subscription.queue)

        async def receive(message: AbstractIncomingMessage) -> None:
            task = asyncio.current_task()
            assert task is not None
            subscription.in_flight.add(task)
            try:
                await self._receive(subscription, message)
            finally:
                subscription.in_flight.discard(task)

        subscription.consumer_tag = await subscription.consuming.consume(receive)

    async def _receive(self, subscription: Subscription, message: AbstractIncomingMessage) -> None:
        try:
            delivery = consumer.parse(message, subscription.handlers)
        except InvalidMessage as invalid:
            log.warning("dead letter", queue=subscription.queue, reason=str(invalid))
            await self._hand_over(dead_letter_queue(subscription.queue), consumer.dead_letter(message, str(invalid)))
        else:
            error = await subscription.batcher.submit(delivery)
            if error is not None:
                await self._set_aside(subscription.queue, message, error)
        await self._ack(message)

    async def _set_aside(self, queue: str, message: AbstractIncomingMessage, error: Exception) -> None:
        attempt = consumer.attempt_of(message)
        steps = list(RETRY_STEPS)
        log.error("handler failed", queue=queue, message_id=message.message_id, attempt=attempt, exc_info=error)
        if attempt < len(steps):
            await self._hand_over(retry_queue(queue, steps[attempt]), consumer.retry(message, attempt + 1, error))
        else:
            reason = f"{type(error).__name__} after {attempt + 1} attempts"
            await self._hand_over(dead_letter_queue(queue), consumer.dead_letter(message, reason))

    async def _hand_over(self, queue: str, copy: aio_pika.Message) -> None:
        """Put a copy elsewhere, confirmed; waits as long as the broker is away. Only then may we ack."""
        while True:
            try:
                return await self._letters.publish(copy, "", queue)
            except BROKER_ERRORS as error:
                log.warning("cannot set a message aside yet", queue=queue, error=type(error).__name__)
                await asyncio.sleep(HAND_OVER_PAUSE_S)

    async def _ack(self, message: AbstractIncomingMessage) -> None:
        try:
            await message.ack()
        except BROKER_ERRORS as error:
            # The connection went away after the commit: the broker delivers again, and the inbox knows it.
            log.info("acknowledgement lost", error=type(error).__name__)

    async def _listen(self, connection: AbstractRobustConnection, event: type[Event], listener: Listener) -> None:
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=100)
        queue = await channel.declare_queue(exclusive=True, auto_delete=True)
        await queue.bind(exchange_name(event.producer), routing_key=event.routing_key())

        async def receive(message: AbstractIncomingMessage) -> None:
            try:
                await listener(consumer.parse(message, {event: _unused}).event)
            except InvalidMessage as invalid:
                log.warning("event ignored", reason=str(invalid))
            except Exception:  # unacknowledged messages would fill the prefetch window and end the hearing
                log.exception("listener failed", event_type=event.event_type())
            await self._ack(message)

        await queue.consume(receive)

    async def stop(self) -> None:
        """Take no more messages, finish those in hand within DRAIN_TIMEOUT_S, close the connections."""
        for subscription in self._subscriptions:
            if subscription.consuming is not None and self.connected:
                with contextlib.suppress(*BROKER_ERRORS):
                    async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                        await subscription.consuming.cancel(subscription.consumer_tag)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                while tasks := self._in_flight():
                    await asyncio.wait(tasks)
        for task in self._in_flight():
            task.cancel()
        await self._close()

    def _in_flight(self) -> set[asyncio.Task[None]]:
        return {task for subscription in self._subscriptions for task in subscription.in_flight}

    async def _close(self) -> None:
        for subscription in self._subscriptions:
            await subscription.batcher.stop()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        await self._letters.close()


async def _unused(_event: Event, _session: object) -> None:
    """Stands in a handler table where only the parsing is wanted."""
