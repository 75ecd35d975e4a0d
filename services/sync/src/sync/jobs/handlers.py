"""What sync does on events about permissions."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import UserAuthorized, UserDeauthorized, UserErased, UserReauthorizationNeeded
from shared.messaging.inbox import Handlers
from sync.jobs import queries
from sync.jobs.rules import PRIORITIES, needs_listing


async def list_if_needed(event: UserAuthorized, session: AsyncSession) -> None:
    """Fetch everything of an athlete who joined, or of whom there is more to see than before.

    A fetch that is under way with less permission starts anew; any other goes on, or waits on, whoever signs in.
    """
    now = datetime.now(UTC)
    await queries.lock_permissions(session)
    known = await queries.find_athlete(session, event.user_id)
    is_news = event.authorized_at > known.permission_at
    sees_more = bool(event.first_time or event.scopes_gained or event.access_regained)
    was_lost = known.status not in (None, "authorized")
    if is_news:
        if was_lost or (not event.first_time and sees_more):
            await queries.restart_job(session, event.user_id, "join", now)  # before the athlete, as workers lock them
        if not await queries.save_permission(
            session, event.user_id, event.athlete_id, "authorized", event.authorized_at
        ):
            return
    elif known.status != "authorized":
        return
    if needs_listing(known.last_synced_at, event.authorized_at, now, sees_more=sees_more, was_lost=was_lost):
        await queries.open_job(session, event.user_id, "join", PRIORITIES["join"], now)


async def await_reconnection(event: UserReauthorizationNeeded, session: AsyncSession) -> None:
    """Nothing is fetched until they connect again."""
    await _stop(event.user_id, event.athlete_id, "needs_reconnect", event.lost_at, session)


async def stop_fetching(event: UserDeauthorized, session: AsyncSession) -> None:
    """Nothing is fetched any more of who disconnected."""
    await _stop(event.user_id, event.athlete_id, "disconnected", event.deauthorized_at, session)


async def _stop(user_id: UUID, athlete_id: int, status: str, at: datetime, session: AsyncSession) -> None:
    await queries.lock_permissions(session)
    if at > (await queries.find_athlete(session, user_id)).permission_at:
        await queries.close_open_jobs(session, user_id, status, datetime.now(UTC))
        await queries.save_permission(session, user_id, athlete_id, status, at)


async def erase_athlete(event: UserErased, session: AsyncSession) -> None:
    """Everything about them goes."""
    await queries.lock_permissions(session)
    await queries.erase_athlete(session, event.user_id, event.erased_at)


HANDLERS: Handlers = {
    UserAuthorized: list_if_needed,
    UserReauthorizationNeeded: await_reconnection,
    UserDeauthorized: stop_fetching,
    UserErased: erase_athlete,
}
