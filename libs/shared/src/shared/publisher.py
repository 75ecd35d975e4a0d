"""Publishing: persistent, confirmed, and over a connection that does nothing else."""

import asyncio

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection

PUBLISH_TIMEOUT_S = 5.0
HEARTBEAT_S = 15

#: Whatever says that the broker is away, or refused. TimeoutError is an OSError.
BROKER_ERRORS = aio_pika.exceptions.CONNECTION_EXCEPTIONS


def with_heartbeat(url: str) -> str:
    """The address, asking for a heartbeat that notices a silently dead connection within a minute."""
    return url if "heartbeat=" in url else f"{url}{'&' if '?' in url else '?'}heartbeat={HEARTBEAT_S}"


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
        async with asyncio.timeout(PUBLISH_TIMEOUT_S):
            channel = await self.open()
            target = await channel.get_exchange(exchange, ensure=False)
            await target.publish(message, routing_key, mandatory=True)

    async def open(self) -> AbstractChannel:
        """A channel that works, as far as is known."""
        async with self._lock, asyncio.timeout(PUBLISH_TIMEOUT_S):
            # Not a robust connection: giving up on one leaves a task behind that reconnects for ever.
            if self._connection is None or not self._connection.connected.is_set():
                self._channel = None
                self._connection = await aio_pika.connect(
                    with_heartbeat(self._url), client_properties={"connection_name": self._name}
                )
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
            return self._channel

    async def close(self) -> None:
        """Close the connection; `publish` would open another."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            await connection.close()
