"""Consumers on a real broker and a real database: at least once in, exactly once done."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.robust_queue import RobustQueue
from rig import STEPS, Broker, Noted, Wire, effects, until, write
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared import bus as bus_module
from shared import consumer
from shared.bus import Bus
from shared.consumer import Batched, Handler
from shared.db import Sessions, create_engine
from shared.errors import Unavailable


async def note(event: Noted, session: AsyncSession) -> None:
    """A handler."""
    await write(session, [event])


async def note_many(events: Sequence[Noted], session: AsyncSession) -> None:
    """A handler of batches, with a poison that spoils the whole transaction, as real ones do."""
    await write(session, events)
    if any(event.number < 0 for event in events):
        await session.execute(text("select 1 / 0"))


@asynccontextmanager
async def consuming(
    sessions: Sessions, broker: Broker, handler: Handler | Batched = note, *, url: str = "", **options: int
) -> AsyncIterator[Bus]:
    bus = Bus(url or broker.url, "tests", sessions)
    bus.subscribe(broker.queue, {broker.event: handler}, **options)
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "_WAITS_S", (0.02,))
    monkeypatch.setattr(bus_module, "HAND_OVER_PAUSE_S", 0.02)


async def has(sessions: Sessions, *numbers: int) -> bool:
    return await effects(sessions) == list(numbers)


class Gate:
    """A handler that waits inside its transaction until the test opens it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def handle(self, event: Any, session: AsyncSession) -> None:
        await write(session, [event])
        self.entered.set()
        await self.open.wait()


async def test_a_batch_is_one_transaction(sessions: Sessions, broker: Broker) -> None:
    await broker.put(*range(50))
    async with consuming(sessions, broker, Batched(note_many), batch=50, wait_ms=2000):
        await until(lambda: has(sessions, *range(50)))
    async with sessions.transaction() as session:
        assert (await session.execute(text("select count(distinct xid) from effects"))).scalar_one() == 1
    assert await broker.count(broker.queue) == 0


async def test_an_event_that_is_delivered_again_has_its_effect_once(sessions: Sessions, broker: Broker) -> None:
    event_id = uuid4()
    await broker.put(1, 1, message_id=event_id)  # in one batch
    async with consuming(sessions, broker):
        await until(lambda: has(sessions, 1))
        await broker.put(1, message_id=event_id)  # in a later one
        await broker.put(2)
        await until(lambda: has(sessions, 1, 2))
    assert await broker.count(broker.queue) == 0


async def test_a_poison_message_in_a_batch_harms_only_itself(sessions: Sessions, broker: Broker) -> None:
    await broker.put(1, 2, -3, 4, 5)
    async with consuming(sessions, broker, Batched(note_many), wait_ms=200):
        waiting = await broker.take(broker.waiting("10s"))
        await until(lambda: has(sessions, 1, 2, 4, 5))
    assert waiting.body == b'{"number":-3}'
    assert waiting.headers["x-attempt"] == 1
    assert waiting.headers["x-reason"] == "DBAPIError"
    assert await broker.count(broker.queue) == 0


@pytest.mark.parametrize("attempt", range(len(STEPS) + 1))
async def test_each_attempt_waits_longer_and_the_last_one_ends_in_the_dead_letters(
    sessions: Sessions, broker: Broker, attempt: int
) -> None:
    event_id = uuid4()
    await broker.put(-1, message_id=event_id, headers={"x-attempt": attempt, "traceparent": "00-a-b-01"})
    async with consuming(sessions, broker, Batched(note_many)):
        aside = await broker.take(broker.waiting(STEPS[attempt]) if attempt < len(STEPS) else broker.letters)
    assert (aside.message_id, aside.type) == (str(event_id), broker.event.event_type())
    assert aside.headers["traceparent"] == "00-a-b-01"
    assert aside.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    if attempt < len(STEPS):
        assert aside.headers["x-attempt"] == attempt + 1
    else:
        assert aside.headers["x-reason"] == "DBAPIError after 4 attempts"
    assert await broker.count(broker.queue) == 0


@pytest.mark.parametrize(
    ("body", "properties", "reason"),
    [
        (b'{"number": 1, "note": "canary"}', {"type": "gruppetto.thing.unheard.v1"}, "is not handled here"),
        (b'{"number": 1, "note": "canary"}', {"headers": {"cloudEvents_type": ["odd"]}}, "is not handled here"),
        (b'{"number": "canary', {}, "breaks its contract"),
        (b'{"number": "canary"}', {}, "number (int_parsing)"),
        (b"\xff\xfecanary", {}, "breaks its contract"),
        (b'{"number": 1, "note": "canary"}', {"message_id": "canary"}, "no usable message id"),
    ],
)
async def test_a_message_that_cannot_be_understood_goes_straight_to_the_dead_letters(
    sessions: Sessions, broker: Broker, body: bytes, properties: dict[str, Any], reason: str
) -> None:
    await broker.put_raw(body, **properties)
    await broker.put(1)
    async with consuming(sessions, broker):
        letter = await broker.take(broker.letters)
        await until(lambda: has(sessions, 1))
    assert letter.body == body
    assert reason in str(letter.headers["x-reason"])
    assert "canary" not in str(letter.headers["x-reason"])
    assert await broker.count(broker.queue) == 0


async def test_while_the_database_is_away_the_consumer_waits_and_gives_nothing_back(
    sessions: Sessions, broker: Broker, database_url: str, wire: Callable[[str], Awaitable[Wire]]
) -> None:
    cable = await wire(database_url)
    far = Sessions(create_engine(cable.url, "far"))
    cable.away = True
    async with consuming(far, broker):
        await broker.put(1, 2, 3)
        await until(lambda: cable.refused >= 3)
        for queue in (broker.queue, broker.waiting("10s"), broker.letters):
            assert await broker.count(queue) == 0
        cable.away = False
        await until(lambda: has(sessions, 1, 2, 3))
    await far.engine.dispose()
    assert await broker.count(broker.queue) == 0


async def test_work_that_says_not_now_is_tried_again_at_once_and_not_set_aside(
    sessions: Sessions, broker: Broker
) -> None:
    answers = iter([Unavailable(), TimeoutError()])

    async def busy(event: Noted, session: AsyncSession) -> None:
        for error in answers:
            raise error
        await write(session, [event])

    await broker.put(1)
    async with consuming(sessions, broker, busy):
        await until(lambda: has(sessions, 1))
    assert await broker.count(broker.waiting("10s")) == 0


async def test_nothing_is_acknowledged_before_the_commit(
    sessions: Sessions, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "DRAIN_TIMEOUT_S", 0.1)
    gate = Gate()
    await broker.put(1)
    async with consuming(sessions, broker, gate.handle):
        await gate.entered.wait()
    assert await effects(sessions) == []
    assert await until(lambda: broker.count(broker.queue)) == 1


async def test_a_lost_connection_is_survived_and_what_was_in_hand_is_done_once(
    sessions: Sessions, broker: Broker, wire: Callable[[str], Awaitable[Wire]]
) -> None:
    cable = await wire(broker.url)
    gate = Gate()
    await broker.put(1)
    async with consuming(sessions, broker, gate.handle, url=cable.url) as bus:
        await gate.entered.wait()
        cable.cut()
        await until(lambda: not bus.connected)
        gate.open.set()
        await until(lambda: bus.connected and bus.consuming)
        await broker.put(2)
        await until(lambda: has(sessions, 1, 2))
    assert await broker.count(broker.queue) == 0


async def test_a_message_is_set_aside_as_soon_as_the_broker_takes_it(sessions: Sessions, broker: Broker) -> None:
    await broker.channel.queue_delete(broker.letters)
    await broker.put_raw(b"not understood")
    async with consuming(sessions, broker):
        await broker.put(1)
        await until(lambda: has(sessions, 1))
        assert await broker.count(broker.queue) == 0, "it is kept in hand, not given back"
        await broker.channel.declare_queue(broker.letters, durable=True, arguments={"x-queue-type": "quorum"})
        assert (await broker.take(broker.letters)).body == b"not understood"


async def test_stopping_finishes_what_is_in_hand_and_takes_nothing_more(
    sessions: Sessions, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The broker counts a consumer that was cancelled until it has acknowledged everything.
    cancelled = asyncio.Event()
    cancel = RobustQueue.cancel

    async def seen(queue: RobustQueue, consumer_tag: str) -> None:
        await cancel(queue, consumer_tag)
        cancelled.set()

    monkeypatch.setattr(RobustQueue, "cancel", seen)
    gate = Gate()
    await broker.put(1, 2, 3)
    async with consuming(sessions, broker, gate.handle) as bus:
        await gate.entered.wait()
        stopping = asyncio.create_task(bus.stop())
        await cancelled.wait()
        await broker.put(4)
        gate.open.set()
        await stopping
    assert await effects(sessions) == [1, 2, 3]
    assert (await broker.take(broker.queue)).body == b'{"number":4}'
    assert await broker.count(broker.queue) == 0


async def _is_deserted(broker: Broker) -> bool:
    return await broker.consumers() == 0


async def test_a_start_that_failed_leaves_nothing_behind_and_can_be_repeated(
    sessions: Sessions, broker: Broker, wire: Callable[[str], Awaitable[Wire]]
) -> None:
    cable = await wire(broker.url)
    late = f"{broker.queue}.late"
    broker.extra.append(late)
    bus = Bus(cable.url, "tests", sessions)
    bus.subscribe(broker.queue, {broker.event: note})
    bus.subscribe(late, {broker.event: note})
    cable.away = True
    with pytest.raises(OSError):  # noqa: PT011
        await bus.start()
    cable.away = False
    with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
        await bus.start()
    await until(lambda: _is_deserted(broker))
    await broker.channel.declare_queue(late, durable=True)
    await bus.start()
    assert bus.connected
    assert bus.consuming
    assert await broker.consumers() == 1
    await bus.stop()
    assert not bus.connected


async def test_a_listener_hears_on_after_a_failure_and_after_an_odd_message(
    sessions: Sessions, broker: Broker
) -> None:
    heard: list[int] = []

    async def hear(event: Any) -> None:
        heard.append(event.number)
        if event.number == 1:
            raise ValueError

    bus = Bus(broker.url, "tests", sessions)
    bus.listen(broker.event, hear)
    await bus.start()
    exchange = await broker.channel.get_exchange(broker.exchange, ensure=False)
    for body in (b'{"number": 1}', b"odd", b'{"number": 2}'):
        message = aio_pika.Message(body, message_id=str(uuid4()), type=broker.event.event_type())
        await exchange.publish(message, broker.event.routing_key())
    await until(lambda: heard == [1, 2])
    await bus.stop()
