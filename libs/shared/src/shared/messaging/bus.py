"""The bus of a service: its consumers over one connection, restarted when they are lost, and their shutdown."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity

from shared.contracts.events import Event
from shared.contracts.queues import dead_letter_queue, exchange_name
from shared.database.engine import Database
from shared.messaging import decoding
from shared.messaging.batch_consumer import BatchConsumer
from shared.messaging.consumer import QueueConsumer
from shared.messaging.decoding import InvalidMessage
from shared.messaging.inbox import Handlers, Prepare
from shared.messaging.publisher import BROKER_ERRORS, Publisher, close_quietly, connect, is_recovering
from shared.messaging.work_consumer import Work, WorkConsumer
from shared.observability import metrics

DRAIN_TIMEOUT_S = 20.0
CHECK_INTERVAL_S = 0.5

#: What `docs/operations.md` explains.
_REMEDY = "gruppetto topology declare, then gruppetto archive replay {} --from TIME"

log = structlog.stdlib.get_logger(__name__)

Listener = Callable[[Event], Awaitable[None]]


class Bus:
    """Subscribe first, then `start`; `stop` cancels the consumers, drains them and closes the connections."""

    def __init__(self, url: str, name: str, database: Database) -> None:
        self._url = url
        self._name = name
        self._database = database
        self._durable: list[BatchConsumer | WorkConsumer] = []
        self._consumers: list[QueueConsumer] = []
        self._connection: AbstractConnection | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._dead_letter_publisher = Publisher(url, f"{name} dead letters")

    def subscribe(
        self,
        queue: str,
        handlers: Handlers,
        *,
        batch: int = 200,
        wait_ms: int = 10,
        prepare: Prepare | None = None,
    ) -> None:
        """Consume a durable queue in batches of at most `batch` messages, collected within `wait_ms`.

        `prepare` sees all events of a batch's transaction before their handlers do.
        """
        batch_consumer = BatchConsumer(
            queue,
            handlers,
            self._database,
            self._dead_letter_publisher,
            batch=batch,
            wait_s=wait_ms / 1000,
            prepare=prepare,
        )
        self._durable.append(batch_consumer)
        self._consumers.append(batch_consumer.consumer)

    def subscribe_work(
        self, queue: str, event: type[Event], work: Work, *, concurrency: int, on_stop: Callable[[], None]
    ) -> None:
        """Do the work that the events of a durable queue ask for, at most `concurrency` at a time.

        `on_stop` asks it to end soon. See `shared.messaging.work_consumer.WorkConsumer`.
        """
        consumer = WorkConsumer(
            queue, event, work, self._dead_letter_publisher, concurrency=concurrency, on_stop=on_stop
        )
        self._durable.append(consumer)
        self._consumers.append(consumer.consumer)

    def subscribe_broadcast(self, event: type[Event], listener: Listener) -> None:
        """Receive an event in every replica from now on, without durability: for caches, never for effects."""

        async def find(channel: AbstractChannel) -> AbstractQueue:
            queue = await channel.declare_queue(exclusive=True, auto_delete=True)
            await queue.bind(exchange_name(event.producer), routing_key=event.routing_key())
            return queue

        async def receive(message: AbstractIncomingMessage) -> None:
            try:
                await listener(decoding.decode_delivery(message, [event]).event)
            except InvalidMessage as invalid:
                log.warning("event ignored", event_type=event.event_type(), reason=str(invalid))
            except Exception:  # an unacknowledged message would stay in the prefetch window
                log.exception("listener failed", event_type=event.event_type())
            with contextlib.suppress(*BROKER_ERRORS):
                await message.ack()

        self._consumers.append(QueueConsumer(event.event_type(), find, receive, prefetch=100))

    @property
    def is_connected(self) -> bool:
        """Whether the broker is reachable at this moment."""
        return self._connection is not None and self._connection.connected.is_set()

    async def is_consuming(self) -> bool:
        """Whether every consumer is running and known to the broker by its tag."""
        running = self.is_connected and all(durable.is_running for durable in self._durable)
        return running and all(await asyncio.gather(*(consumer.is_active() for consumer in self._consumers)))

    async def update_metrics(self) -> None:
        """Set the gauges of consumers and dead letters. Raises a broker error when the broker is unreachable."""
        for durable in self._durable:
            is_up = durable.is_running and await durable.consumer.is_active()
            metrics.CONSUMER_UP.labels(durable.queue).set(is_up)
        for durable in self._durable:
            depth = await self._dead_letter_publisher.queue_depth(dead_letter_queue(durable.queue))
            metrics.DLQ_DEPTH.labels(durable.queue).set(depth)

    async def start(self) -> None:
        """Connect and consume. Raises OSError or an AMQP error without the broker or one of the queues."""
        try:
            for durable in self._durable:
                durable.start()
            connection = await self._connect()
            for consumer in self._consumers:
                await _start(consumer, connection)
        except BaseException:
            await self._close()  # or the next attempt would consume besides this one
            raise
        self._supervisor = asyncio.create_task(self._supervise())

    async def _connect(self) -> AbstractConnection:
        # Not a robust connection: whether it has restored every consumer cannot be seen from outside.
        await close_quietly(self._connection)
        self._connection = await connect(self._url, f"{self._name} consumers")
        return self._connection

    async def _supervise(self) -> None:
        """Reconnect and restart consumers whenever one of them is found to be gone."""
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            try:
                if self._connection is None or not self.is_connected:
                    await self._connect()
            except Exception as error:  # the next check retries
                log.warning("consumers wait for the broker", error=type(error).__name__)
                continue
            for consumer in self._consumers:
                await self._restart_if_inactive(consumer)

    async def _restart_if_inactive(self, consumer: QueueConsumer) -> None:
        try:
            if self._connection is not None and not await consumer.is_active():
                await _start(consumer, self._connection)
                log.info("consuming again", queue=consumer.name)
        except Exception as error:  # the others go on
            log.warning("a consumer waits for its queue", queue=consumer.name, error=type(error).__name__)

    async def stop(self) -> None:
        """Take no more messages, settle those that arrived within DRAIN_TIMEOUT_S, close the connections."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
        await asyncio.gather(*(consumer.cancel() for consumer in self._consumers))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await asyncio.gather(*(durable.drain() for durable in self._durable))
        await self._close()

    async def _close(self) -> None:
        for durable in self._durable:
            await durable.stop()
        for consumer in self._consumers:
            await consumer.close()
        connection, self._connection = self._connection, None
        await close_quietly(connection)
        await self._dead_letter_publisher.close()


async def _start(consumer: QueueConsumer, connection: AbstractConnection) -> None:
    try:
        await consumer.start(connection)
    except ChannelNotFoundEntity as error:
        if not is_recovering(error):
            remedy = _REMEDY.format(consumer.name)
            log.error("a queue is missing, and events go past it", queue=consumer.name, remedy=remedy)
        raise
