"""Reading queues without changing them, and describing broker errors in one sentence."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import (
    AMQPChannelError,
    AuthenticationError,
    ChannelNotFoundEntity,
    DeliveryError,
    ProbableAuthenticationError,
)

from ops.errors import OperatorError
from ops.message_codec import RawMessage
from shared.messaging.properties import tolerate_unreadable_properties
from shared.messaging.publisher import is_recovering, with_heartbeat

ANSWER_TIMEOUT_S = 10.0
MAX_PREFETCH = 65_535  # what the protocol can count; 0, for no limit, is 2,000 on a quorum queue


@asynccontextmanager
async def open_connection(url: str, name: str) -> AsyncIterator[AbstractConnection]:
    """A connection for reading."""
    tolerate_unreadable_properties()
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        connection = await aiormq.connect(with_heartbeat(url), client_properties={"connection_name": name})
    try:
        yield connection
    finally:
        await _close(connection)


async def _close(either: AbstractConnection | AbstractChannel) -> None:
    with suppress(TimeoutError):  # the broker will see that we are gone
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await either.close()


class QueueReader:
    """Receives the messages of a queue in order; closing requeues, in that order, what was not acknowledged.

    One consumer whose channel ends is the only way that keeps the order. On RabbitMQ 3.10 a `nack` puts messages
    behind all others, or in the order of a hash table if the queue has a delivery limit; and whatever was taken with
    `get` comes back in any order.

    On aiormq, because aio-pika does not notify when the broker cancels a consumer.
    """

    def __init__(self, connection: AbstractConnection, queue: str) -> None:
        self._connection = connection
        self._queue = queue
        self._channel: AbstractChannel | None = None
        self._arrived: asyncio.Queue[RawMessage | None] = asyncio.Queue()
        self._ended = False
        self._tag: str | None = None
        self._acked = False

    async def open(self, prefetch: int, arguments: dict[str, Any] | None = None) -> None:
        """Start receiving, at most `prefetch` messages that are not acknowledged."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            self._channel = await self._connection.channel(publisher_confirms=False)
            self._channel.on_consumer_cancel_callbacks.add(self._end)
            self._channel.closing.add_done_callback(self._end)
            await self._channel.basic_qos(prefetch_count=prefetch)
            consumer = await self._channel.basic_consume(self._queue, self._arrive, arguments=arguments)
            self._tag = consumer.consumer_tag

    async def _arrive(self, raw: RawMessage) -> None:
        self._arrived.put_nowait(raw)

    def _end(self, _why: object) -> None:
        self._ended = True
        self._arrived.put_nowait(None)

    async def next(self, within_s: float | None) -> RawMessage:
        """The next message. Raises TimeoutError when none comes in time, ConnectionError when the channel ended."""
        async with asyncio.timeout(within_s):
            raw = await self._arrived.get()
        if raw is None or self._ended:
            self._end(None)
            raise ConnectionError("the broker sends no more")
        return raw

    async def ack(self, raw: RawMessage, *, multiple: bool = False) -> None:
        """Acknowledge this message, or all up to it."""
        assert self._channel is not None
        assert raw.delivery_tag is not None
        await self._channel.basic_ack(raw.delivery_tag, multiple=multiple)
        self._acked = True

    async def settle(self) -> None:
        """Return when no acknowledgement can be lost any more; take nothing more from the queue.

        A channel holds back what a quorum queue is too busy for, a few dozen acknowledgements, and forgets them when
        it ends. A cancel goes through the queue's log, behind those that were sent; when the channel answers the next
        call it has sent the rest.
        """
        if self._acked and self._channel is not None and self._tag is not None:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._channel.basic_cancel(self._tag)
                await self._channel.basic_qos(prefetch_count=1)

    async def aclose(self) -> None:
        """End the channel."""
        if self._channel is not None:
            await _close(self._channel)


async def queue_stats(connection: AbstractConnection, queue: str) -> tuple[int, int]:
    """The number of ready messages of a queue, and of its consumers. Raises OperatorError without the queue."""
    channel = await connection.channel(publisher_confirms=False, timeout=ANSWER_TIMEOUT_S)
    try:
        found = await channel.queue_declare(queue, passive=True, timeout=ANSWER_TIMEOUT_S)
    except ChannelNotFoundEntity as error:
        if is_recovering(error):
            raise OperatorError(f"{queue} is not back yet since the broker started: try again") from None
        raise OperatorError(f"the broker has no queue {queue}: declare the topology first") from None
    finally:
        await _close(channel)
    return found.message_count or 0, found.consumer_count or 0


def describe_error(url: str, error: BaseException) -> str:
    """A sentence about a broker error, without the password in the broker's address."""
    parts = urlsplit(url)
    place = f"the broker at {parts.hostname}:{parts.port or 5672}"
    match error:
        case AuthenticationError() | ProbableAuthenticationError():
            return f"{place} refuses the user, the password or the virtual host"
        case DeliveryError():
            return f"{place} does not take a message: the queue is full, or missing (`gruppetto topology declare`)"
        case AMQPChannelError():
            return f"{place} does not allow that ({type(error).__name__})"
        case TimeoutError():
            return f"{place} does not answer in time"
        case _:
            return f"no connection to {place}, or it was lost ({type(error).__name__})"
