"""The bus: a service's one consuming connection, its subscriptions and their orderly end."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from shared import consumer, metrics
from shared.consumer import Handlers, InvalidMessage
from shared.db import Sessions
from shared.events import Event
from shared.feed import Feed
from shared.publisher import BROKER_ERRORS, Publisher, connect, hang_up
from shared.subscription import Subscription
from shared.topology import dead_letter_queue, exchange_name

DRAIN_TIMEOUT_S = 20.0
LOOK_EVERY_S = 0.5

#: What `docs/operations.md` explains.
_REMEDY = "gruppetto topology declare, then gruppetto archive replay {} --from TIME"

log = structlog.stdlib.get_logger(__name__)

Listener = Callable[[Event], Awaitable[None]]


class Bus:
    """Subscribe first, then `start`; `stop` cancels consumers, lets what is in hand end, and closes."""

    def __init__(self, url: str, name: str, sessions: Sessions) -> None:
        self._url = url
        self._name = name
        self._sessions = sessions
        self._subscriptions: list[Subscription] = []
        self._feeds: list[Feed] = []
        self._connection: AbstractConnection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._letters = Publisher(url, f"{name} dead letters")

    def subscribe(self, queue: str, handlers: Handlers, *, batch: int = 200, wait_ms: int = 10) -> None:
        """Handle a durable queue, in batches of at most `batch` messages gathered within `wait_ms`."""
        subscription = Subscription(
            queue, handlers, self._sessions, self._letters, batch=batch, wait_s=wait_ms / 1000
        )
        self._subscriptions.append(subscription)
        self._feeds.append(subscription.feed)

    def listen(self, event: type[Event], listener: Listener) -> None:
        """Hear an event in this replica only, from now on: for caches, never for effects."""

        async def find(channel: AbstractChannel) -> AbstractQueue:
            queue = await channel.declare_queue(exclusive=True, auto_delete=True)
            await queue.bind(exchange_name(event.producer), routing_key=event.routing_key())
            return queue

        async def receive(message: AbstractIncomingMessage) -> None:
            try:
                await listener(consumer.parse(message, {event: _unused}).event)
            except InvalidMessage as invalid:
                log.warning("event ignored", event_type=event.event_type(), reason=str(invalid))
            except Exception:  # unacknowledged messages would fill the prefetch window and end the hearing
                log.exception("listener failed", event_type=event.event_type())
            with contextlib.suppress(*BROKER_ERRORS):
                await message.ack()

        self._feeds.append(Feed(event.event_type(), find, receive, prefetch=100))

    @property
    def connected(self) -> bool:
        """Whether the broker is reachable at this moment."""
        return self._connection is not None and self._connection.connected.is_set()

    async def consuming(self) -> bool:
        """Whether every subscription and every listener is alive, down to the consumer's tag."""
        working = self.connected and all(subscription.working for subscription in self._subscriptions)
        return working and all(await asyncio.gather(*(feed.delivers() for feed in self._feeds)))

    async def measure(self) -> None:
        """Set the gauges of consumers and dead letters. Raises an error of the broker's when that is away."""
        for subscription in self._subscriptions:
            consuming = subscription.working and await subscription.feed.delivers()
            metrics.CONSUMER_UP.labels(subscription.queue).set(consuming)
        for subscription in self._subscriptions:
            depth = await self._letters.depth(dead_letter_queue(subscription.queue))
            metrics.DLQ_DEPTH.labels(subscription.queue).set(depth)

    async def start(self) -> None:
        """Connect and consume. Raises OSError or an AMQP error when the broker is away or lacks a queue."""
        try:
            for subscription in self._subscriptions:
                subscription.start()
            connection = await self._connect()
            for feed in self._feeds:
                await _attach(feed, connection)
        except BaseException:
            await self._close()  # or the next attempt would consume besides this one
            raise
        self._keeper = asyncio.create_task(self._keep())

    async def _connect(self) -> AbstractConnection:
        # Not a robust connection: whether it has restored every consumer cannot be seen from outside.
        await hang_up(self._connection)
        self._connection = await connect(self._url, f"{self._name} consumers")
        return self._connection

    async def _keep(self) -> None:
        """Look whether all is as it should be, and make it so: whatever was lost, however, and how often."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                if self._connection is None or not self.connected:
                    await self._connect()
            except Exception as error:  # whatever it is, the next look tries again
                log.warning("consumers wait for the broker", error=type(error).__name__)
                continue
            for feed in self._feeds:
                await self._keep_attached(feed)

    async def _keep_attached(self, feed: Feed) -> None:
        try:
            if self._connection is not None and not await feed.delivers():
                await _attach(feed, self._connection)
                log.info("consuming again", queue=feed.name)
        except Exception as error:  # the others go on
            log.warning("a consumer waits for its queue", queue=feed.name, error=type(error).__name__)

    async def stop(self) -> None:
        """Take no more messages, finish those in hand within DRAIN_TIMEOUT_S, close the connections."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        await asyncio.gather(*(feed.cancel() for feed in self._feeds))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await asyncio.gather(*(subscription.drain() for subscription in self._subscriptions))
        await self._close()

    async def _close(self) -> None:
        for subscription in self._subscriptions:
            await subscription.stop()
        for feed in self._feeds:
            await feed.detach()
        connection, self._connection = self._connection, None
        await hang_up(connection)
        await self._letters.close()


async def _attach(feed: Feed, connection: AbstractConnection) -> None:
    try:
        await feed.attach(connection)
    except ChannelNotFoundEntity:
        log.error("a queue is missing, and events go past it", queue=feed.name, remedy=_REMEDY.format(feed.name))
        raise


async def _unused(_event: Event, _session: object) -> None:
    """Stands in a handler table where only the parsing is wanted."""
