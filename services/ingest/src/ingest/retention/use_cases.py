"""Deleting what is not kept any more, in small batches."""

from collections import Counter
from datetime import datetime

from ingest.recording.queries import lock_people
from ingest.recording.use_cases import fill_gaps
from ingest.retention import queries
from shared.database.engine import Database

PURGE_BATCH = 500  # activities in one transaction


async def purge_batch(database: Database, before: datetime) -> Counter[str] | None:
    """Delete some of what started before then; returns how many of each state, None when there is no more.

    Nothing is emitted of them: `retention.advanced` has told all subscribers. What overlapped one of them is revised.
    """
    async with database.transaction() as session:
        expired = await queries.list_expired(session, before, PURGE_BATCH)
    if not expired:
        return None
    async with database.transaction() as session:
        await lock_people(session, set(expired.values()))
        deleted = await queries.delete_expired(session, expired, before)
        await fill_gaps(session, deleted)
    return Counter(row.state for row in deleted)


async def purge(database: Database) -> Counter[str]:
    """Delete all that is not kept any more; returns how many of each state."""
    deleted: Counter[str] = Counter()
    async with database.transaction() as session:
        retention = await queries.find_retention(session)
    if retention is None:
        return deleted
    while (batch := await purge_batch(database, retention.before)) is not None:
        deleted += batch
    return deleted + await _finish(database, retention.before)


async def _finish(database: Database, before: datetime) -> Counter[str]:
    """Delete the little that is not an activity, after all of those."""
    async with database.transaction() as session:
        deleted = Counter(
            rejected=await queries.delete_expired_rejections(session, before),
            listings=await queries.delete_listings(session, before),
        )
        await queries.mark_purged(session, before)
    return deleted


async def purge_if_due(database: Database) -> bool:
    """A step of the background task: nothing is looked through twice for one date. Returns whether there is more."""
    async with database.transaction() as session:
        retention = await queries.find_retention(session)
    if retention is None or retention.purged_before == retention.before:
        return False
    if await purge_batch(database, retention.before) is not None:
        return True
    await _finish(database, retention.before)
    return False
