"""Telling the other services which activities the challenges need, and which are not kept any more."""

from datetime import datetime

from leaderboard.challenges import queries
from leaderboard.challenges.rules import kept_from, needed_since
from shared.contracts.events import FetchWindowChanged, RetentionAdvanced
from shared.database.engine import Database
from shared.messaging.outbox import emit


async def announce_fetch_window(database: Database, now: datetime) -> None:
    """Emit from when on activities are needed, if that is not what was said last."""
    async with database.transaction() as session:
        since = needed_since(await queries.list_challenges(session), now)
        if await queries.save_fetch_window(session, since):
            await emit(session, FetchWindowChanged(since=since, changed_at=now))


async def announce_retention(database: Database, now: datetime) -> None:
    """Emit before which start activities are not kept, if that is not what was said last."""
    async with database.transaction() as session:
        before = kept_from(await queries.list_challenges(session), now)
        if before is not None and await queries.save_retention(session, before):
            await emit(session, RetentionAdvanced(before=before, advanced_at=now))
