"""A table that shows which events had their effect, for handlers that do nothing else."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from testkit.consumer_queue import ThingNoted
from testkit.databases import create_messaging_tables, execute, fetch_rows


async def create_tables(url: str) -> None:
    """Create the table in an empty schema, with an outbox and an inbox."""
    await create_messaging_tables(
        url, "create table effects (number bigint, xid text default pg_current_xact_id()::text)"
    )


async def truncate_tables(database: Database) -> None:
    """Empty them."""
    await execute(database, "truncate outbox, inbox, effects")


async def add_effects(session: AsyncSession, events: Sequence[ThingNoted]) -> None:
    """The effect of these events."""
    await session.execute(text("insert into effects (number) values (:n)"), [{"n": event.number} for event in events])


async def list_effects(database: Database) -> list[int]:
    """The numbers of the events whose effects are committed, in order."""
    return [row.number for row in await fetch_rows(database, "select number from effects order by number")]
