"""What leaderboard does on events about how fetching goes."""

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.sync_health import queries
from leaderboard.sync_health.queries import Attempt
from shared.contracts.events import SyncFinished, UserDeauthorized, UserReauthorizationNeeded
from shared.messaging.inbox import Handlers


async def note_attempt(event: SyncFinished, session: AsyncSession) -> None:
    """A fetch has ended, well or badly."""
    attempt = Attempt(
        event.user_id, event.finished_at, event.outcome == "succeeded", event.error_class, event.requests_used
    )
    await queries.save_attempt(session, attempt)


async def note_lost_permission(event: UserReauthorizationNeeded, session: AsyncSession) -> None:
    """Nothing can be fetched until they connect again."""
    await queries.save_permission(session, event.user_id, event.lost_at, event.reason)


async def note_disconnection(event: UserDeauthorized, session: AsyncSession) -> None:
    """The same, because they wanted it so."""
    await queries.save_permission(session, event.user_id, event.deauthorized_at, event.reason)


SYNC_HEALTH_HANDLERS: Handlers = {
    SyncFinished: note_attempt,
    UserReauthorizationNeeded: note_lost_permission,
    UserDeauthorized: note_disconnection,
}
