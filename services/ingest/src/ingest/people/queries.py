"""SQL of what people chose, and of who was erased."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from ingest.tables import ActivityRow, ListingRow, RejectedRow


async def save_choice(session: AsyncSession, user_id: UUID, chosen_at: datetime, *, private_activities: bool) -> bool:
    """Store whether private activities are recorded; false when a later choice is known, or the user was erased."""
    saved = await session.execute(
        text(
            """insert into people as t (user_id, private_activities, chosen_at)
               values (:user_id, :private_activities, :chosen_at)
               on conflict (user_id) do update set private_activities = excluded.private_activities,
                   chosen_at = excluded.chosen_at
               where t.chosen_at < excluded.chosen_at and t.erased_at is null
               returning user_id"""
        ),
        {"user_id": user_id, "private_activities": private_activities, "chosen_at": chosen_at},
    )
    return saved.scalar_one_or_none() is not None


async def erase_users(session: AsyncSession, erased_at: Mapping[UUID, datetime]) -> None:
    """Delete everything of these users, given with the time of their erasure, except that they were erased."""
    await session.execute(
        text(
            """insert into people (user_id, erased_at)
               select * from unnest(cast(:user_ids as uuid[]), cast(:times as timestamptz[]))
               on conflict (user_id) do update set private_activities = false, chosen_at = '-infinity',
                   erased_at = coalesce(people.erased_at, excluded.erased_at)"""
        ),
        {"user_ids": list(erased_at), "times": list(erased_at.values())},
    )
    for table in (ActivityRow, RejectedRow, ListingRow):
        await session.execute(delete(table).where(table.user_id.in_(list(erased_at))))
