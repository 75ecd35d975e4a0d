"""A queue is deleted under load, declared again, and given from the archive what went past it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from dead_letter_helpers import Gruppetto
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from shared.database.engine import Database
from shared.messaging import topology
from shared.messaging.bus import Bus
from shared.messaging.outbox import Relay, emit
from testkit.consumer_queue import ConsumerQueue, ThingNoted
from testkit.databases import fetch_rows
from testkit.effects import add_effects, list_effects
from testkit.waiting import wait_until


class Load:
    """A producer that commits an event for each number, its relay, and a consumer that has an effect for each."""

    def __init__(self, database: Database, queue: ConsumerQueue) -> None:
        async def add_effect(event: ThingNoted, session: AsyncSession) -> None:
            await add_effects(session, [event])

        self._database = database
        self._queue = queue
        self._bus = Bus(queue.url, "tests", database)
        self._bus.subscribe(queue.name, {queue.event: add_effect})
        self._relay = Relay(database, queue.url, "tests", 0.02)
        self._tasks: list[asyncio.Task[None]] = []
        self._enough = asyncio.Event()
        self.committed = 0

    async def start(self) -> None:
        await self._bus.start()
        self._tasks = [asyncio.create_task(self._relay.run()), asyncio.create_task(self._produce())]

    async def finish(self) -> None:
        """Stop producing, and have everything delivered and acknowledged."""
        self._enough.set()
        await wait_until(self._is_outbox_empty, deadline_s=30)
        await wait_until(self._is_queue_empty, deadline_s=30)
        await self._bus.stop()

    async def stop(self) -> None:
        self._enough.set()
        self._relay.stop()
        await asyncio.gather(*self._tasks)
        await self._bus.stop()

    async def _produce(self) -> None:
        while not self._enough.is_set():
            async with self._database.transaction() as session:
                await emit(session, self._queue.event(number=self.committed))
            self.committed += 1
            await asyncio.sleep(0)

    async def _is_outbox_empty(self) -> bool:
        return not await fetch_rows(self._database, "select 1 from outbox limit 1")

    async def _is_queue_empty(self) -> bool:
        return await self._queue.count(self._queue.name) == 0


@pytest.fixture
async def load(database: Database, queue: ConsumerQueue) -> AsyncIterator[Load]:
    load = Load(database, queue)
    await load.start()
    yield load
    await load.stop()


async def test_what_went_past_a_deleted_queue_is_given_to_it_again_and_each_event_has_one_effect(
    load: Load, queue: ConsumerQueue, database: Database, gruppetto: Gruppetto, management_url: str
) -> None:
    async def handled(number: int) -> bool:
        return len(await list_effects(database)) >= number

    all_was_well = datetime.now(UTC)  # what was under way when the queue was deleted is older than that moment
    await wait_until(lambda: handled(100))
    with capture_logs() as logged:
        await queue.channel.queue_delete(queue.name, if_unused=False, if_empty=False)
        lost = load.committed + 100
        await wait_until(lambda: any(line["event"].startswith("a queue is missing") for line in logged))
        await wait_until(lambda: load.committed > lost)
    remedy = next(line["remedy"] for line in logged if line["event"].startswith("a queue is missing"))
    assert remedy == f"gruppetto topology declare, then gruppetto archive replay {queue.name} --from TIME"

    declared = await topology.declare(queue.url, management_url, {queue.name: (queue.event,)})
    assert declared.new_queues == (queue.name,)
    seen = len(await list_effects(database))
    await wait_until(lambda: handled(seen + 100), deadline_s=30)
    missing = set(range(load.committed)) - set(await list_effects(database))
    assert len(missing) > 50, "events have gone past the queue"

    done = await gruppetto("archive", "replay", queue.name, "--from", all_was_well.isoformat(), "--yes")
    assert done.exit_code == 0, done.output

    await load.finish()
    assert Counter(await list_effects(database)) == Counter(range(load.committed))


async def test_declaring_says_which_queue_was_lost_and_how_it_gets_what_it_missed(
    queue: ConsumerQueue, gruppetto: Gruppetto, management_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RABBITMQ_MANAGEMENT_URL", management_url)
    await gruppetto("topology", "declare")
    assert "is new" not in (await gruppetto("topology", "declare")).stdout
    await queue.channel.queue_delete("sync.people", if_unused=False, if_empty=False)
    done = await gruppetto("topology", "declare")
    assert "sync.people is new. If it was there before, give it what it missed" in done.stdout
    assert "gruppetto archive replay sync.people --from " in done.stdout
    assert done.stdout.count("is new") == 1
