"""The oracle: what was committed, what was done about it, and what still waits."""

import asyncio
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from shared.database.engine import Database, is_transient

POLL_S = 0.05

_count = text(
    """with done as (select number, kind, count(*) as times from effects group by number, kind)
       select (select count(*) from facts) as committed,
              (select count(*) from effects) as effects,
              (select count(*) from facts left join done using (number, kind) where times is null) as missing,
              (select coalesce(sum(times - 1), 0)::bigint from done) as double,
              (select count(*) from done left join facts using (number, kind) where xid is null) as ghosts"""
)
_faults = text(
    """with done as (select number, kind, count(*) as times from effects group by number, kind)
       select facts.number as fact, facts.xid, done.number as effect, times, outbox.attempts, outbox.last_error
       from facts full join done using (number, kind)
            left join outbox on outbox.headers->>'cloudEvents_subject' = facts.number::text
       where times is distinct from 1 or facts.number is null order by coalesce(facts.number, done.number) limit 20"""
)
_troubles = text(
    """select headers->>'cloudEvents_subject' as subject, attempts, last_error from outbox
       where attempts >= :attempts order by seq"""
)
_progress = text("select (select count(*) from facts) + (select count(*) from effects)")
_waiting = text("select count(*) from outbox")


@dataclass(frozen=True)
class Counts:
    """Facts against effects: missing ones, those too many, and those of facts that never were."""

    committed: int
    effects: int
    missing: int
    double: int
    ghosts: int

    @property
    def right(self) -> bool:
        return self.missing == self.double == self.ghosts == 0 and self.effects == self.committed

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in vars(self).items())


class Ledger:
    """Reads a scenario's tables."""

    def __init__(self, database: Database) -> None:
        self._sessions = database

    async def counts(self) -> Counts:
        async with self._sessions.transaction() as session:
            return Counts(**(await session.execute(_count)).one()._mapping)

    async def faults(self) -> list[dict[str, Any]]:
        """The first of those that are not right."""
        async with self._sessions.transaction() as session:
            return [dict(row._mapping) for row in await session.execute(_faults)]

    async def complete(self) -> bool:
        """Whether every fact has an effect."""
        return (await self.counts()).missing == 0

    async def waiting(self) -> int:
        """How many events are in the outbox."""
        async with self._sessions.transaction() as session:
            return int((await session.execute(_waiting)).scalar_one())

    async def troubles(self, attempts: int = 1) -> list[dict[str, Any]]:
        """Events that the broker refused so often."""
        async with self._sessions.transaction() as session:
            return [dict(row._mapping) for row in await session.execute(_troubles, {"attempts": attempts})]

    async def progress(self) -> int:
        """A number that grows while work is done; 0 while the database is away."""
        try:
            async with self._sessions.transaction() as session:
                return int((await session.execute(_progress)).scalar_one())
        except Exception as error:
            if not is_transient(error):
                raise
            return 0


async def until(condition: Callable[[], Any], what: str, deadline_s: float = 60.0) -> Any:
    """The condition's first true value; fails with `what` when there is none in time."""
    deadline = time.monotonic() + deadline_s
    while True:
        value = condition()
        value = await value if inspect.isawaitable(value) else value
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {deadline_s:.0f} s")
        await asyncio.sleep(POLL_S)
