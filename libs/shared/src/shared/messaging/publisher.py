"""Publishing: persistent, confirmed, and over a connection that does nothing else."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TypeAlias

import aio_pika
import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from shared.messaging.properties import tolerate_unreadable_properties

PUBLISH_TIMEOUT_S = 5.0
HEARTBEAT_S = 15

#: A message, its exchange and its routing key.
OutgoingMessage: TypeAlias = tuple[aio_pika.Message, str, str]

#: Whatever says that the broker is away, or refused. TimeoutError is an OSError.
BROKER_ERRORS = aio_pika.exceptions.CONNECTION_EXCEPTIONS


def with_heartbeat(url: str) -> str:
    """The address, asking for a heartbeat that notices a silently dead connection within a minute."""
    return url if "heartbeat=" in url else f"{url}{'&' if '?' in url else '?'}heartbeat={HEARTBEAT_S}"


def is_recovering(error: ChannelNotFoundEntity) -> bool:
    """Whether the queue that was not found exists, and the broker has not recovered it yet since it started."""
    return "no queue" not in str(error)


async def connect(url: str, name: str, timeout_s: float = 10.0) -> AbstractConnection:
    """A connection by that name. Raises OSError or an AMQP error.

    aio_pika's own function leaves a connection that failed to the garbage collector, which closes it at any moment.
    """
    tolerate_unreadable_properties()
    address = aio_pika.connection.make_url(with_heartbeat(url))
    connection = aio_pika.Connection(address, client_properties={"connection_name": name})
    try:
        await connection.connect(timeout=timeout_s)
    except BaseException:
        await close_quietly(connection)
        raise
    return connection


async def close_quietly(connection: AbstractConnection | None) -> None:
    """Close a connection in any state, without an error."""
    if connection is not None:
        with contextlib.suppress(*BROKER_ERRORS):
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                await connection.close()


class Publisher:
    """Connects when it is first needed, and anew after a loss.

    Never the consuming connection: under a memory alarm the broker stops reading one that publishes, acks included.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._lock = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None

    async def publish(self, message: aio_pika.Message, exchange: str, routing_key: str) -> None:
        """Return once the broker keeps the message in a queue; else raise, within PUBLISH_TIMEOUT_S."""
        [error] = await self.publish_all([(message, exchange, routing_key)])
        if error is not None:
            raise error

    async def publish_all(self, messages: Sequence[OutgoingMessage]) -> list[Exception | None]:
        """Publish them together; the outcome of each is None, once the broker keeps it in a queue, or its error.

        Takes no longer than PUBLISH_TIMEOUT_S. Raises what `open` raises when the broker is away.
        """
        if not messages:
            return []
        channel = await self.open()
        # By the channel below aio_pika's, whose own publishing waits for each message to leave before the next.
        underlay = await channel.get_underlay_channel()
        assert isinstance(underlay, aiormq.Channel)
        tasks = [
            asyncio.create_task(
                underlay.basic_publish(
                    message.body,
                    exchange=exchange,
                    routing_key=routing_key,
                    properties=message.properties,
                    mandatory=True,
                    wait=False,
                )
            )
            for message, exchange, routing_key in messages
        ]
        try:
            await asyncio.wait(tasks, timeout=PUBLISH_TIMEOUT_S)
        finally:
            late = {task for task in tasks if task.cancel()}
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return [_error(result, task in late) for task, result in zip(tasks, results, strict=True)]

    async def queue_depth(self, queue: str) -> int:
        """How many messages of the queue are ready. Raises an AMQP error when there is no such queue."""
        async with asyncio.timeout(PUBLISH_TIMEOUT_S):
            await self.open()
            assert self._connection is not None
            # A channel of its own, because a missing queue closes it.
            async with self._connection.channel(publisher_confirms=False) as channel:
                declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def open(self) -> AbstractChannel:
        """A channel that works, as far as is known."""
        if self._channel is not None and not self._channel.is_closed:
            return self._channel
        async with self._lock, asyncio.timeout(PUBLISH_TIMEOUT_S):
            # Not a robust connection: giving up on one leaves a task behind that reconnects for ever.
            if self._connection is None or not self._connection.connected.is_set():
                self._channel = None
                await close_quietly(self._connection)
                self._connection = await connect(self._url, self._name, PUBLISH_TIMEOUT_S)
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
            return self._channel

    async def close(self) -> None:
        """Close the connection; `publish` would open another."""
        connection, self._connection, self._channel = self._connection, None, None
        await close_quietly(connection)


def _error(result: object, late: bool) -> Exception | None:
    if isinstance(result, asyncio.CancelledError):
        return TimeoutError() if late else ConnectionError("the channel went away")
    return result if isinstance(result, Exception) else None
