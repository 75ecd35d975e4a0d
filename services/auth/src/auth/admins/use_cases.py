"""Admins: named by ADMIN_ATHLETE_IDS or by command, and known to the other services through an event."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from auth.admins import queries
from auth.dependencies import AuthContext
from shared.contracts.auth_api import Admin
from shared.contracts.events import UserAdminChanged
from shared.errors import Conflict, NotFound
from shared.messaging.outbox import emit


async def is_admin(context: AuthContext, session: AsyncSession, athlete_id: int) -> bool:
    """Whether the athlete is an admin, by configuration or by command."""
    return athlete_id in context.admin_athlete_ids or await queries.has_admin(session, athlete_id)


async def list_admins(context: AuthContext) -> list[Admin]:
    """All admins, by athlete id, whether they have joined or not."""
    async with context.database.transaction() as session:
        athlete_ids = context.admin_athlete_ids | set(await queries.list_admins(session))
        joined = await queries.list_named_users(session, athlete_ids)
    return [_to_admin(context, athlete_id, joined.get(athlete_id)) for athlete_id in sorted(athlete_ids)]


async def add_admin(context: AuthContext, athlete_id: int) -> Admin:
    """Make the athlete an admin, now or as soon as they join."""
    async with context.database.transaction() as session:
        if athlete_id not in context.admin_athlete_ids:
            await queries.add_admin(session, athlete_id, datetime.now(UTC))
        await _store(session, athlete_id, is_admin=True)
        joined = await queries.list_named_users(session, [athlete_id])
    return _to_admin(context, athlete_id, joined.get(athlete_id))


async def remove_admin(context: AuthContext, athlete_id: int) -> None:
    """Make the athlete an admin no more. Raises Conflict for one named by configuration, NotFound for no admin."""
    if athlete_id in context.admin_athlete_ids:
        raise Conflict("This admin is named in ADMIN_ATHLETE_IDS. Take the id out there and restart auth.")
    async with context.database.transaction() as session:
        if not await queries.delete_admin(session, athlete_id):
            raise NotFound("This athlete is no admin.")
        await _store(session, athlete_id, is_admin=False)


async def apply_configuration(context: AuthContext) -> None:
    """Tell the other services who became an admin, or is none any more, since ADMIN_ATHLETE_IDS was read last."""
    async with context.database.transaction() as session:
        changed = await queries.update_admins(session, sorted(context.admin_athlete_ids))
        await emit(session, *(_event(user_id, is_admin) for user_id, is_admin in changed))


async def _store(session: AsyncSession, athlete_id: int, *, is_admin: bool) -> None:
    user_id = await queries.set_admin(session, athlete_id, is_admin=is_admin)
    if user_id is not None:
        await emit(session, _event(user_id, is_admin))


def _event(user_id: UUID, is_admin: bool) -> UserAdminChanged:
    return UserAdminChanged(user_id=user_id, is_admin=is_admin, changed_at=datetime.now(UTC))


def _to_admin(context: AuthContext, athlete_id: int, joined: queries.NamedUser | None) -> Admin:
    return Admin(
        athlete_id=athlete_id,
        source="configuration" if athlete_id in context.admin_athlete_ids else "command",
        user_id=joined and joined.user_id,
        display_name=joined and joined.display_name,
    )
