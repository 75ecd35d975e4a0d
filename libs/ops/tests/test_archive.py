"""The archive on a real broker: read from any point, to the end that it had or for ever."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import pytest
from desk import NOW, emit
from rig import Broker, Wire

from ops import archive
from ops.archive import ArchivedEvent, Wanted, read
from ops.broker import Trouble
from shared.messaging.publisher import BROKER_ERRORS


async def gathered(events: AsyncGenerator[ArchivedEvent, None]) -> list[ArchivedEvent]:
    async with aclosing(events):
        return [event async for event in events]


async def found(broker: Broker, *span: Any, **options: Any) -> list[int]:
    """The numbers of this test's events in that part of the archive."""
    wanted = Wanted(heard=[broker.event])
    return [number(event) for event in await gathered(read(broker.url, *span, wanted=wanted, **options))]


def number(event: ArchivedEvent) -> int:
    decoded: int = json.loads(event.body)["number"]
    return decoded


@pytest.fixture
async def stream(broker: Broker) -> str:
    """A stream of this test's own, empty."""
    name = f"{broker.queue}.stream"
    broker.extra.append(name)
    await broker.channel.declare_queue(name, durable=True, arguments={"x-queue-type": "stream"})
    return name


async def fill(broker: Broker, stream: str, numbers: range) -> None:
    for start in range(0, len(numbers), 500):
        batch = numbers[start : start + 500]
        messages = [aio_pika.Message(b'{"number":%d}' % number, message_id=str(number)) for number in batch]
        await asyncio.gather(*(broker.channel.default_exchange.publish(one, stream) for one in messages))


async def test_the_archive_tells_all_of_an_event(broker: Broker) -> None:
    await emit(broker, 1, 2, message_id="m")
    first, second = await gathered(read(broker.url, wanted=Wanted(heard=[broker.event])))
    assert first.offset < second.offset
    assert (first.id, first.type, first.time) == ("m", "gruppetto.thing.noted.v1", NOW)
    assert (first.subject, first.source) == (f"{broker.event.producer}-1", f"/{broker.event.producer}")
    assert (first.exchange, first.routing_key) == (broker.exchange, broker.event.routing_key())
    assert first.traceparent == "00-a-b-01"
    assert [number(first), number(second)] == [1, 2]


async def test_offsets_bound_what_is_read_and_both_ends_are_included(broker: Broker) -> None:
    await emit(broker, *range(10))
    offsets = [event.offset for event in await gathered(read(broker.url, wanted=Wanted(heard=[broker.event])))]
    assert await found(broker, offsets[3]) == [3, 4, 5, 6, 7, 8, 9]
    assert await found(broker, offsets[3], offsets[5]) == [3, 4, 5]
    assert await found(broker, "first", offsets[1]) == [0, 1]
    assert await found(broker, offsets[9] + 1_000_000) == []


async def test_moments_are_when_events_occurred_and_not_when_they_arrived(broker: Broker) -> None:
    for moment in (3, 1, 2, 0):
        await emit(broker, moment, hours=moment)
    assert await found(broker, NOW + timedelta(hours=1)) == [3, 1, 2]
    assert await found(broker, NOW + timedelta(hours=1), NOW + timedelta(hours=2)) == [1, 2]
    assert await found(broker, "first", NOW) == [0]


async def test_from_a_moment_that_nothing_reached_there_is_nothing(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "SILENCE_S", 0.5)
    await emit(broker, 1)
    assert await found(broker, datetime.now(UTC) + timedelta(days=1)) == []


async def test_events_are_chosen_by_type_and_subject(broker: Broker) -> None:
    await emit(broker, 1, 2)
    await emit(broker, 3, headers={"cloudEvents_type": "gruppetto.other.happened.v1"})
    subject = f"{broker.event.producer}-2"
    mine = [broker.event]
    for wanted, numbers in (
        (Wanted(heard=mine, types=["thing.noted"]), [1, 2]),
        (Wanted(heard=mine, types=["other.happened.v1", "thing.noted"]), [1, 2, 3]),
        (Wanted(heard=mine, subject=subject), [2]),
        (Wanted(heard=mine, types=["other.happened"], subject=subject), []),
    ):
        assert [number(event) for event in await gathered(read(broker.url, wanted=wanted))] == numbers


async def test_the_last_event_is_one_event(broker: Broker, stream: str) -> None:
    await fill(broker, stream, range(1_000))
    for start, numbers in (("last", [999]), ("next", []), (998, [998, 999])):
        events = await gathered(read(broker.url, start, queue=stream))  # type: ignore[arg-type]
        assert [number(event) for event in events] == numbers


async def test_an_empty_archive_ends_at_once(broker: Broker, stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SILENCE_S", 0.5)
    for start in ("first", "last", 0):
        assert await gathered(read(broker.url, start, queue=stream)) == []  # type: ignore[arg-type]


async def test_more_events_than_are_in_flight_at_a_time_are_all_read(broker: Broker, stream: str) -> None:
    await fill(broker, stream, range(2_500))
    events = await gathered(read(broker.url, queue=stream))
    assert [event.offset for event in events] == list(range(2_500))
    assert [number(event) for event in events] == list(range(2_500))


async def test_reading_ends_although_events_keep_coming(broker: Broker, stream: str) -> None:
    await fill(broker, stream, range(100))

    async def go_on() -> None:
        for start in range(100, 1_000_000):
            await fill(broker, stream, range(start, start + 1))

    flow = asyncio.create_task(go_on())
    async with asyncio.timeout(20):
        events = await gathered(read(broker.url, queue=stream))
    flow.cancel()
    assert [event.offset for event in events] == list(range(len(events)))
    assert len(events) >= 100


async def test_following_waits_for_what_comes(broker: Broker, stream: str) -> None:
    await fill(broker, stream, range(2))
    async with aclosing(read(broker.url, "last", queue=stream, follow=True)) as events:
        assert number(await anext(events)) == 1
        for later in (2, 3):
            coming = asyncio.create_task(anext(events))
            await fill(broker, stream, range(later, later + 1))
            assert number(await coming) == later


async def test_a_follower_is_told_when_the_broker_is_lost(broker: Broker, stream: str, wire: Wire) -> None:
    await fill(broker, stream, range(1))
    async with aclosing(read(wire.url, "first", queue=stream, follow=True)) as events:
        await anext(events)
        wire.cut()
        with pytest.raises(BROKER_ERRORS):
            await anext(events)


async def test_a_missing_archive_is_told_in_a_sentence(broker: Broker, stream: str) -> None:
    await broker.channel.queue_delete(stream, if_unused=False, if_empty=False)
    with pytest.raises(Trouble, match="declare the topology first"):
        await gathered(read(broker.url, queue=stream))
