"""SQL of sessions."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from web.tables import SessionRow

IDLE_LIMIT = timedelta(days=14)
ABSOLUTE_LIMIT = timedelta(days=90)
LAST_SEEN_INTERVAL = timedelta(minutes=10)  # so that reading pages is not writing rows


async def add_session(
    session: AsyncSession, id_hash: bytes, *, user_id: UUID, display_name: str, is_admin: bool, now: datetime
) -> None:
    """Store a new session."""
    session.add(
        SessionRow(
            id_hash=id_hash,
            user_id=user_id,
            display_name=display_name,
            is_admin=is_admin,
            created_at=now,
            last_seen_at=now,
        )
    )


async def find_session(session: AsyncSession, id_hash: bytes, now: datetime) -> SessionRow | None:
    """The session if it is within both limits; being read keeps it from becoming idle."""
    row = await session.scalar(
        select(SessionRow).where(
            SessionRow.id_hash == id_hash,
            SessionRow.last_seen_at > now - IDLE_LIMIT,
            SessionRow.created_at > now - ABSOLUTE_LIMIT,
        )
    )
    if row is not None and row.last_seen_at < now - LAST_SEEN_INTERVAL:
        await session.execute(update(SessionRow).where(SessionRow.id_hash == id_hash).values(last_seen_at=now))
    return row


async def delete_session(session: AsyncSession, id_hash: bytes) -> None:
    """Delete a session."""
    await session.execute(delete(SessionRow).where(SessionRow.id_hash == id_hash))


async def purge_expired_sessions(session: AsyncSession, now: datetime) -> None:
    """Delete the sessions that are beyond a limit."""
    await session.execute(
        delete(SessionRow).where(
            (SessionRow.last_seen_at <= now - IDLE_LIMIT) | (SessionRow.created_at <= now - ABSOLUTE_LIMIT)
        )
    )
