"""Compares what a scenario has committed with what its consumers have done, by reading its tables."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from shared.database.engine import Database, is_transient

_select_counts = text(
    """with done as (select number, kind, count(*) as times from effects group by number, kind)
       select (select count(*) from facts) as committed,
              (select count(*) from effects) as effects,
              (select count(*) from facts left join done using (number, kind) where times is null) as missing,
              (select coalesce(sum(times - 1), 0)::bigint from done) as repeated,
              (select count(*) from done left join facts using (number, kind) where xid is null) as phantoms"""
)
_select_discrepancies = text(
    """with done as (select number, kind, count(*) as times from effects group by number, kind)
       select facts.number as fact, facts.xid, done.number as effect, times, outbox.attempts, outbox.last_error
       from facts full join done using (number, kind)
            left join outbox on outbox.headers->>'cloudEvents_subject' = facts.number::text
       where times is distinct from 1 or facts.number is null order by coalesce(facts.number, done.number) limit 20"""
)
_select_publish_failures = text(
    """select headers->>'cloudEvents_subject' as subject, attempts, last_error from outbox
       where attempts >= :attempts order by seq"""
)
_select_progress = text("select (select count(*) from facts) + (select count(*) from effects)")
_select_outbox_count = text("select count(*) from outbox")


@dataclass(frozen=True)
class DeliveryCounts:
    """Committed facts and their effects.

    `missing`: facts without an effect; `repeated`: effects beyond the first one of a fact; `phantoms`: effects of
    facts that were never committed.
    """

    committed: int
    effects: int
    missing: int
    repeated: int
    phantoms: int

    @property
    def is_exactly_once(self) -> bool:
        return self.missing == self.repeated == self.phantoms == 0 and self.effects == self.committed

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in vars(self).items())


class DeliveryAudit:
    """Reads the tables of one scenario."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count_deliveries(self) -> DeliveryCounts:
        async with self._database.transaction() as session:
            return DeliveryCounts(**(await session.execute(_select_counts)).one()._mapping)

    async def list_discrepancies(self) -> list[dict[str, Any]]:
        """The first 20 facts without exactly one effect, and effects without a fact."""
        async with self._database.transaction() as session:
            return [dict(row._mapping) for row in await session.execute(_select_discrepancies)]

    async def is_complete(self) -> bool:
        """Whether every fact has an effect."""
        return (await self.count_deliveries()).missing == 0

    async def count_outbox(self) -> int:
        """The number of events in the outbox."""
        async with self._database.transaction() as session:
            return int((await session.execute(_select_outbox_count)).scalar_one())

    async def list_publish_failures(self, attempts: int = 1) -> list[dict[str, Any]]:
        """Events whose publication has failed at least `attempts` times."""
        async with self._database.transaction() as session:
            rows = await session.execute(_select_publish_failures, {"attempts": attempts})
            return [dict(row._mapping) for row in rows]

    async def count_progress(self) -> int:
        """A number that grows while work is done; 0 while the database is unavailable."""
        try:
            async with self._database.transaction() as session:
                return int((await session.execute(_select_progress)).scalar_one())
        except Exception as error:
            if not is_transient(error):
                raise
            return 0
