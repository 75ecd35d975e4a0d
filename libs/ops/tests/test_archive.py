"""The archive on a real broker: read from any point, to the end that it had or for ever."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import pytest
from dead_letter_helpers import NOW, emit

from ops import archive
from ops.archive import ArchivedEvent, ArchiveFilter, read
from ops.errors import OperatorError
from shared.messaging.publisher import BROKER_ERRORS
from testkit.consumer_queue import ConsumerQueue
from testkit.tcp_proxy import TcpProxy


async def gathered(events: AsyncGenerator[ArchivedEvent, None]) -> list[ArchivedEvent]:
    async with aclosing(events):
        return [event async for event in events]


async def found(queue: ConsumerQueue, *span: Any, **options: Any) -> list[int]:
    """The numbers of this test's events in that part of the archive."""
    wanted = ArchiveFilter(consumed=[queue.event])
    return [number(event) for event in await gathered(read(queue.url, *span, wanted=wanted, **options))]


def number(event: ArchivedEvent) -> int:
    decoded: int = json.loads(event.body)["number"]
    return decoded


@pytest.fixture
async def stream(queue: ConsumerQueue) -> str:
    """A stream of this test's own, empty."""
    name = f"{queue.name}.stream"
    queue.extra.append(name)
    await queue.channel.declare_queue(name, durable=True, arguments={"x-queue-type": "stream"})
    return name


async def fill(queue: ConsumerQueue, stream: str, take_numbers: range) -> None:
    for start in range(0, len(take_numbers), 500):
        batch = take_numbers[start : start + 500]
        messages = [aio_pika.Message(b'{"number":%d}' % number, message_id=str(number)) for number in batch]
        await asyncio.gather(*(queue.channel.default_exchange.publish(one, stream) for one in messages))


async def test_the_archive_tells_all_of_an_event(queue: ConsumerQueue) -> None:
    await emit(queue, 1, 2, message_id="m")
    first, second = await gathered(read(queue.url, wanted=ArchiveFilter(consumed=[queue.event])))
    assert first.offset < second.offset
    assert (first.id, first.type, first.time) == ("m", "gruppetto.thing.noted.v1", NOW)
    assert (first.subject, first.source) == (f"{queue.event.producer}-1", f"/{queue.event.producer}")
    assert (first.exchange, first.routing_key) == (queue.exchange, queue.event.routing_key())
    assert first.traceparent == "00-a-b-01"
    assert [number(first), number(second)] == [1, 2]


async def test_offsets_bound_what_is_read_and_both_ends_are_included(queue: ConsumerQueue) -> None:
    await emit(queue, *range(10))
    offsets = [
        event.offset for event in await gathered(read(queue.url, wanted=ArchiveFilter(consumed=[queue.event])))
    ]
    assert await found(queue, offsets[3]) == [3, 4, 5, 6, 7, 8, 9]
    assert await found(queue, offsets[3], offsets[5]) == [3, 4, 5]
    assert await found(queue, "first", offsets[1]) == [0, 1]
    assert await found(queue, offsets[9] + 1_000_000) == []


async def test_moments_are_when_events_occurred_and_not_when_they_arrived(queue: ConsumerQueue) -> None:
    for moment in (3, 1, 2, 0):
        await emit(queue, moment, hours=moment)
    assert await found(queue, NOW + timedelta(hours=1)) == [3, 1, 2]
    assert await found(queue, NOW + timedelta(hours=1), NOW + timedelta(hours=2)) == [1, 2]
    assert await found(queue, "first", NOW) == [0]


async def test_from_a_moment_that_nothing_reached_there_is_nothing(
    queue: ConsumerQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "RECEIVE_TIMEOUT_S", 0.5)
    await emit(queue, 1)
    assert await found(queue, datetime.now(UTC) + timedelta(days=1)) == []


async def test_events_are_chosen_by_type_and_subject(queue: ConsumerQueue) -> None:
    await emit(queue, 1, 2)
    await emit(queue, 3, headers={"cloudEvents_type": "gruppetto.other.happened.v1"})
    subject = f"{queue.event.producer}-2"
    mine = [queue.event]
    for wanted, take_numbers in (
        (ArchiveFilter(consumed=mine, types=["thing.noted"]), [1, 2]),
        (ArchiveFilter(consumed=mine, types=["other.happened.v1", "thing.noted"]), [1, 2, 3]),
        (ArchiveFilter(consumed=mine, subject=subject), [2]),
        (ArchiveFilter(consumed=mine, types=["other.happened"], subject=subject), []),
    ):
        assert [number(event) for event in await gathered(read(queue.url, wanted=wanted))] == take_numbers


async def test_the_last_event_is_one_event(queue: ConsumerQueue, stream: str) -> None:
    await fill(queue, stream, range(1_000))
    for start, take_numbers in (("last", [999]), ("next", []), (998, [998, 999])):
        events = await gathered(read(queue.url, start, queue=stream))  # type: ignore[arg-type]
        assert [number(event) for event in events] == take_numbers


async def test_an_empty_archive_ends_at_once(
    queue: ConsumerQueue, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "RECEIVE_TIMEOUT_S", 0.5)
    for start in ("first", "last", 0):
        assert await gathered(read(queue.url, start, queue=stream)) == []  # type: ignore[arg-type]


async def test_more_events_than_are_in_flight_at_a_time_are_all_read(queue: ConsumerQueue, stream: str) -> None:
    await fill(queue, stream, range(2_500))
    events = await gathered(read(queue.url, queue=stream))
    assert [event.offset for event in events] == list(range(2_500))
    assert [number(event) for event in events] == list(range(2_500))


async def test_reading_ends_although_events_keep_coming(queue: ConsumerQueue, stream: str) -> None:
    await fill(queue, stream, range(100))

    async def go_on() -> None:
        for start in range(100, 1_000_000):
            await fill(queue, stream, range(start, start + 1))

    flow = asyncio.create_task(go_on())
    async with asyncio.timeout(20):
        events = await gathered(read(queue.url, queue=stream))
    flow.cancel()
    assert [event.offset for event in events] == list(range(len(events)))
    assert len(events) >= 100


async def test_following_waits_for_what_comes(queue: ConsumerQueue, stream: str) -> None:
    await fill(queue, stream, range(2))
    async with aclosing(read(queue.url, "last", queue=stream, follow=True)) as events:
        assert number(await anext(events)) == 1
        for later in (2, 3):
            coming = asyncio.create_task(anext(events))
            await fill(queue, stream, range(later, later + 1))
            assert number(await coming) == later


async def test_a_follower_is_told_when_the_broker_is_lost(queue: ConsumerQueue, stream: str, proxy: TcpProxy) -> None:
    await fill(queue, stream, range(1))
    async with aclosing(read(proxy.url, "first", queue=stream, follow=True)) as events:
        await anext(events)
        proxy.cut()
        with pytest.raises(BROKER_ERRORS):
            await anext(events)


async def test_a_missing_archive_is_told_in_a_sentence(queue: ConsumerQueue, stream: str) -> None:
    await queue.channel.queue_delete(stream, if_unused=False, if_empty=False)
    with pytest.raises(OperatorError, match="declare the topology first"):
        await gathered(read(queue.url, queue=stream))
