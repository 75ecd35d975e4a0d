"""SQL of participants."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def upsert_participant(
    session: AsyncSession, *, user_id: UUID, athlete_id: int, display_name: str, authorized_at: datetime
) -> bool:
    """Add a participant; returns whether a board may look different now. The latest authorization has the name."""
    saved = await session.execute(
        text(
            """insert into participants as t (user_id, athlete_id, display_name, joined_at, named_at)
               values (:user_id, :athlete_id, :display_name, :authorized_at, :authorized_at)
               on conflict (user_id) do update set
                   joined_at = least(t.joined_at, excluded.joined_at),
                   named_at = greatest(t.named_at, excluded.named_at),
                   display_name = case when t.named_at < excluded.named_at
                       then excluded.display_name else t.display_name end
               returning old.display_name is distinct from new.display_name"""
        ),
        {
            "user_id": user_id,
            "athlete_id": athlete_id,
            "display_name": display_name,
            "authorized_at": authorized_at,
        },
    )
    return bool(saved.scalar_one())
