"""A producer and a consumer's queue of one test, declared on the session's broker."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import httpx
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared.contracts import queues
from shared.contracts.events import Event
from shared.messaging import topology
from testkit.waiting import wait_until

#: The retry queues keep their messages for longer than any test runs.
RETRY_STEPS: Mapping[str, int] = {**queues.RETRY_STEPS, "10s": 600_000}


class ThingNoted(Event):
    """An event of no meaning; each test gives it a producer of its own."""

    topic = "thing.noted"
    number: int

    @property
    def subject(self) -> str:
        return str(self.number)


@dataclass
class ConsumerQueue:
    """The queue `name` for `event`; `extra` names further queues to delete at the end."""

    url: str
    channel: AbstractChannel
    event: type[ThingNoted]
    name: str
    extra: list[str] = field(default_factory=list)

    @property
    def exchange(self) -> str:
        """The exchange of the event's producer."""
        return queues.exchange_name(self.event.producer)

    @property
    def dead_letters(self) -> str:
        """Its dead letter queue."""
        return queues.dead_letter_queue(self.name)

    def retry(self, step: str) -> str:
        """Its retry queue of that step."""
        return queues.retry_queue(self.name, step)

    async def put(self, *numbers: int, **properties: Any) -> None:
        """Put an event for each number right into the queue."""
        for number in numbers:
            await self.put_raw(self.event(number=number).model_dump_json().encode(), **properties)

    async def put_raw(self, body: bytes, *, message_id: UUID | str | None = None, **properties: Any) -> None:
        """Put a message with that body into the queue."""
        message = aio_pika.Message(
            body,
            message_id=str(message_id or uuid4()),
            **{"type": self.event.event_type(), **properties},
        )
        await self.channel.default_exchange.publish(message, self.name)

    async def count(self, queue: str) -> int:
        """How many messages of a queue are ready."""
        return (await self._declared(queue)).declaration_result.message_count or 0

    async def count_consumers(self) -> int:
        """How many consumers the queue has."""
        return (await self._declared(self.name)).declaration_result.consumer_count or 0

    async def take(self, queue: str) -> AbstractIncomingMessage:
        """The next message of a queue, removed."""
        declared = await self._declared(queue)
        message: AbstractIncomingMessage = await wait_until(lambda: declared.get(no_ack=True, fail=False))
        return message

    async def _declared(self, queue: str) -> Any:
        return await self.channel.declare_queue(queue, passive=True)


@asynccontextmanager
async def declared_queue(rabbitmq_url: str, management_url: str) -> AsyncIterator[ConsumerQueue]:
    """A new producer and its consumer's queue with everything that belongs to it, deleted at the end."""
    unique = secrets.token_hex(4)
    event = type("ThingNoted", (ThingNoted,), {"producer": f"p{unique}", "__module__": __name__})
    name = f"c{unique}.work"
    await topology.declare(rabbitmq_url, management_url, {name: (event,)}, RETRY_STEPS)
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        queue = ConsumerQueue(rabbitmq_url, channel, event, name)
        yield queue
        async with httpx.AsyncClient(base_url=management_url) as management:
            for each in [name, queue.dead_letters, *map(queue.retry, RETRY_STEPS), *queue.extra]:
                await channel.queue_delete(each, if_unused=False, if_empty=False)
                await management.delete(f"/api/policies/%2f/{each}")
        await channel.exchange_delete(queue.exchange)
