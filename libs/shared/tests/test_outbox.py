"""The outbox and its relay, on a real database and a real broker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aio_pika
import pytest
from opentelemetry import context, trace
from prometheus_client import REGISTRY
from sqlalchemy import AsyncAdaptedQueuePool, Row, event, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database, create_engine
from shared.messaging.outbox import Relay, emit, update_metrics
from testkit.consumer_queue import ConsumerQueue
from testkit.metrics import metric_value
from testkit.tcp_proxy import TcpProxy
from testkit.waiting import wait_until


@asynccontextmanager
async def relaying(database: Database, url: str, poll_s: float = 0.02) -> AsyncIterator[Relay]:
    relay = Relay(database, url, "tests", poll_s)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        relay.stop()
        await task


async def record(database: Database, queue: ConsumerQueue, *numbers: int) -> None:
    async with database.transaction() as session:
        await emit(session, *(queue.event(number=number) for number in numbers))


async def record_and_fail(database: Database, queue: ConsumerQueue) -> None:
    async with database.transaction() as session:
        await emit(session, queue.event(number=1))
        raise ZeroDivisionError


async def rows(database: Database) -> list[Row[tuple[object, ...]]]:
    async with database.transaction() as session:
        return list(await session.execute(text("select *, next_at > now() as later from outbox order by seq")))


async def is_empty(database: Database) -> bool:
    return not await rows(database)


async def numbers_in(queue: ConsumerQueue, count: int) -> list[int]:
    taken = [await queue.take(queue.name) for _ in range(count)]
    return [queue.event.model_validate_json(message.body).number for message in taken]


async def test_what_was_rolled_back_is_never_published(database: Database, queue: ConsumerQueue) -> None:
    async with relaying(database, queue.url):
        with pytest.raises(ZeroDivisionError):
            await record_and_fail(database, queue)
        await record(database, queue, 2)
        await wait_until(lambda: is_empty(database))
    assert await numbers_in(queue, 1) == [2]
    assert await queue.count(queue.name) == 0


async def test_what_was_committed_is_published_once_as_a_persistent_cloud_event_of_its_trace(
    database: Database, queue: ConsumerQueue
) -> None:
    span = trace.SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=False, trace_flags=trace.TraceFlags(1))
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(span)))
    try:
        await record(database, queue, 7)
    finally:
        context.detach(token)
    async with relaying(database, queue.url):
        message = await queue.take(queue.name)
        await wait_until(lambda: is_empty(database))
    assert await queue.count(queue.name) == 0
    assert message.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    assert message.content_type == "application/json"
    time = datetime.fromisoformat(str(message.headers.pop("cloudEvents_time")))
    assert abs((datetime.now(UTC) - time).total_seconds()) < 60
    assert {name: value for name, value in message.headers.items() if not name.startswith("x-")} == {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": message.message_id,
        "cloudEvents_source": f"/{queue.event.producer}",
        "cloudEvents_type": "gruppetto.thing.noted.v1",
        "cloudEvents_subject": "7",
        "traceparent": f"00-{0xABC:032x}-{0xDEF:016x}-01",
    }
    assert UUID(message.message_id).version == 7
    assert message.type == "gruppetto.thing.noted.v1"


async def test_a_relay_that_starts_later_drains_what_a_crash_left(database: Database, queue: ConsumerQueue) -> None:
    numbers = list(range(450))  # more than two batches
    await record(database, queue, *numbers)
    async with relaying(database, queue.url, poll_s=60):
        await wait_until(lambda: is_empty(database))
    assert sorted(await numbers_in(queue, 450)) == numbers


async def test_two_relays_publish_nothing_twice(database: Database, queue: ConsumerQueue, database_url: str) -> None:
    other = Database(create_engine(database_url, "other"))
    async with relaying(database, queue.url, 0.001), relaying(other, queue.url, 0.001):
        for start in range(0, 300, 10):
            await record(other if start % 20 else database, queue, *range(start, start + 10))
        await wait_until(lambda: is_empty(database))
    await other.engine.dispose()
    assert sorted(await numbers_in(queue, 300)) == list(range(300))
    assert await queue.count(queue.name) == 0


async def test_an_event_that_cannot_be_routed_stays_with_its_error_while_others_flow(
    database: Database, queue: ConsumerQueue
) -> None:
    class Lost(queue.event):  # type: ignore[name-defined,misc]
        topic = "thing.lost"

    archive = await queue.channel.get_queue("ev.archive", ensure=False)
    await archive.unbind(queue.exchange, "#")
    async with database.transaction() as session:
        await emit(session, Lost(number=1), queue.event(number=2))
    async with relaying(database, queue.url):
        assert await numbers_in(queue, 1) == [2]
        await record(database, queue, 3)
        assert await numbers_in(queue, 1) == [3]
        await wait_until(lambda: _only_one_row(database))
    [row] = await rows(database)
    assert row.routing_key == "thing.lost.v1"
    assert row.last_error == "PublishError"
    assert row.attempts >= 1


async def _only_one_row(database: Database) -> bool:
    left = await rows(database)
    return len(left) == 1 and left[0].attempts > 0 and left[0].later


async def test_an_event_that_closes_the_channel_harms_the_others_once_and_is_sent_when_it_can_be(
    database: Database, queue: ConsumerQueue
) -> None:
    nowhere = f"x{queue.event.producer}"

    class Lost(queue.event):  # type: ignore[name-defined,misc]
        producer = nowhere

    async with database.transaction() as session:
        await emit(session, *(queue.event(number=number) for number in range(5)), Lost(number=5))
        await emit(session, *(queue.event(number=number) for number in range(6, 10)))
    async with relaying(database, queue.url):
        await wait_until(lambda: _only_one_row(database))
        await record(database, queue, 10)
        await wait_until(lambda: _only_one_row(database))
        [row] = await rows(database)
        assert row.last_error == "ChannelNotFoundEntity"
        exchange = await queue.channel.declare_exchange(f"ev.{nowhere}", "topic", durable=True)
        bound = await queue.channel.get_queue(queue.name)
        await bound.bind(exchange, "#")
        await wait_until(lambda: is_empty(database), deadline_s=60)
        await queue.channel.exchange_delete(exchange.name)
    arrived = await numbers_in(queue, await queue.count(queue.name))
    assert set(arrived) == set(range(11))


async def test_what_waits_and_for_how_long_is_measured(database: Database, queue: ConsumerQueue) -> None:
    await update_metrics(database)
    assert (metric_value("outbox_pending"), metric_value("outbox_oldest_age_seconds")) == (0, 0)
    await record(database, queue, 1, 2)
    await update_metrics(database)
    assert metric_value("outbox_pending") == 2
    young = metric_value("outbox_oldest_age_seconds")
    await wait_until(lambda: metric_value("outbox_oldest_age_seconds") > young > 0)
    labels = {"type": queue.event.routing_key(), "result": "confirmed"}
    before = REGISTRY.get_sample_value("outbox_published_total", labels) or 0
    async with relaying(database, queue.url):
        await wait_until(lambda: is_empty(database))
    assert metric_value("outbox_published_total", labels) == before + 2


async def test_a_commit_wakes_the_relay_before_its_poll(database: Database, queue: ConsumerQueue) -> None:
    async with relaying(database, queue.url, poll_s=60) as relay:
        begun = relay.heartbeat_at
        await wait_until(lambda: relay.heartbeat_at != begun)  # it looked, found nothing, and waits for a minute
        for number in (1, 2):
            await record(database, queue, number)
            assert await numbers_in(queue, 1) == [number]


async def test_what_was_committed_just_before_the_stop_is_still_published(
    database: Database, queue: ConsumerQueue
) -> None:
    async with relaying(database, queue.url, poll_s=60) as relay:
        begun = relay.heartbeat_at
        await wait_until(lambda: relay.heartbeat_at != begun and _in_use(database) == 0)  # it found nothing and waits
        async with AsyncSession(database.engine) as session, session.begin():  # which does not wake the relay
            await emit(session, queue.event(number=1))
    assert await is_empty(database)
    assert await numbers_in(queue, 1) == [1]


async def test_rows_that_failed_before_get_out_although_the_broker_is_slow(
    database: Database,
    database_url: str,
    queue: ConsumerQueue,
    make_proxy: Callable[[str], Awaitable[TcpProxy]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They go one by one, and all of them together take longer than a transaction may be idle."""
    monkeypatch.setattr("shared.messaging.outbox.STEP_S", 0.5)
    impatient = Database(create_engine(database_url, "tests"))

    @event.listens_for(impatient.engine.sync_engine, "connect")
    def limit(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set idle_in_transaction_session_timeout = '2s'")

    await record(database, queue, *range(30))
    async with database.transaction() as session:
        await session.execute(text("update outbox set attempts = 1"))
    proxy = await make_proxy(queue.url)
    proxy.delay_s = 0.1
    async with relaying(impatient, proxy.url):
        await wait_until(lambda: is_empty(database), deadline_s=30)
    await impatient.engine.dispose()
    assert sorted(await numbers_in(queue, 30)) == list(range(30)), "each went out once"
    assert await queue.count(queue.name) == 0


def _in_use(database: Database) -> int:
    pool = database.engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    return pool.checkedout()


async def test_the_relay_survives_a_broker_that_is_away_at_first_and_lost_later(
    database: Database, queue: ConsumerQueue, make_proxy: Callable[[str], Awaitable[TcpProxy]]
) -> None:
    proxy = await make_proxy(queue.url)
    proxy.refusing = True
    await record(database, queue, 1)
    async with relaying(database, proxy.url):
        await wait_until(lambda: proxy.refused >= 2)
        [row] = await rows(database)
        assert row.attempts == 0, "the event is not to blame"
        proxy.refusing = False
        assert await numbers_in(queue, 1) == [1]
        proxy.cut()
        await record(database, queue, 2)
        assert await numbers_in(queue, 1) == [2]
        await wait_until(lambda: is_empty(database))
