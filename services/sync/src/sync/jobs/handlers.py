"""What sync does on events about permissions, and on wishes for a fetch."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import (
    FetchWindowChanged,
    SyncRequested,
    UserAuthorized,
    UserDeauthorized,
    UserErased,
    UserReauthorizationNeeded,
)
from shared.messaging.inbox import Handlers
from sync.clock import Clock, utc_now
from sync.jobs import queries
from sync.jobs.rules import may_sync_by_hand, needs_listing


def make_handlers(clock: Clock = utc_now) -> Handlers:
    """The handler of each event."""

    async def list_if_needed(event: UserAuthorized, session: AsyncSession) -> None:
        """Fetch everything of an athlete who joined, or of whom there is more to see than before.

        A fetch that is under way with less permission starts anew; any other goes on, or waits on, whoever signs in.
        """
        now = clock()
        await queries.lock_permissions(session)
        known = await queries.find_athlete(session, event.user_id)
        is_news = event.authorized_at > known.permission_at
        sees_more = bool(event.first_time or event.scopes_gained or event.access_regained)
        was_lost = known.status not in (None, "authorized")
        if is_news:
            if not await queries.save_permission(
                session, event.user_id, event.athlete_id, "authorized", event.authorized_at
            ):
                return
            if was_lost or (not event.first_time and sees_more):
                await queries.restart_job(session, event.user_id, "join", now)
        elif known.status != "authorized":
            return
        if needs_listing(known.last_synced_at, event.authorized_at, now, sees_more=sees_more, was_lost=was_lost):
            await queries.open_job(session, event.user_id, "join", now, now)

    async def await_reconnection(event: UserReauthorizationNeeded, session: AsyncSession) -> None:
        """Nothing is fetched until they connect again."""
        await _stop(session, event, "needs_reconnect", event.lost_at, clock())

    async def stop_fetching(event: UserDeauthorized, session: AsyncSession) -> None:
        """Nothing is fetched any more of who disconnected."""
        await _stop(session, event, "disconnected", event.deauthorized_at, clock())

    async def erase_athlete(event: UserErased, session: AsyncSession) -> None:
        """Everything about them goes."""
        await queries.lock_permissions(session)
        await queries.erase_athlete(session, event.user_id, event.athlete_id, event.erased_at)

    async def move_fetch_window(event: FetchWindowChanged, session: AsyncSession) -> None:
        """Another time is needed; who was listed for less of it is listed again, when nothing is more urgent."""
        if await queries.save_fetch_window(session, event.since, event.changed_at) and event.since is not None:
            shorter = await queries.list_listed_later_than(session, event.since)
            await queries.open_jobs(session, shorter, "nightly", clock())

    async def open_requested_jobs(event: SyncRequested, session: AsyncSession) -> None:
        """Fetch somebody's activities, or everybody's, because a person wants that."""
        now = clock()
        if event.user_id is None:
            await queries.open_jobs(session, await queries.list_authorized(session), "manual", now)
            return
        known = await queries.find_athlete(session, event.user_id)
        if event.reason == "organiser" or may_sync_by_hand(known.last_synced_at, now):
            await queries.open_jobs(session, [event.user_id], "manual", now)

    return {
        UserAuthorized: list_if_needed,
        UserReauthorizationNeeded: await_reconnection,
        UserDeauthorized: stop_fetching,
        UserErased: erase_athlete,
        FetchWindowChanged: move_fetch_window,
        SyncRequested: open_requested_jobs,
    }


async def _stop(
    session: AsyncSession,
    event: UserReauthorizationNeeded | UserDeauthorized,
    status: str,
    at: datetime,
    now: datetime,
) -> None:
    await queries.lock_permissions(session)
    if at > (await queries.find_athlete(session, event.user_id)).permission_at:
        await queries.save_permission(session, event.user_id, event.athlete_id, status, at)
        await queries.close_open_jobs(session, event.user_id, status, now)
