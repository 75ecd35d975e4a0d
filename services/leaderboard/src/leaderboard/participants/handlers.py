"""What leaderboard does on events about people."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.activities.queries import erase_activities
from leaderboard.api_keys.queries import erase_creators
from leaderboard.audit.queries import erase_actors
from leaderboard.participants import queries
from leaderboard.standings.queries import add_version_changes, erase_standings, refresh_listing
from leaderboard.sync_health.handlers import SYNC_HEALTH_HANDLERS
from leaderboard.sync_health.queries import erase_health, save_permission
from leaderboard.teams.use_cases import erase_members
from shared.contracts.events import UserAuthorized, UserErased, UserRenamed
from shared.messaging.inbox import BatchHandler, Handlers


async def add_participant(event: UserAuthorized, session: AsyncSession) -> None:
    """A new participant, or a new name of one: their activities may be here already."""
    may_differ = await queries.upsert_participant(
        session,
        user_id=event.user_id,
        display_name=event.display_name,
        named_at=event.authorized_at,
        athlete_id=event.athlete_id,
        authorized_at=event.authorized_at,
    )
    if may_differ:
        await _add_changed_boards(event, session)
    await save_permission(session, event.user_id, event.authorized_at, None)


async def rename_participant(event: UserRenamed, session: AsyncSession) -> None:
    """A new name; it may come before the authorization, which then has the older one."""
    may_differ = await queries.upsert_participant(
        session, user_id=event.user_id, display_name=event.display_name, named_at=event.renamed_at
    )
    if may_differ:
        await _add_changed_boards(event, session)


async def _add_changed_boards(event: UserAuthorized | UserRenamed, session: AsyncSession) -> None:
    """The boards on which this user is look different now."""
    await add_version_changes(session, await refresh_listing(session, [event.user_id]))


async def erase_participants(events: Sequence[UserErased], session: AsyncSession) -> None:
    """Everything of these users goes; activities that are another user's by now stay with them."""
    erased_at = {event.user_id: event.erased_at for event in events}
    await queries.erase_participants(session, erased_at)
    await erase_health(session, list(erased_at))
    await erase_activities(session, list(erased_at))
    await erase_actors(session, list(erased_at))
    await erase_creators(session, list(erased_at))
    await erase_members(session, list(erased_at))
    await add_version_changes(session, await erase_standings(session, list(erased_at)))


PARTICIPANT_HANDLERS: Handlers = {
    UserAuthorized: add_participant,
    UserRenamed: rename_participant,
    UserErased: BatchHandler(erase_participants),
    **SYNC_HEALTH_HANDLERS,
}
