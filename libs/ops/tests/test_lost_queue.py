"""A queue is deleted under load, declared again, and given from the archive what went past it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from desk import Gruppetto
from rig import Broker, Noted, effects, until, write
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from shared.database.engine import Database
from shared.messaging import topology
from shared.messaging.bus import Bus
from shared.messaging.outbox import Relay, emit


class Load:
    """Commits an event for each number, one after the other, until it is told to end."""

    def __init__(self, database: Database, broker: Broker) -> None:
        self._sessions = database
        self._broker = broker
        self.committed = 0

    async def run(self) -> None:
        while True:
            async with self._sessions.transaction() as session:
                await emit(session, self._broker.event(number=self.committed))
            self.committed += 1
            await asyncio.sleep(0)


@pytest.fixture
async def load(database: Database, broker: Broker) -> AsyncIterator[Load]:
    """Events of a running producer, its relay, and a consumer that writes each down."""

    async def note(event: Noted, session: AsyncSession) -> None:
        await write(session, [event])

    relay = Relay(database, broker.url, "tests", 0.02)
    bus = Bus(broker.url, "tests", database)
    bus.subscribe(broker.queue, {broker.event: note})
    await bus.start()
    relaying = asyncio.create_task(relay.run())
    load = Load(database, broker)
    producing = asyncio.create_task(load.run())
    yield load
    producing.cancel()
    await asyncio.wait([producing])
    relay.stop()
    await relaying
    await bus.stop()


async def test_what_went_past_a_deleted_queue_is_given_to_it_again_and_each_event_has_one_effect(
    load: Load, broker: Broker, database: Database, gruppetto: Gruppetto, management_url: str
) -> None:
    async def handled(number: int) -> bool:
        return len(await effects(database)) >= number

    all_was_well = datetime.now(UTC)  # what was under way when the queue was deleted is older than that moment
    await until(lambda: handled(100))
    with capture_logs() as logged:
        await broker.channel.queue_delete(broker.queue, if_unused=False, if_empty=False)
        lost = load.committed + 100
        await until(lambda: any(line["event"].startswith("a queue is missing") for line in logged))
        await until(lambda: load.committed > lost)
    remedy = next(line["remedy"] for line in logged if line["event"].startswith("a queue is missing"))
    assert remedy == f"gruppetto topology declare, then gruppetto archive replay {broker.queue} --from TIME"

    declared = await topology.declare(broker.url, management_url, {broker.queue: (broker.event,)})
    assert declared.new_queues == (broker.queue,)
    seen = len(await effects(database))
    await until(lambda: handled(seen + 100), 30)
    missing = set(range(load.committed)) - set(await effects(database))
    assert len(missing) > 50, "events have gone past the queue"

    done = await gruppetto("archive", "replay", broker.queue, "--from", all_was_well.isoformat(), "--yes")
    assert done.exit_code == 0, done.output

    async def nothing_is_missing() -> bool:
        return set(await effects(database)) >= set(range(lost))

    await until(nothing_is_missing, 30)
    counted = Counter(await effects(database))
    assert set(counted.values()) == {1}


async def test_declaring_says_which_queue_was_lost_and_how_it_gets_what_it_missed(
    broker: Broker, gruppetto: Gruppetto, management_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RABBITMQ_MANAGEMENT_URL", management_url)
    await gruppetto("topology", "declare")
    assert "is new" not in (await gruppetto("topology", "declare")).stdout
    await broker.channel.queue_delete("sync.people", if_unused=False, if_empty=False)
    done = await gruppetto("topology", "declare")
    assert "sync.people is new. If it was there before, give it what it missed" in done.stdout
    assert "gruppetto archive replay sync.people --from " in done.stdout
    assert done.stdout.count("is new") == 1
