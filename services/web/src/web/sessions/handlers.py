"""What web does on events about people who are signed in."""

from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import (
    UserAdminChanged,
    UserAuthorized,
    UserDeauthorized,
    UserErased,
    UserReauthorizationNeeded,
    UserRenamed,
)
from shared.messaging.inbox import Handlers
from web.http import queries


async def rename_sessions(event: UserRenamed, session: AsyncSession) -> None:
    """Pages greet the user with the new name."""
    await queries.rename_sessions(session, event.user_id, event.display_name, event.renamed_at)


async def change_admin(event: UserAdminChanged, session: AsyncSession) -> None:
    """The user may administer in all browsers, or in none any more."""
    await queries.change_admin(session, event.user_id, is_admin=event.is_admin, changed_at=event.changed_at)


async def note_access(event: UserAuthorized, session: AsyncSession) -> None:
    """Pages do not ask the user any more to connect again."""
    await queries.change_strava(session, event.user_id, "connected", event.authorized_at)


async def note_lost_access(event: UserReauthorizationNeeded, session: AsyncSession) -> None:
    """Pages ask the user to connect again."""
    await queries.change_strava(session, event.user_id, "lost", event.lost_at)


async def note_disconnection(event: UserDeauthorized, session: AsyncSession) -> None:
    """Pages tell the user how to connect again."""
    await queries.change_strava(session, event.user_id, "disconnected", event.deauthorized_at)


async def end_sessions(event: UserErased, session: AsyncSession) -> None:
    """The user is signed out everywhere, and on no board that is shown while leaderboard is away."""
    await queries.delete_sessions_of(session, event.user_id)
    await queries.delete_snapshots_of(session, event.user_id)


SESSION_HANDLERS: Handlers = {
    UserAuthorized: note_access,
    UserRenamed: rename_sessions,
    UserAdminChanged: change_admin,
    UserReauthorizationNeeded: note_lost_access,
    UserDeauthorized: note_disconnection,
    UserErased: end_sessions,
}
