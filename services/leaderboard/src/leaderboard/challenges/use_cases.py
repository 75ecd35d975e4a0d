"""Telling sync which activities the challenges need."""

from datetime import datetime

from leaderboard.challenges import queries
from leaderboard.challenges.rules import needed_since
from shared.contracts.events import FetchWindowChanged
from shared.database.engine import Database
from shared.messaging.outbox import emit


async def announce_fetch_window(database: Database, now: datetime) -> None:
    """Emit from when on activities are needed, if that is not what was said last."""
    async with database.transaction() as session:
        since = needed_since(await queries.list_challenges(session), now)
        if await queries.save_fetch_window(session, since):
            await emit(session, FetchWindowChanged(since=since, changed_at=now))
