"""A feed: one consumer on the broker, on a channel of its own, that can be attached again and again."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue

from shared.publisher import BROKER_ERRORS

ATTACH_TIMEOUT_S = 10.0
CANCEL_TIMEOUT_S = 5.0


class Feed:
    """Has `receive` called for each message of the queue that `find` gives, and nothing else: no state of ours.

    `name` is for logs.
    """

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

    async def attach(self, connection: AbstractConnection) -> None:
        """Consume over this connection, and no more over another. Raises an AMQP error when the queue is missing."""
        await self.detach()
        async with asyncio.timeout(ATTACH_TIMEOUT_S):
            self._channel = await connection.channel(publisher_confirms=False)
            await self._channel.set_qos(prefetch_count=self._prefetch)
            queue = await self._find(self._channel)
            self._tag = await queue.consume(self._receive)
            self._queue = queue

    async def detach(self) -> None:
        """Close the channel: what is not acknowledged on it is delivered again."""
        channel, self._channel, self._queue = self._channel, None, None
        if channel is not None:
            with contextlib.suppress(*BROKER_ERRORS):
                async with asyncio.timeout(CANCEL_TIMEOUT_S):
                    await channel.close()

    async def cancel(self) -> None:
        """Have nothing more delivered; what is in hand can still be acknowledged."""
        if self._queue is not None:
            with contextlib.suppress(*BROKER_ERRORS):
                async with asyncio.timeout(CANCEL_TIMEOUT_S):
                    await self._queue.cancel(self._tag)

    async def delivers(self) -> bool:
        """Whether the broker knows this consumer, down to its tag, as far as the driver knows."""
        if self._queue is None:
            return False
        with contextlib.suppress(*BROKER_ERRORS):
            channel = await self._queue.channel.get_underlay_channel()
            return not channel.is_closed and self._tag in getattr(channel, "consumers", ())
        return False
