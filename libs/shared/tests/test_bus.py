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
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database, create_engine
from shared.errors import Unavailable
from shared.messaging import bus, inbox, redelivery, topology
from shared.messaging.bus import Bus
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import BatchHandler, DeliveryHandler, Handler
from shared.messaging.outbox import emit
from shared.observability import tracing
from testkit.consumer_queue import RETRY_STEPS, ConsumerQueue, ThingNoted
from testkit.effects import add_effects, list_effects
from testkit.metrics import metric_value
from testkit.tcp_proxy import TcpProxy
from testkit.waiting import stays_true, wait_until

STEPS = list(RETRY_STEPS)


async def handle(event: ThingNoted, session: AsyncSession) -> None:
    """A handler."""
    await add_effects(session, [event])


async def handle_many(events: Sequence[ThingNoted], session: AsyncSession) -> None:
    """A handler of batches, with a poison that spoils the whole transaction, as real ones do."""
    await add_effects(session, events)
    if any(event.number < 0 for event in events):
        await session.execute(text("select 1 / 0"))


@asynccontextmanager
async def consuming(
    database: Database,
    queue: ConsumerQueue,
    handler: Handler | BatchHandler | DeliveryHandler = handle,
    *,
    url: str = "",
    **options: Any,
) -> AsyncIterator[Bus]:
    bus = Bus(url or queue.url, "tests", database)
    bus.subscribe(queue.name, {queue.event: handler}, **options)
    await bus.start()
    try:
        yield bus
    finally:
        await bus.stop()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "_BACKOFF_S", (0.02,))
    monkeypatch.setattr(redelivery, "COPY_RETRY_INTERVAL_S", 0.02)


def held_by(bus: Bus) -> set[AbstractIncomingMessage]:
    """What the only consumer has received and not settled."""
    return set(bus._durable[0]._unsettled)


async def has(database: Database, *numbers: int) -> bool:
    return await list_effects(database) == list(numbers)


class Gate:
    """A handler that waits inside its transaction until the test opens it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def handle(self, event: Any, session: AsyncSession) -> None:
        await add_effects(session, [event])
        self.entered.set()
        await self.open.wait()


async def test_a_batch_is_one_transaction(database: Database, queue: ConsumerQueue) -> None:
    await queue.put(*range(50))
    async with consuming(database, queue, BatchHandler(handle_many), batch=50, wait_ms=2000):
        await wait_until(lambda: has(database, *range(50)))
    async with database.transaction() as session:
        assert (await session.execute(text("select count(distinct xid) from effects"))).scalar_one() == 1
    assert await queue.count(queue.name) == 0


async def test_what_prepares_a_batch_sees_all_that_is_new_in_it_and_shares_its_transaction(
    database: Database, queue: ConsumerQueue
) -> None:
    prepared: list[list[int]] = []

    async def prepare(events: Sequence[ThingNoted], session: AsyncSession) -> None:
        prepared.append([event.number for event in events])
        await add_effects(session, [ThingNoted(number=100 + len(prepared))])

    event_id = uuid4()
    await queue.put(1, message_id=event_id)
    async with consuming(database, queue, BatchHandler(handle_many), batch=4, wait_ms=2000, prepare=prepare) as bus:
        await wait_until(lambda: has(database, 1, 101))
        await wait_until(lambda: not held_by(bus))
        await queue.put(1, message_id=event_id)
        await queue.put(2, -3, 4)
        await wait_until(lambda: has(database, 1, 2, 4, 101, 103, 105))
    # The batch with the poison failed as a whole; each message of it was prepared again by itself.
    assert prepared == [[1], [2, -3, 4], [2], [-3], [4]]


async def test_a_handler_may_ask_which_message_an_event_came_in(database: Database, queue: ConsumerQueue) -> None:
    seen: dict[Any, int] = {}

    async def note(deliveries: Sequence[Delivery], session: AsyncSession) -> None:
        events = [delivery.event for delivery in deliveries if isinstance(delivery.event, ThingNoted)]
        seen.update({one.message_id: event.number for one, event in zip(deliveries, events, strict=True)})
        await add_effects(session, events)

    ids = [uuid4(), uuid4()]
    for number, event_id in enumerate(ids):
        await queue.put(number, message_id=event_id)
    async with consuming(database, queue, DeliveryHandler(note), batch=2, wait_ms=2000):
        await wait_until(lambda: has(database, 0, 1))
    assert seen == {ids[0]: 0, ids[1]: 1}


async def test_an_event_that_is_delivered_again_has_its_effect_once(database: Database, queue: ConsumerQueue) -> None:
    event_id = uuid4()
    await queue.put(1, 1, message_id=event_id)  # in one batch
    async with consuming(database, queue):
        await wait_until(lambda: has(database, 1))
        await queue.put(1, message_id=event_id)  # in a later one
        await queue.put(2)
        await wait_until(lambda: has(database, 1, 2))
    assert await queue.count(queue.name) == 0


async def test_a_poison_message_in_a_batch_harms_only_itself(database: Database, queue: ConsumerQueue) -> None:
    await queue.put(1, 2, -3, 4, 5)
    async with consuming(database, queue, BatchHandler(handle_many), wait_ms=200):
        waiting = await queue.take(queue.retry("10s"))
        await wait_until(lambda: has(database, 1, 2, 4, 5))
    assert waiting.body == b'{"number":-3}'
    assert waiting.headers["x-attempt"] == 1
    assert waiting.headers["x-reason"] == "DBAPIError"
    assert await queue.count(queue.name) == 0


@pytest.mark.parametrize("attempt", range(len(RETRY_STEPS) + 1))
async def test_each_attempt_waits_longer_and_the_last_one_ends_in_the_dead_letters(
    database: Database, queue: ConsumerQueue, attempt: int
) -> None:
    event_id = uuid4()
    await queue.put(-1, message_id=event_id, headers={"x-attempt": attempt, "traceparent": "00-a-b-01"})
    async with consuming(database, queue, BatchHandler(handle_many)):
        aside = await queue.take(queue.retry(STEPS[attempt]) if attempt < len(STEPS) else queue.dead_letters)
    assert (aside.message_id, aside.type) == (str(event_id), queue.event.event_type())
    assert aside.headers["traceparent"] == "00-a-b-01"
    assert aside.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    if attempt < len(STEPS):
        assert aside.headers["x-attempt"] == attempt + 1
    else:
        assert aside.headers["x-reason"] == "DBAPIError after 4 attempts"
    assert await queue.count(queue.name) == 0


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
    database: Database, queue: ConsumerQueue, body: bytes, properties: dict[str, Any], reason: str
) -> None:
    await queue.put_raw(body, **properties)
    await queue.put(1)
    async with consuming(database, queue):
        letter = await queue.take(queue.dead_letters)
        await wait_until(lambda: has(database, 1))
    assert letter.body == body
    assert reason in str(letter.headers["x-reason"])
    assert "canary" not in str(letter.headers["x-reason"])
    assert await queue.count(queue.name) == 0


async def test_a_dead_letter_keeps_odd_headers_and_the_count_of_its_replays(
    database: Database, queue: ConsumerQueue
) -> None:
    odd = {"raw": bytearray(b"\xff\xfe"), "deep": {"list": [bytearray(b"\xff"), 1]}, "x-replay": 2, "x-attempt": 1}
    await queue.put_raw(b"not understood", headers=odd)
    async with consuming(database, queue):
        letter = await queue.take(queue.dead_letters)
    assert bytes(letter.headers["raw"]) == b"\xff\xfe"
    assert letter.headers["deep"] == {"list": [b"\xff", 1]}
    assert letter.headers["x-replay"] == 2
    assert "x-attempt" not in letter.headers


async def test_while_the_database_is_away_the_consumer_waits_and_gives_nothing_back(
    database: Database, queue: ConsumerQueue, database_url: str, make_proxy: Callable[[str], Awaitable[TcpProxy]]
) -> None:
    proxy = await make_proxy(database_url)
    far = Database(create_engine(proxy.url, "far"))
    proxy.refusing = True
    async with consuming(far, queue) as bus:
        await queue.put(1, 2, 3)
        await wait_until(lambda: len(held_by(bus)) == 3)
        held = held_by(bus)
        await wait_until(lambda: proxy.refused >= 12)
        assert held_by(bus) == held, "none was given back and came again"
        for name in (queue.name, queue.retry("10s"), queue.dead_letters):
            assert await queue.count(name) == 0
        proxy.refusing = False
        await wait_until(lambda: has(database, 1, 2, 3))
    await far.engine.dispose()
    assert await queue.count(queue.name) == 0


async def test_work_that_says_not_now_is_tried_again_at_once_and_not_set_aside(
    database: Database, queue: ConsumerQueue
) -> None:
    answers = iter([Unavailable(), TimeoutError()])

    async def busy(event: ThingNoted, session: AsyncSession) -> None:
        for error in answers:
            raise error
        await add_effects(session, [event])

    await queue.put(1)
    async with consuming(database, queue, busy):
        await wait_until(lambda: has(database, 1))
    assert await queue.count(queue.retry("10s")) == 0


async def test_nothing_is_acknowledged_before_the_commit(
    database: Database, queue: ConsumerQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "DRAIN_TIMEOUT_S", 0.1)
    gate = Gate()
    await queue.put(1)
    async with consuming(database, queue, gate.handle):
        await gate.entered.wait()
    assert await list_effects(database) == []
    assert await wait_until(lambda: queue.count(queue.name)) == 1


async def test_a_lost_connection_is_survived_and_what_was_in_hand_is_done_once(
    database: Database, queue: ConsumerQueue, make_proxy: Callable[[str], Awaitable[TcpProxy]]
) -> None:
    proxy = await make_proxy(queue.url)
    gate = Gate()
    await queue.put(1)
    async with consuming(database, queue, gate.handle, url=proxy.url) as bus:
        await gate.entered.wait()
        proxy.cut()
        await wait_until(lambda: not bus.is_connected)
        gate.open.set()
        await wait_until(bus.is_consuming)
        await queue.put(2)
        await wait_until(lambda: has(database, 1, 2))
    assert await queue.count(queue.name) == 0


async def test_what_waits_behind_a_batch_when_the_connection_is_lost_is_delivered_again_and_worked_off(
    database: Database, queue: ConsumerQueue, make_proxy: Callable[[str], Awaitable[TcpProxy]]
) -> None:
    proxy = await make_proxy(queue.url)
    gate = Gate()
    await queue.put(*range(9))
    async with consuming(database, queue, gate.handle, url=proxy.url, batch=5) as bus:
        await gate.entered.wait()
        await wait_until(lambda: len(bus._durable[0]._unsettled) == 9)
        proxy.cut()
        await wait_until(lambda: not bus.is_connected)
        gate.open.set()
        await wait_until(lambda: has(database, *range(9)))
        await queue.put(9)
        await wait_until(lambda: has(database, *range(10)))
    assert await queue.count(queue.name) == 0


async def test_a_worker_that_fails_begins_anew(
    database: Database, queue: ConsumerQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = inbox.InboxProcessor.process
    failures = iter([ZeroDivisionError()])

    async def fail_once(processor: inbox.InboxProcessor, deliveries: Any) -> Any:
        for failure in failures:
            raise failure
        return await process(processor, deliveries)

    monkeypatch.setattr(inbox.InboxProcessor, "process", fail_once)
    await queue.put(1, 2)
    async with consuming(database, queue):
        await wait_until(lambda: has(database, 1, 2))


async def test_a_message_is_set_aside_as_soon_as_the_broker_takes_it(
    database: Database, queue: ConsumerQueue
) -> None:
    await queue.channel.queue_delete(queue.dead_letters)
    await queue.put_raw(b"not understood")
    async with consuming(database, queue) as bus:
        await queue.put(1)
        await wait_until(lambda: has(database, 1))
        await wait_until(lambda: len(held_by(bus)) == 1)
        held = held_by(bus)
        await stays_true(lambda: held_by(bus) == held, 0.3)  # it is kept, not given back
        await queue.channel.declare_queue(queue.dead_letters, durable=True, arguments={"x-queue-type": "quorum"})
        assert (await queue.take(queue.dead_letters)).body == b"not understood"


async def test_a_message_that_cannot_be_set_aside_is_kept_and_named_and_delivered_again_after_a_restart(
    database: Database, queue: ConsumerQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "DRAIN_TIMEOUT_S", 0.1)
    await queue.put_raw(b"not understood", message_id="17")
    await queue.put(1)
    with monkeypatch.context() as broken, structlog.testing.capture_logs() as logged:
        broken.setattr(redelivery, "to_dead_letter", lambda *_: 1 / 0)
        async with consuming(database, queue) as running:
            await wait_until(lambda: has(database, 1))
            await wait_until(lambda: len(held_by(running)) == 1)
            held = held_by(running)
            await stays_true(lambda: held_by(running) == held, 0.3)  # it is kept, not given back
    assert [line["message_id"] for line in logged if line["event"] == "a message stays unsettled"] == ["17"]
    async with consuming(database, queue):
        assert (await queue.take(queue.dead_letters)).body == b"not understood"


async def test_stopping_finishes_what_is_in_hand_and_takes_nothing_more(
    database: Database, queue: ConsumerQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The broker counts a consumer that was cancelled until it has acknowledged everything.
    cancelled = asyncio.Event()
    cancel = Queue.cancel

    async def seen(source: Queue, consumer_tag: str) -> None:
        await cancel(source, consumer_tag)
        cancelled.set()

    monkeypatch.setattr(Queue, "cancel", seen)
    gate = Gate()
    await queue.put(1, 2, 3)
    async with consuming(database, queue, gate.handle) as bus:
        await gate.entered.wait()
        stopping = asyncio.create_task(bus.stop())
        await cancelled.wait()
        await queue.put(4)
        gate.open.set()
        await stopping
    assert await list_effects(database) == [1, 2, 3]
    assert (await queue.take(queue.name)).body == b'{"number":4}'
    assert await queue.count(queue.name) == 0


async def _is_deserted(queue: ConsumerQueue) -> bool:
    return await queue.count_consumers() == 0


async def test_a_start_that_failed_leaves_nothing_behind_and_can_be_repeated(
    database: Database, queue: ConsumerQueue, make_proxy: Callable[[str], Awaitable[TcpProxy]]
) -> None:
    proxy = await make_proxy(queue.url)
    late = f"{queue.name}.late"
    queue.extra.append(late)
    bus = Bus(proxy.url, "tests", database)
    bus.subscribe(queue.name, {queue.event: handle})
    bus.subscribe(late, {queue.event: handle})
    proxy.refusing = True
    with pytest.raises(OSError):  # noqa: PT011
        await bus.start()
    proxy.refusing = False
    with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
        await bus.start()
    await wait_until(lambda: _is_deserted(queue))
    await queue.channel.declare_queue(late, durable=True)
    await bus.start()
    assert bus.is_connected
    assert await bus.is_consuming()
    assert await queue.count_consumers() == 1
    await bus.stop()
    assert not bus.is_connected


async def test_a_listener_hears_on_after_a_failure_an_odd_message_and_a_lost_connection(
    database: Database, queue: ConsumerQueue, make_proxy: Callable[[str], Awaitable[TcpProxy]]
) -> None:
    proxy = await make_proxy(queue.url)
    heard: list[int] = []

    async def hear(event: Any) -> None:
        heard.append(event.number)
        if event.number == 1:
            raise ValueError

    async def tell(body: bytes) -> None:
        exchange = await queue.channel.get_exchange(queue.exchange, ensure=False)
        message = aio_pika.Message(body, message_id=str(uuid4()), type=queue.event.event_type())
        await exchange.publish(message, queue.event.routing_key())

    bus = Bus(proxy.url, "tests", database)
    bus.subscribe_broadcast(queue.event, hear)
    await bus.start()
    for body in (b'{"number": 1}', b"odd", b'{"number": 2}'):
        await tell(body)
    await wait_until(lambda: heard == [1, 2])
    proxy.cut()
    await wait_until(lambda: is_not(bus.is_consuming))
    await wait_until(bus.is_consuming)
    await tell(b'{"number": 3}')
    await wait_until(lambda: heard == [1, 2, 3])
    await bus.stop()


async def test_work_that_always_takes_too_long_is_set_aside_once_the_database_proves_to_be_there(
    database: Database, queue: ConsumerQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "_MAX_TRANSIENT_ATTEMPTS", 2)

    async def hopeless(event: ThingNoted, session: AsyncSession) -> None:
        if event.number == 1:
            raise TimeoutError
        await add_effects(session, [event])

    await queue.put(1, 2)
    async with consuming(database, queue, hopeless):
        aside = await queue.take(queue.retry("10s"))
        await wait_until(lambda: has(database, 2))
    assert (aside.body, aside.headers["x-reason"]) == (b'{"number":1}', "TimeoutError")


async def test_a_channel_that_the_broker_closes_is_opened_again_and_what_was_in_hand_is_done_once(
    database: Database, queue: ConsumerQueue
) -> None:
    gate = Gate()
    await queue.put(1, 2, 3)
    async with consuming(database, queue, gate.handle) as bus:
        await gate.entered.wait()
        channel = await in_use(bus).get_underlay_channel()
        with contextlib.suppress(aio_pika.exceptions.AMQPError):  # as for a message that is held for too long
            await channel.basic_ack(9_999)
        await wait_until(lambda: channel.is_closed)
        gate.open.set()
        await wait_until(bus.is_consuming)
        await wait_until(lambda: has(database, 1, 2, 3))
        await queue.put(4)
        await wait_until(lambda: has(database, 1, 2, 3, 4))
    assert await queue.count(queue.name) == 0


def in_use(bus: Bus) -> aio_pika.abc.AbstractChannel:
    """The channel of the only subscription."""
    [consumer] = bus._consumers
    assert consumer._channel is not None
    return consumer._channel


async def test_a_consumer_whose_queue_was_deleted_does_not_count_as_consuming_until_it_is_back(
    database: Database, queue: ConsumerQueue, rabbitmq_url: str, management_url: str
) -> None:
    async with consuming(database, queue) as bus:
        assert await bus.is_consuming()
        await queue.channel.queue_delete(queue.name, if_unused=False, if_empty=False)
        await wait_until(lambda: is_not(bus.is_consuming))
        await topology.declare(rabbitmq_url, management_url, {queue.name: (queue.event,)})
        await wait_until(bus.is_consuming, deadline_s=30)
        await queue.put(1)
        await wait_until(lambda: has(database, 1))


async def is_not(question: Callable[[], Awaitable[bool]]) -> bool:
    return not await question()


async def test_what_a_handler_emits_belongs_to_the_trace_of_what_it_heard_and_its_log_names_the_message(
    database: Database, queue: ConsumerQueue
) -> None:
    async def pass_on(event: ThingNoted, session: AsyncSession) -> None:
        structlog.stdlib.get_logger().warning("passing on")
        await emit(session, event)
        await add_effects(session, [event])

    event_id = uuid4()
    traceparent = f"00-{0xABC:032x}-{0xDEF:016x}-01"
    await queue.put(1, message_id=event_id, headers={"traceparent": traceparent})
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        async with consuming(database, queue, pass_on):
            await wait_until(lambda: has(database, 1))
    assert [line for line in logged if line["event"] == "passing on"] == [
        {
            "event": "passing on",
            "log_level": "warning",
            "queue": queue.name,
            "message_id": str(event_id),
            "trace_id": f"{0xABC:032x}",
        }
    ]
    async with database.transaction() as session:
        [headers] = (await session.execute(text("select headers from outbox"))).scalars()
    assert headers["traceparent"].split("-")[1] == f"{0xABC:032x}"


async def test_a_batch_links_to_each_trace_that_its_events_belong_to(
    database: Database, queue: ConsumerQueue
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))

    for number in (1, 2, 3):
        trace = {"traceparent": f"00-{max(number, 2):032x}-{number:016x}-01"}
        await queue.put(number, headers=trace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "_tracer", provider.get_tracer("tests"))
        async with consuming(database, queue, BatchHandler(handle_many), wait_ms=500):
            await wait_until(lambda: has(database, 1, 2, 3))
    [span] = spans.get_finished_spans()
    assert span.name == f"process {queue.name}"
    assert [link.context.span_id for link in span.links] == [1, 2, 3]
    assert span.parent is None, "two traces have no common parent"


async def test_a_failing_handler_marks_its_span_without_the_text_of_the_error(
    database: Database, queue: ConsumerQueue
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))

    async def fail(_event: ThingNoted, _session: AsyncSession) -> None:
        raise ValueError("canary")

    await queue.put(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracing, "_tracer", provider.get_tracer("tests"))
        async with consuming(database, queue, fail):
            await queue.take(queue.retry("10s"))
    [span] = spans.get_finished_spans()
    assert span.status.description == "ValueError"
    assert "canary" not in span.to_json()


async def test_consumers_count_what_they_do(database: Database, queue: ConsumerQueue) -> None:
    event_id = uuid4()
    written = datetime.now(UTC) - timedelta(minutes=5)
    await queue.put(1, 1, message_id=event_id, headers={"cloudEvents_time": written.isoformat()})
    await queue.put(-2)
    await queue.put_raw(b"not understood")
    async with consuming(database, queue, BatchHandler(handle_many)) as bus:
        await wait_until(lambda: has(database, 1))
        await wait_until(lambda: _counted(queue, -2))
        await bus.update_metrics()
        up = {"queue": queue.name}
        assert metric_value("consumer_up", up) == 1
        assert metric_value("dlq_depth", up) == 1
    consumer_name = {"consumer": queue.name}
    assert metric_value("inbox_duplicates_total", consumer_name) == 1
    assert metric_value("event_lag_seconds_count", consumer_name) == 2
    assert metric_value("event_lag_seconds_sum", consumer_name) > 590
    assert metric_value("retry_total", up | {"step": "10s"}) == 1
    assert metric_value("dead_letters_total", up | {"cause": "invalid"}) == 1


async def _counted(queue: ConsumerQueue, _number: int) -> bool:
    return await queue.count(queue.retry("10s")) == 1 and await queue.count(queue.dead_letters) == 1


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
