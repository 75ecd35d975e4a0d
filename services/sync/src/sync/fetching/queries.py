"""SQL about the outcome of fetches."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from sync.tables import AthleteRow


async def mark_synced(session: AsyncSession, user_id: UUID, now: datetime) -> None:
    """Store when the athlete was completely fetched."""
    await session.execute(
        update(AthleteRow).where(AthleteRow.user_id == user_id).values(last_synced_at=now, last_error=None)
    )


async def mark_failed(session: AsyncSession, user_id: UUID, error: str, *, needs_reconnect: bool) -> None:
    """Store why the last fetch failed, and whether the athlete has to connect again."""
    values: dict[str, object] = {"last_error": error}
    if needs_reconnect:
        values["status"] = "needs_reconnect"
    await session.execute(update(AthleteRow).where(AthleteRow.user_id == user_id).values(**values))
