"""SQL of admins."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from auth.tables import AdminRow, UserRow


@dataclass(frozen=True)
class NamedUser:
    """A user, as far as admins are concerned."""

    athlete_id: int
    user_id: UUID
    display_name: str


async def add_admin(session: AsyncSession, athlete_id: int, now: datetime) -> None:
    """Make the athlete an admin, if they are none."""
    await session.execute(insert(AdminRow).values(athlete_id=athlete_id, added_at=now).on_conflict_do_nothing())


async def delete_admin(session: AsyncSession, athlete_id: int) -> bool:
    """Make the athlete an admin no more; returns whether they were one by command."""
    deleted = await session.scalar(
        delete(AdminRow).where(AdminRow.athlete_id == athlete_id).returning(AdminRow.athlete_id)
    )
    return deleted is not None


async def has_admin(session: AsyncSession, athlete_id: int) -> bool:
    """Whether the athlete is an admin by command."""
    return bool(await session.scalar(select(exists().where(AdminRow.athlete_id == athlete_id))))


async def list_admins(session: AsyncSession) -> list[int]:
    """The athletes who are admins by command."""
    return list(await session.scalars(select(AdminRow.athlete_id)))


async def list_named_users(session: AsyncSession, athlete_ids: Collection[int]) -> dict[int, NamedUser]:
    """Who of these athletes has joined, by athlete id."""
    rows = await session.execute(
        select(UserRow.athlete_id, UserRow.id, UserRow.display_name).where(UserRow.athlete_id.in_(athlete_ids))
    )
    return {row.athlete_id: NamedUser(row.athlete_id, row.id, row.display_name) for row in rows}


async def set_admin(session: AsyncSession, athlete_id: int, *, is_admin: bool) -> UUID | None:
    """Store what a user is; returns who they are if that is a change."""
    changed: UUID | None = await session.scalar(
        update(UserRow)
        .where(UserRow.athlete_id == athlete_id, UserRow.is_admin.is_distinct_from(is_admin))
        .values(is_admin=is_admin)
        .returning(UserRow.id)
    )
    return changed


async def update_admins(session: AsyncSession, configured: Sequence[int]) -> list[tuple[UUID, bool]]:
    """Store for all users whether they are admins now; returns those for whom that is a change."""
    changed = await session.execute(
        text(
            """
            with wanted as (
                select users.id, users.athlete_id = any(cast(:configured as bigint[]))
                    or exists (select from admins where admins.athlete_id = users.athlete_id) as is_admin
                from users
            )
            update users set is_admin = wanted.is_admin from wanted
            where users.id = wanted.id and users.is_admin <> wanted.is_admin
            returning users.id, users.is_admin
            """
        ),
        {"configured": list(configured)},
    )
    return [(row.id, row.is_admin) for row in changed]
