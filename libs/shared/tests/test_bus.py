"""Consumers on a real broker and a real database: at least once in, exactly once done."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
import structlog
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.queue import Queue
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rig import STEPS, Broker, Noted, Wire, effects, stays, until, value, write
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database, create_engine
from shared.errors import Unavailable
from shared.messaging import batch_consumer, bus, inbox, redelivery, topology
from shared.messaging.bus import Bus
from shared.messaging.inbox import BatchHandler, Handler
from shared.messaging.outbox import emit
from shared.observability import tracing


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
    database: Database, broker: Broker, handler: Handler | BatchHandler = note, *, url: str = "", **options: int
) -> AsyncIterator[Bus]:
    bus = Bus(url or broker.url, "tests", database)
    bus.subscribe(broker.queue, {broker.event: handler}, **options)
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "_BACKOFF_S", (0.02,))
    monkeypatch.setattr(batch_consumer, "COPY_RETRY_INTERVAL_S", 0.02)


def held_by(bus: Bus) -> set[AbstractIncomingMessage]:
    """What the only consumer has received and not settled."""
    return set(bus._batch_consumers[0]._unsettled)


async def has(database: Database, *numbers: int) -> bool:
    return await effects(database) == list(numbers)


class Gate:
    """A handler that waits inside its transaction until the test opens it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def handle(self, event: Any, session: AsyncSession) -> None:
        await write(session, [event])
        self.entered.set()
        await self.open.wait()


async def test_a_batch_is_one_transaction(database: Database, broker: Broker) -> None:
    await broker.put(*range(50))
    async with consuming(database, broker, BatchHandler(note_many), batch=50, wait_ms=2000):
        await until(lambda: has(database, *range(50)))
    async with database.transaction() as session:
        assert (await session.execute(text("select count(distinct xid) from effects"))).scalar_one() == 1
    assert await broker.count(broker.queue) == 0


async def test_an_event_that_is_delivered_again_has_its_effect_once(database: Database, broker: Broker) -> None:
    event_id = uuid4()
    await broker.put(1, 1, message_id=event_id)  # in one batch
    async with consuming(database, broker):
        await until(lambda: has(database, 1))
        await broker.put(1, message_id=event_id)  # in a later one
        await broker.put(2)
        await until(lambda: has(database, 1, 2))
    assert await broker.count(broker.queue) == 0


async def test_a_poison_message_in_a_batch_harms_only_itself(database: Database, broker: Broker) -> None:
    await broker.put(1, 2, -3, 4, 5)
    async with consuming(database, broker, BatchHandler(note_many), wait_ms=200):
        waiting = await broker.take(broker.waiting("10s"))
        await until(lambda: has(database, 1, 2, 4, 5))
    assert waiting.body == b'{"number":-3}'
    assert waiting.headers["x-attempt"] == 1
    assert waiting.headers["x-reason"] == "DBAPIError"
    assert await broker.count(broker.queue) == 0


@pytest.mark.parametrize("attempt", range(len(STEPS) + 1))
async def test_each_attempt_waits_longer_and_the_last_one_ends_in_the_dead_letters(
    database: Database, broker: Broker, attempt: int
) -> None:
    event_id = uuid4()
    await broker.put(-1, message_id=event_id, headers={"x-attempt": attempt, "traceparent": "00-a-b-01"})
    async with consuming(database, broker, BatchHandler(note_many)):
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
    database: Database, broker: Broker, body: bytes, properties: dict[str, Any], reason: str
) -> None:
    await broker.put_raw(body, **properties)
    await broker.put(1)
    async with consuming(database, broker):
        letter = await broker.take(broker.letters)
        await until(lambda: has(database, 1))
    assert letter.body == body
    assert reason in str(letter.headers["x-reason"])
    assert "canary" not in str(letter.headers["x-reason"])
    assert await broker.count(broker.queue) == 0


async def test_a_dead_letter_keeps_odd_headers_and_the_count_of_its_replays(
    database: Database, broker: Broker
) -> None:
    odd = {"raw": bytearray(b"\xff\xfe"), "deep": {"list": [bytearray(b"\xff"), 1]}, "x-replay": 2, "x-attempt": 1}
    await broker.put_raw(b"not understood", headers=odd)
    async with consuming(database, broker):
        letter = await broker.take(broker.letters)
    assert bytes(letter.headers["raw"]) == b"\xff\xfe"
    assert letter.headers["deep"] == {"list": [b"\xff", 1]}
    assert letter.headers["x-replay"] == 2
    assert "x-attempt" not in letter.headers


async def test_while_the_database_is_away_the_consumer_waits_and_gives_nothing_back(
    database: Database, broker: Broker, database_url: str, wire: Callable[[str], Awaitable[Wire]]
) -> None:
    cable = await wire(database_url)
    far = Database(create_engine(cable.url, "far"))
    cable.away = True
    async with consuming(far, broker) as bus:
        await broker.put(1, 2, 3)
        await until(lambda: len(held_by(bus)) == 3)
        held = held_by(bus)
        await until(lambda: cable.refused >= 12)
        assert held_by(bus) == held, "none was given back and came again"
        for queue in (broker.queue, broker.waiting("10s"), broker.letters):
            assert await broker.count(queue) == 0
        cable.away = False
        await until(lambda: has(database, 1, 2, 3))
    await far.engine.dispose()
    assert await broker.count(broker.queue) == 0


async def test_work_that_says_not_now_is_tried_again_at_once_and_not_set_aside(
    database: Database, broker: Broker
) -> None:
    answers = iter([Unavailable(), TimeoutError()])

    async def busy(event: Noted, session: AsyncSession) -> None:
        for error in answers:
            raise error
        await write(session, [event])

    await broker.put(1)
    async with consuming(database, broker, busy):
        await until(lambda: has(database, 1))
    assert await broker.count(broker.waiting("10s")) == 0


async def test_nothing_is_acknowledged_before_the_commit(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "DRAIN_TIMEOUT_S", 0.1)
    gate = Gate()
    await broker.put(1)
    async with consuming(database, broker, gate.handle):
        await gate.entered.wait()
    assert await effects(database) == []
    assert await until(lambda: broker.count(broker.queue)) == 1


async def test_a_lost_connection_is_survived_and_what_was_in_hand_is_done_once(
    database: Database, broker: Broker, wire: Callable[[str], Awaitable[Wire]]
) -> None:
    cable = await wire(broker.url)
    gate = Gate()
    await broker.put(1)
    async with consuming(database, broker, gate.handle, url=cable.url) as bus:
        await gate.entered.wait()
        cable.cut()
        await until(lambda: not bus.is_connected)
        gate.open.set()
        await until(bus.is_consuming)
        await broker.put(2)
        await until(lambda: has(database, 1, 2))
    assert await broker.count(broker.queue) == 0


async def test_what_waits_behind_a_batch_when_the_connection_is_lost_is_delivered_again_and_worked_off(
    database: Database, broker: Broker, wire: Callable[[str], Awaitable[Wire]]
) -> None:
    cable = await wire(broker.url)
    gate = Gate()
    await broker.put(*range(9))
    async with consuming(database, broker, gate.handle, url=cable.url, batch=5) as bus:
        await gate.entered.wait()
        await until(lambda: len(bus._batch_consumers[0]._unsettled) == 9)
        cable.cut()
        await until(lambda: not bus.is_connected)
        gate.open.set()
        await until(lambda: has(database, *range(9)))
        await broker.put(9)
        await until(lambda: has(database, *range(10)))
    assert await broker.count(broker.queue) == 0


async def test_a_worker_that_fails_begins_anew(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = inbox.InboxProcessor.process
    failures = iter([ZeroDivisionError()])

    async def fail_once(processor: inbox.InboxProcessor, deliveries: Any) -> Any:
        for failure in failures:
            raise failure
        return await process(processor, deliveries)

    monkeypatch.setattr(inbox.InboxProcessor, "process", fail_once)
    await broker.put(1, 2)
    async with consuming(database, broker):
        await until(lambda: has(database, 1, 2))


async def test_a_message_is_set_aside_as_soon_as_the_broker_takes_it(database: Database, broker: Broker) -> None:
    await broker.channel.queue_delete(broker.letters)
    await broker.put_raw(b"not understood")
    async with consuming(database, broker) as bus:
        await broker.put(1)
        await until(lambda: has(database, 1))
        await until(lambda: len(held_by(bus)) == 1)
        held = held_by(bus)
        await stays(lambda: held_by(bus) == held, 0.3)  # it is kept, not given back
        await broker.channel.declare_queue(broker.letters, durable=True, arguments={"x-queue-type": "quorum"})
        assert (await broker.take(broker.letters)).body == b"not understood"


async def test_a_message_that_cannot_be_set_aside_is_kept_and_named_and_delivered_again_after_a_restart(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "DRAIN_TIMEOUT_S", 0.1)
    await broker.put_raw(b"not understood", message_id="17")
    await broker.put(1)
    with monkeypatch.context() as broken, structlog.testing.capture_logs() as logged:
        broken.setattr(redelivery, "to_dead_letter", lambda *_: 1 / 0)
        async with consuming(database, broker) as running:
            await until(lambda: has(database, 1))
            await until(lambda: len(held_by(running)) == 1)
            held = held_by(running)
            await stays(lambda: held_by(running) == held, 0.3)  # it is kept, not given back
    assert [line["message_id"] for line in logged if line["event"] == "a message stays unsettled"] == ["17"]
    async with consuming(database, broker):
        assert (await broker.take(broker.letters)).body == b"not understood"


async def test_stopping_finishes_what_is_in_hand_and_takes_nothing_more(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The broker counts a consumer that was cancelled until it has acknowledged everything.
    cancelled = asyncio.Event()
    cancel = Queue.cancel

    async def seen(queue: Queue, consumer_tag: str) -> None:
        await cancel(queue, consumer_tag)
        cancelled.set()

    monkeypatch.setattr(Queue, "cancel", seen)
    gate = Gate()
    await broker.put(1, 2, 3)
    async with consuming(database, broker, gate.handle) as bus:
        await gate.entered.wait()
        stopping = asyncio.create_task(bus.stop())
        await cancelled.wait()
        await broker.put(4)
        gate.open.set()
        await stopping
    assert await effects(database) == [1, 2, 3]
    assert (await broker.take(broker.queue)).body == b'{"number":4}'
    assert await broker.count(broker.queue) == 0


async def _is_deserted(broker: Broker) -> bool:
    return await broker.consumers() == 0


async def test_a_start_that_failed_leaves_nothing_behind_and_can_be_repeated(
    database: Database, broker: Broker, wire: Callable[[str], Awaitable[Wire]]
) -> None:
    cable = await wire(broker.url)
    late = f"{broker.queue}.late"
    broker.extra.append(late)
    bus = Bus(cable.url, "tests", database)
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
    assert bus.is_connected
    assert await bus.is_consuming()
    assert await broker.consumers() == 1
    await bus.stop()
    assert not bus.is_connected


async def test_a_listener_hears_on_after_a_failure_an_odd_message_and_a_lost_connection(
    database: Database, broker: Broker, wire: Callable[[str], Awaitable[Wire]]
) -> None:
    cable = await wire(broker.url)
    heard: list[int] = []

    async def hear(event: Any) -> None:
        heard.append(event.number)
        if event.number == 1:
            raise ValueError

    async def tell(body: bytes) -> None:
        exchange = await broker.channel.get_exchange(broker.exchange, ensure=False)
        message = aio_pika.Message(body, message_id=str(uuid4()), type=broker.event.event_type())
        await exchange.publish(message, broker.event.routing_key())

    bus = Bus(cable.url, "tests", database)
    bus.subscribe_broadcast(broker.event, hear)
    await bus.start()
    for body in (b'{"number": 1}', b"odd", b'{"number": 2}'):
        await tell(body)
    await until(lambda: heard == [1, 2])
    cable.cut()
    await until(lambda: is_not(bus.is_consuming))
    await until(bus.is_consuming)
    await tell(b'{"number": 3}')
    await until(lambda: heard == [1, 2, 3])
    await bus.stop()


async def test_work_that_always_takes_too_long_is_set_aside_once_the_database_proves_to_be_there(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "_MAX_TRANSIENT_ATTEMPTS", 2)

    async def hopeless(event: Noted, session: AsyncSession) -> None:
        if event.number == 1:
            raise TimeoutError
        await write(session, [event])

    await broker.put(1, 2)
    async with consuming(database, broker, hopeless):
        aside = await broker.take(broker.waiting("10s"))
        await until(lambda: has(database, 2))
    assert (aside.body, aside.headers["x-reason"]) == (b'{"number":1}', "TimeoutError")


async def test_a_channel_that_the_broker_closes_is_opened_again_and_what_was_in_hand_is_done_once(
    database: Database, broker: Broker
) -> None:
    gate = Gate()
    await broker.put(1, 2, 3)
    async with consuming(database, broker, gate.handle) as bus:
        await gate.entered.wait()
        channel = await in_use(bus).get_underlay_channel()
        with contextlib.suppress(aio_pika.exceptions.AMQPError):  # as for a message that is held for too long
            await channel.basic_ack(9_999)
        await until(lambda: channel.is_closed)
        gate.open.set()
        await until(bus.is_consuming)
        await until(lambda: has(database, 1, 2, 3))
        await broker.put(4)
        await until(lambda: has(database, 1, 2, 3, 4))
    assert await broker.count(broker.queue) == 0


def in_use(bus: Bus) -> aio_pika.abc.AbstractChannel:
    """The channel of the only subscription."""
    [consumer] = bus._consumers
    assert consumer._channel is not None
    return consumer._channel


async def test_a_consumer_whose_queue_was_deleted_does_not_count_as_consuming_until_it_is_back(
    database: Database, broker: Broker, rabbitmq_url: str, management_url: str
) -> None:
    async with consuming(database, broker) as bus:
        assert await bus.is_consuming()
        await broker.channel.queue_delete(broker.queue, if_unused=False, if_empty=False)
        await until(lambda: is_not(bus.is_consuming))
        await topology.declare(rabbitmq_url, management_url, {broker.queue: (broker.event,)})
        await until(bus.is_consuming, 30)
        await broker.put(1)
        await until(lambda: has(database, 1))


async def is_not(question: Callable[[], Awaitable[bool]]) -> bool:
    return not await question()


async def test_what_a_handler_emits_belongs_to_the_trace_of_what_it_heard_and_its_log_names_the_message(
    database: Database, broker: Broker
) -> None:
    async def pass_on(event: Noted, session: AsyncSession) -> None:
        structlog.stdlib.get_logger().warning("passing on")
        await emit(session, event)
        await write(session, [event])

    event_id = uuid4()
    traceparent = f"00-{0xABC:032x}-{0xDEF:016x}-01"
    await broker.put(1, message_id=event_id, headers={"traceparent": traceparent})
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        async with consuming(database, broker, pass_on):
            await until(lambda: has(database, 1))
    assert [line for line in logged if line["event"] == "passing on"] == [
        {
            "event": "passing on",
            "log_level": "warning",
            "queue": broker.queue,
            "message_id": str(event_id),
            "trace_id": f"{0xABC:032x}",
        }
    ]
    async with database.transaction() as session:
        [headers] = (await session.execute(text("select headers from outbox"))).scalars()
    assert headers["traceparent"].split("-")[1] == f"{0xABC:032x}"


async def test_a_batch_links_to_each_trace_that_its_events_belong_to(database: Database, broker: Broker) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))

    for number in (1, 2, 3):
        trace = {"traceparent": f"00-{max(number, 2):032x}-{number:016x}-01"}
        await broker.put(number, headers=trace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "_tracer", provider.get_tracer("tests"))
        async with consuming(database, broker, BatchHandler(note_many), wait_ms=500):
            await until(lambda: has(database, 1, 2, 3))
    [span] = spans.get_finished_spans()
    assert span.name == f"process {broker.queue}"
    assert [link.context.span_id for link in span.links] == [1, 2, 3]
    assert span.parent is None, "two traces have no common parent"


async def test_a_failing_handler_marks_its_span_without_the_text_of_the_error(
    database: Database, broker: Broker
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))

    async def fail(_event: Noted, _session: AsyncSession) -> None:
        raise ValueError("canary")

    await broker.put(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "_tracer", provider.get_tracer("tests"))
        async with consuming(database, broker, fail):
            await broker.take(broker.waiting("10s"))
    [span] = spans.get_finished_spans()
    assert span.status.description == "ValueError"
    assert "canary" not in span.to_json()


async def test_consumers_count_what_they_do(database: Database, broker: Broker) -> None:
    event_id = uuid4()
    written = datetime.now(UTC) - timedelta(minutes=5)
    await broker.put(1, 1, message_id=event_id, headers={"cloudEvents_time": written.isoformat()})
    await broker.put(-2)
    await broker.put_raw(b"not understood")
    async with consuming(database, broker, BatchHandler(note_many)) as bus:
        await until(lambda: has(database, 1))
        await until(lambda: _counted(broker, -2))
        await bus.update_metrics()
        up = {"queue": broker.queue}
        assert value("consumer_up", up) == 1
        assert value("dlq_depth", up) == 1
    consumer_name = {"consumer": broker.queue}
    assert value("inbox_duplicates_total", consumer_name) == 1
    assert value("event_lag_seconds_count", consumer_name) == 2
    assert value("event_lag_seconds_sum", consumer_name) > 590
    assert value("retry_total", up | {"step": "10s"}) == 1
    assert value("dead_letters_total", up | {"cause": "invalid"}) == 1


async def _counted(broker: Broker, _number: int) -> bool:
    return await broker.count(broker.waiting("10s")) == 1 and await broker.count(broker.letters) == 1


async def test_the_inbox_forgets_what_is_too_old_to_come_again(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(
            text(
                """insert into inbox (consumer, message_id, handled_at)
                   select 'old', gen_random_uuid(), now() - interval '15 days' from generate_series(1, 5001)
                   union all select 'new', gen_random_uuid(), now() - interval '13 days'"""
            )
        )
    assert await inbox.purge_inbox(database), "there was more than one helping"
    assert not await inbox.purge_inbox(database)
    async with database.transaction() as session:
        assert list((await session.execute(text("select consumer from inbox"))).scalars()) == ["new"]
