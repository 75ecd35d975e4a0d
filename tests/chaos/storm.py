"""A small service in parts, made to be killed: `storm.py ROLE`, with its settings from the environment.

A producer commits facts and emits an event for each; a consumer writes an effect for each event. No constraint keeps
an effect from being written twice, so that one that was can be seen.
"""

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

import prometheus_client
from ledger import until
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

SIZES = (1, 1, 2, 5, 20, 50)  # facts in one transaction
TAKEN_BACK = 0.15  # of the transactions
RETRY_S = 0.1
RECOVERY_S = 15.0

_record = text("insert into facts (kind) select unnest(cast(:kinds as text[])) returning number, kind")
_effect = text("insert into effects (number, kind) values (:number, :kind)")
_stumble = text(
    """insert into stumbles (number, times) values (:number, 1)
       on conflict (number) do update set times = stumbles.times + 1 returning times"""
)


class Settings(ServiceSettings):
    """Which scenario's producer and queue these are, and the pace."""

    http_port: int = 65535  # only storm_service.py listens
    internal_port: int = 65535
    outbox_poll_interval: float = 0.05
    name: str
    producer: str
    queue: str
    seed: int = 0
    rate: float = 1000  # events a second, at most
    batch: int = 200
    work_s: float = 0  # that handling a batch takes, besides the database's time
    stumbles: int = 0  # every so many facts, one fails at first


class Numbered(Event):
    """A fact of no meaning."""

    number: int

    @property
    def subject(self) -> str:
        return str(self.number)


Kinds: TypeAlias = Mapping[str, type[Numbered]]


class TakenBack(Exception):
    """The transaction shall leave nothing behind."""


def kinds_of(producer: str) -> Kinds:
    """Kind of fact -> the event that tells of it: most are handled in batches, some alone."""
    return {
        "batched": type("Batch", (Numbered,), {"topic": "thing.noted", "producer": producer, "__module__": __name__}),
        "single": type("Single", (Numbered,), {"topic": "thing.seen", "producer": producer, "__module__": __name__}),
    }


class Stumbled(Exception):
    """It will go well another time."""


class Reactions:
    """Writes an effect for each event."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._sessions = database
        self._work_s = settings.work_s
        self._stumbles = settings.stumbles
        kinds = kinds_of(settings.producer)
        self.handlers: Handlers = {kinds["batched"]: BatchHandler(self._write_many), kinds["single"]: self._write_one}

    async def _write_many(self, events: Sequence[Numbered], session: AsyncSession) -> None:
        await self._write("batched", events, session)

    async def _write_one(self, event: Numbered, session: AsyncSession) -> None:
        await self._write("single", [event], session)

    async def _write(self, kind: str, events: Sequence[Numbered], session: AsyncSession) -> None:
        await session.execute(_effect, [{"number": event.number, "kind": kind} for event in events])
        await asyncio.sleep(self._work_s)
        for event in events:
            if event.number < 0:  # spoils the transaction, as real poison does
                await session.execute(text("select 1 / 0"))
            if self._stumbles and event.number % self._stumbles == 0:
                await self._stumble(event.number)

    async def _stumble(self, number: int) -> None:
        """Twice, whoever tries: with its batch, and alone, so that it is set aside."""
        async with self._sessions.transaction() as apart:
            times = (await apart.execute(_stumble, {"number": number})).scalar_one()
        if times <= 2:
            raise Stumbled


class Producer:
    """Commits facts, each with its event; takes some of them back."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._sessions = database
        self._kinds = kinds_of(settings.producer)
        self._dice = random.Random(settings.seed)

    async def step(self) -> int:
        """One transaction; returns how many facts it was about."""
        kinds = self._dice.choices(list(self._kinds), weights=(19, 1), k=self._dice.choice(SIZES))
        with contextlib.suppress(TakenBack):
            async with self._sessions.transaction() as session:
                facts = await session.execute(_record, {"kinds": kinds})
                await emit(session, *(self._kinds[fact.kind](number=fact.number) for fact in facts))
                if self._dice.random() < TAKEN_BACK:
                    raise TakenBack
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
    if not await _started(bus, stopping):
        return
    await _tell_duplicates(settings.queue, stopping)
    # Whatever happened before; or else this process fails, because another may have hidden that it is deaf.
    await until(bus.is_consuming, "it consumes", RECOVERY_S)
    await bus.stop()
    _tell(f"duplicates {_duplicates(settings.queue):.0f}")


async def _started(bus: Bus, stopping: asyncio.Event) -> bool:
    while not stopping.is_set():
        try:
            await bus.start()
        except BROKER_ERRORS:
            await _is_set_within(stopping, RETRY_S)
        else:
            return True
    return False


def subscribe(bus: Bus, database: Database, settings: Settings) -> None:
    bus.subscribe(settings.queue, Reactions(database, settings).handlers, batch=settings.batch)


async def _tell_duplicates(queue: str, stopping: asyncio.Event) -> None:
    """Say how many deliveries the inbox knew already, whenever there are more: a killed process cannot be asked."""
    told = 0.0
    while not await _is_set_within(stopping, 0.05):
        known = _duplicates(queue)
        if known > told:
            told = known
            _tell(f"duplicates {known:.0f}")


def _duplicates(queue: str) -> float:
    return prometheus_client.REGISTRY.get_sample_value("inbox_duplicates_total", {"consumer": queue}) or 0.0


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _tell_tasks() -> None:
    """Where everything waits: for a test that failed."""
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


async def play(role: str, settings: Settings) -> None:
    """Until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _tell_tasks)
    _tell("ready")  # to be ended in good order
    database = Database(create_engine(settings.database_url, settings.name))
    await ROLES[role](settings, database, stopping)
    await database.engine.dispose()


def main(role: str) -> None:
    settings = load_settings(Settings)
    configure_logging(settings.name, settings.log_level, settings.log_format)
    asyncio.run(play(role, settings))


if __name__ == "__main__":
    main(sys.argv[1])
