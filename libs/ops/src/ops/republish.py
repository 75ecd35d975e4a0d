"""Publishing copies of messages to one queue, many in flight, each confirmed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection
from typing import TypeVar

from ops.message_codec import RawMessage, copy_for_replay, message_id
from shared.messaging.publisher import Publisher

T = TypeVar("T")

_IN_FLIGHT = 200


async def republish(
    publisher: Publisher, queue: str, items: AsyncIterable[T], raw_of: Callable[[T], RawMessage]
) -> AsyncGenerator[T, None]:
    """Publish a copy of each item's message to the queue; yields each item when its copy is confirmed.

    Raises the first error of a batch, after the confirmed items of that batch.
    """
    # By id: of two in flight that have the same, the client library takes one's refusal for the other's.
    batch: dict[str, T] = {}
    async for item in items:
        key = message_id(raw_of(item))
        if key in batch or len(batch) == _IN_FLIGHT:
            async for done in _confirmed(publisher, queue, batch.values(), raw_of):
                yield done
            batch.clear()
        batch[key] = item
    async for done in _confirmed(publisher, queue, batch.values(), raw_of):
        yield done


async def _confirmed(
    publisher: Publisher, queue: str, items: Collection[T], raw_of: Callable[[T], RawMessage]
) -> AsyncGenerator[T, None]:
    sending = [publisher.publish(copy_for_replay(raw_of(item)), "", queue) for item in items]
    outcomes = await asyncio.gather(*sending, return_exceptions=True)
    for item, outcome in zip(items, outcomes, strict=True):
        if outcome is None:
            yield item
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
