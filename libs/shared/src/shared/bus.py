"""The bus: a service's one consuming connection, its subscriptions and their orderly end."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import aio_pika
import structlog
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue, AbstractRobustConnection

from shared import consumer, metrics
from shared.consumer import Handlers, InvalidMessage
from shared.db import Sessions
from shared.events import Event
from shared.publisher import BROKER_ERRORS, Publisher, with_heartbeat
from shared.subscription import Subscription, delivers
from shared.topology import dead_letter_queue, exchange_name

DRAIN_TIMEOUT_S = 20.0

log = structlog.stdlib.get_logger(__name__)

Listener = Callable[[Event], Awaitable[None]]


class Bus:
    """Subscribe first, then `start`; `stop` cancels consumers, lets what is in hand end, and closes."""

    def __init__(self, url: str, name: str, sessions: Sessions) -> None:
        self._url = url
        self._name = name
        self._sessions = sessions
        self._subscriptions: list[Subscription] = []
        self._listeners: list[tuple[type[Event], Listener]] = []
        self._hearing: list[tuple[AbstractQueue, str]] = []
        self._connection: AbstractRobustConnection | None = None
        self._letters = Publisher(url, f"{name} dead letters")

    def subscribe(self, queue: str, handlers: Handlers, *, batch: int = 200, wait_ms: int = 10) -> None:
        """Handle a durable queue, in batches of at most `batch` messages gathered within `wait_ms`."""
        self._subscriptions.append(
            Subscription(queue, handlers, self._sessions, self._letters, batch=batch, wait_s=wait_ms / 1000)
        )

    def listen(self, event: type[Event], listener: Listener) -> None:
        """Hear an event in this replica only, from now on: for caches, never for effects."""
        self._listeners.append((event, listener))

    @property
    def connected(self) -> bool:
        """Whether the broker is reachable at this moment."""
        return self._connection is not None and self._connection.connected.is_set()

    async def consuming(self) -> bool:
        """Whether every subscription and every listener is alive, down to the consumer's tag."""
        checks = [subscription.consuming() for subscription in self._subscriptions]
        checks += [delivers(queue, tag) for queue, tag in self._hearing]
        return all(await asyncio.gather(*checks))

    async def measure(self) -> None:
        """Set the gauges of consumers and dead letters. Raises an error of the broker's when that is away."""
        for subscription in self._subscriptions:
            metrics.CONSUMER_UP.labels(subscription.queue).set(await subscription.consuming())
        for subscription in self._subscriptions:
            depth = await self._letters.depth(dead_letter_queue(subscription.queue))
            metrics.DLQ_DEPTH.labels(subscription.queue).set(depth)

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
                await subscription.start(self._connection)
            for event, listener in self._listeners:
                await self._listen(self._connection, event, listener)
        except BaseException:
            await self._close()  # or the next attempt would consume besides this one
            raise

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
            with contextlib.suppress(*BROKER_ERRORS):
                await message.ack()

        self._hearing.append((queue, await queue.consume(receive)))

    async def stop(self) -> None:
        """Take no more messages, finish those in hand within DRAIN_TIMEOUT_S, close the connections."""
        if self.connected:
            await asyncio.gather(*(subscription.cancel() for subscription in self._subscriptions))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await asyncio.gather(*(subscription.drain() for subscription in self._subscriptions))
        await self._close()

    async def _close(self) -> None:
        for subscription in self._subscriptions:
            await subscription.stop()
        self._hearing.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        await self._letters.close()


async def _unused(_event: Event, _session: object) -> None:
    """Stands in a handler table where only the parsing is wanted."""
