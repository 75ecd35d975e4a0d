"""What sync does on events."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import UserAuthorized
from shared.messaging.inbox import Handlers
from sync.jobs import queries
from sync.jobs.rules import PRIORITIES


async def start_join_backfill(event: UserAuthorized, session: AsyncSession) -> None:
    """Fetch everything of an athlete who connected, the first time or again.

    A fetch that is under way may be using a permission that is gone, or see less than the new one: it starts anew.
    """
    now = datetime.now(UTC)
    await queries.restart_job(session, event.user_id, "join", now)  # before the athlete, as workers lock them
    if await queries.authorize_athlete(session, event.user_id, event.athlete_id):
        await queries.open_job(session, event.user_id, "join", PRIORITIES["join"], now)


HANDLERS: Handlers = {UserAuthorized: start_join_backfill}
