"""A small service whose parts run as processes that tests kill: `workload.py ROLE`.

Its settings come from the environment. A producer commits facts and emits an event for each; a consumer writes an
effect for each event. No constraint forbids a second effect of one event, so that the audit can find it.
"""

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

import prometheus_client
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import Event
from shared.database.engine import Database, create_engine, is_transient
from shared.messaging.bus import Bus
from shared.messaging.inbox import BatchHandler, Handlers
from shared.messaging.outbox import Relay, emit
from shared.messaging.publisher import BROKER_ERRORS
from shared.observability.logs import configure_logging
from shared.settings import ServiceSettings, load_settings
from testkit.waiting import wait_until

TRANSACTION_SIZES = (1, 1, 2, 5, 20, 50)  # facts in one transaction
ROLLBACK_SHARE = 0.15  # of the transactions
RETRY_S = 0.1
RECOVERY_S = 15.0

_insert_facts = text("insert into facts (kind) select unnest(cast(:kinds as text[])) returning number, kind")
_insert_effect = text("insert into effects (number, kind) values (:number, :kind)")
_count_failure = text(
    """insert into transient_failures (number, times) values (:number, 1)
       on conflict (number) do update set times = transient_failures.times + 1 returning times"""
)


class Settings(ServiceSettings):
    """The scenario's producer and queue, and the load."""

    http_port: int = 65535  # only workload_service.py listens
    internal_port: int = 65535
    outbox_poll_interval: float = 0.05
    name: str
    producer: str
    queue: str
    seed: int = 0
    rate: float = 1000  # most events per second
    batch: int = 200
    work_s: float = 0  # seconds that handling a batch takes, in addition to its statements
    fail_every: int = 0  # the handler fails twice for every fact whose number this divides; 0: for none


class NumberedEvent(Event):
    """The event of one fact."""

    number: int

    @property
    def subject(self) -> str:
        return str(self.number)


EventTypes: TypeAlias = Mapping[str, type[NumberedEvent]]


class RolledBack(Exception):
    """Makes the producer roll its transaction back."""


def make_event_types(producer: str) -> EventTypes:
    """Kind of fact -> its event: "batched" ones are handled in batches, "single" ones alone."""
    return {
        "batched": type(
            "Batch", (NumberedEvent,), {"topic": "thing.noted", "producer": producer, "__module__": __name__}
        ),
        "single": type(
            "Single", (NumberedEvent,), {"topic": "thing.seen", "producer": producer, "__module__": __name__}
        ),
    }


class TransientFailure(Exception):
    """Handling the same event will succeed later."""


class EffectHandlers:
    """Writes an effect for each event."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._work_s = settings.work_s
        self._fail_every = settings.fail_every
        event_types = make_event_types(settings.producer)
        self.handlers: Handlers = {
            event_types["batched"]: BatchHandler(self._write_many),
            event_types["single"]: self._write_one,
        }

    async def _write_many(self, events: Sequence[NumberedEvent], session: AsyncSession) -> None:
        await self._write("batched", events, session)

    async def _write_one(self, event: NumberedEvent, session: AsyncSession) -> None:
        await self._write("single", [event], session)

    async def _write(self, kind: str, events: Sequence[NumberedEvent], session: AsyncSession) -> None:
        await session.execute(_insert_effect, [{"number": event.number, "kind": kind} for event in events])
        await asyncio.sleep(self._work_s)
        for event in events:
            if event.number < 0:  # aborts the transaction, as a failed statement of a real handler does
                await session.execute(text("select 1 / 0"))
            if self._fail_every and event.number % self._fail_every == 0:
                await self._fail_twice(event.number)

    async def _fail_twice(self, number: int) -> None:
        """Fail the first two attempts, in its batch and alone, so that the event goes to a retry queue.

        Attempts are counted in a separate transaction, which the failure does not roll back.
        """
        async with self._database.transaction() as separate:
            times = (await separate.execute(_count_failure, {"number": number})).scalar_one()
        if times <= 2:
            raise TransientFailure


class Producer:
    """Commits facts with their events; rolls some of its transactions back."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._event_types = make_event_types(settings.producer)
        self._rng = random.Random(settings.seed)

    async def step(self) -> int:
        """Run one transaction; returns its number of facts, also when it was rolled back."""
        kinds = self._rng.choices(list(self._event_types), weights=(19, 1), k=self._rng.choice(TRANSACTION_SIZES))
        with contextlib.suppress(RolledBack):
            async with self._database.transaction() as session:
                facts = await session.execute(_insert_facts, {"kinds": kinds})
                await emit(session, *(self._event_types[fact.kind](number=fact.number) for fact in facts))
                if self._rng.random() < ROLLBACK_SHARE:
                    raise RolledBack
        return len(kinds)


async def produce(settings: Settings, database: Database, stopping: asyncio.Event) -> None:
    producer = Producer(database, settings)
    pause_s = 0.0
    while not await _is_set_within(stopping, pause_s):
        try:
            pause_s = await producer.step() / settings.rate
        except Exception as error:
            if not is_transient(error):
                raise
            pause_s = RETRY_S


async def relay(settings: Settings, database: Database, stopping: asyncio.Event) -> None:
    one = Relay(database, str(settings.rabbitmq_url), settings.name, settings.outbox_poll_interval)
    running = asyncio.create_task(one.run())
    await stopping.wait()
    one.stop()
    await running


async def consume(settings: Settings, database: Database, stopping: asyncio.Event) -> None:
    bus = Bus(str(settings.rabbitmq_url), settings.name, database)
    subscribe(bus, database, settings)
    if not await _start_bus(bus, stopping):
        return
    await _print_duplicates(settings.queue, stopping)
    # It must have recovered from all faults. The check is here, because another consumer could hide a failure.
    await wait_until(bus.is_consuming, "it consumes", RECOVERY_S)
    await bus.stop()
    _print_line(f"duplicates {_count_duplicates(settings.queue):.0f}")


async def _start_bus(bus: Bus, stopping: asyncio.Event) -> bool:
    while not stopping.is_set():
        try:
            await bus.start()
        except BROKER_ERRORS:
            await _is_set_within(stopping, RETRY_S)
        else:
            return True
    return False


def subscribe(bus: Bus, database: Database, settings: Settings) -> None:
    bus.subscribe(settings.queue, EffectHandlers(database, settings).handlers, batch=settings.batch)


async def _print_duplicates(queue: str, stopping: asyncio.Event) -> None:
    """Print the number of rejected duplicates whenever it grows, because a killed process cannot be asked for it."""
    printed = 0.0
    while not await _is_set_within(stopping, 0.05):
        count = _count_duplicates(queue)
        if count > printed:
            printed = count
            _print_line(f"duplicates {count:.0f}")


def _count_duplicates(queue: str) -> float:
    return prometheus_client.REGISTRY.get_sample_value("inbox_duplicates_total", {"consumer": queue}) or 0.0


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _print_tasks() -> None:
    """Print where each task waits, for the output of a failed test."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stdout)
    sys.stdout.flush()


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


ROLES: dict[str, Callable[[Settings, Database, asyncio.Event], Awaitable[None]]] = {
    "producer": produce,
    "relay": relay,
    "consumer": consume,
}


async def run_role(role: str, settings: Settings) -> None:
    """Run one role until SIGTERM; SIGUSR1 prints its tasks."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _print_tasks)
    _print_line("ready")  # from now on SIGTERM stops it cleanly
    database = Database(create_engine(settings.database_url, settings.name))
    await ROLES[role](settings, database, stopping)
    await database.engine.dispose()


def main(role: str) -> None:
    settings = load_settings(Settings)
    configure_logging(settings.name, settings.log_level, settings.log_format)
    asyncio.run(run_role(role, settings))


if __name__ == "__main__":
    main(sys.argv[1])
