"""Reactions of sync to events."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from shared.consumer import Handlers
from shared.events import UserAuthorized
from sync import queries


async def start_join_backfill(event: UserAuthorized, session: AsyncSession) -> None:
    """Fetch everything of an athlete who connected, the first time or again."""
    await queries.authorize_athlete(session, event.user_id, event.athlete_id)
    await queries.open_job(session, event.user_id, "join", datetime.now(UTC))


HANDLERS: Handlers = {UserAuthorized: start_join_backfill}
