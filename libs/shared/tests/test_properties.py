"""Message properties that AMQP can carry and the driver cannot read."""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiormq
import pytest
from aiormq import spec
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.messaging import properties
from shared.messaging.bus import Bus
from testkit.consumer_queue import ConsumerQueue, ThingNoted
from testkit.effects import add_effects, list_effects
from testkit.waiting import wait_until

HAS_HEADERS, HAS_TIMESTAMP = 1 << 13, 1 << 6


class RawProperties(spec.Basic.Properties):
    """Properties that go out as these bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = content

    def marshal(self) -> bytes:
        return self._content


def _field(key: bytes, kind: bytes, content: bytes) -> bytes:
    return bytes([len(key)]) + key + kind + content


def _sized(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _headers(fields: bytes) -> bytes:
    return struct.pack(">H", HAS_HEADERS) + _sized(fields)


def _nested(depth: int) -> bytes:
    content = _field(b"k", b"t", b"\x01")
    for _ in range(depth):
        content = _field(b"k", b"F", _sized(content))
    return content


#: What the driver would raise on, and what leaves no room for our headers in a copy.
UNREADABLE = {
    "a time after the year 9999": struct.pack(">HQ", HAS_TIMESTAMP, 2**63 - 1),
    "a header's time after the year 9999": _headers(_field(b"k", b"T", struct.pack(">Q", 2**63 - 1))),
    "a header name that is not UTF-8": _headers(_field(b"\xff", b"t", b"\x01")),
    **{f"tables nested {depth} deep": _headers(_nested(depth)) for depth in (20, 200, 400, 600, 5000)},
    **{f"a header of {size} bytes": _headers(_field(b"k", b"S", _sized(b"x" * size))) for size in (120_000, 131_040)},
    "wide floats that are longer as text": _headers(
        _field(b"k", b"A", _sized((b"d" + struct.pack(">d", 1.2345678901234567e300)) * 14_000))
    ),
}
#: What the driver reads, and must be able to write again.
READABLE = {
    "a time in the year 9999": struct.pack(">HQ", HAS_TIMESTAMP, 253_402_300_799_999),
    "tables nested 18 deep": _headers(_nested(18)),
    "a large decimal": _headers(_field(b"k", b"D", b"\xff" + b"\xff" * 4)),
    "a header of 110,000 bytes": _headers(_field(b"k", b"S", _sized(b"x" * 110_000))),
    "a wide float": _headers(_field(b"k", b"d", struct.pack(">d", 1e300))),
}


async def handle(event: ThingNoted, session: AsyncSession) -> None:
    await add_effects(session, [event])


@asynccontextmanager
async def consuming(database: Database, queue: ConsumerQueue) -> AsyncIterator[Bus]:
    bus = Bus(queue.url, "tests", database)
    bus.subscribe(queue.name, {queue.event: handle})
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()


@pytest.mark.parametrize("content", [*UNREADABLE.values(), *READABLE.values()], ids=[*UNREADABLE, *READABLE])
async def test_a_message_with_odd_properties_is_a_dead_letter_and_harms_no_other(
    database: Database, queue: ConsumerQueue, content: bytes
) -> None:
    connection = await aiormq.connect(queue.url)
    channel = await connection.channel()
    await channel.basic_publish(b"body", routing_key=queue.name, properties=RawProperties(content))
    await connection.close()
    await queue.put(1)
    async with consuming(database, queue) as bus:
        letter = await queue.take(queue.dead_letters)
        await wait_until(lambda: list_effects(database))
        assert bus.is_connected
    assert letter.body == b"body"
    is_unreadable = content in UNREADABLE.values()
    assert (properties.UNREADABLE in letter.headers) is is_unreadable
    assert letter.headers["x-reason"] in ("its properties cannot be read", "type None is not handled here")
    assert await queue.count(queue.name) == 0
