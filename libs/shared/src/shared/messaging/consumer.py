"""One consumer on the broker, on a channel of its own, which can be started again on another connection."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aiormq.abc import DeliveredMessage

from shared.messaging.publisher import BROKER_ERRORS

START_TIMEOUT_S = 10.0
CANCEL_TIMEOUT_S = 5.0


class QueueConsumer:
    """Calls `receive` for each message of the queue that `find` returns. `name` is for logs."""

    def __init__(
        self,
        name: str,
        find: Callable[[AbstractChannel], Awaitable[AbstractQueue]],
        receive: Callable[[AbstractIncomingMessage], Awaitable[None]],
        *,
        prefetch: int,
    ) -> None:
        self.name = name
        self._find = find
        self._receive = receive
        self._prefetch = prefetch
        self._channel: AbstractChannel | None = None
        self._queue: AbstractQueue | None = None
        self._tag = ""

    async def start(self, connection: AbstractConnection) -> None:
        """Consume over this connection instead of any before. Raises an AMQP error when the queue is missing."""
        await self.close()
        async with asyncio.timeout(START_TIMEOUT_S):
            self._channel = await connection.channel(publisher_confirms=False)
            await self._channel.set_qos(prefetch_count=self._prefetch)
            queue = await self._find(self._channel)
            # By the channel below aio_pika's, whose own consuming makes two tasks for each message.
            underlay = await self._channel.get_underlay_channel()
            consuming = await underlay.basic_consume(queue.name, self._deliver)
            self._tag = consuming.consumer_tag or ""
            self._queue = queue

    async def _deliver(self, message: DeliveredMessage) -> None:
        await self._receive(aio_pika.IncomingMessage(message))

    async def close(self) -> None:
        """Close the channel; the broker redelivers what is not acknowledged on it."""
        channel, self._channel, self._queue = self._channel, None, None
        if channel is not None:
            with contextlib.suppress(*BROKER_ERRORS):
                async with asyncio.timeout(CANCEL_TIMEOUT_S):
                    await channel.close()

    async def cancel(self) -> None:
        """Stop deliveries; what was delivered can still be acknowledged."""
        if self._queue is not None:
            with contextlib.suppress(*BROKER_ERRORS):
                async with asyncio.timeout(CANCEL_TIMEOUT_S):
                    await self._queue.cancel(self._tag)

    async def is_active(self) -> bool:
        """Whether the broker knows this consumer, down to its tag, as far as the driver knows."""
        if self._queue is None:
            return False
        with contextlib.suppress(*BROKER_ERRORS):
            channel = await self._queue.channel.get_underlay_channel()
            return not channel.is_closed and self._tag in getattr(channel, "consumers", ())
        return False
