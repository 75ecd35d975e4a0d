"""SQL of sign-ins under way."""

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from web.tables import SignInRow

SIGN_IN_LIMIT = timedelta(minutes=15)


async def add_sign_in(session: AsyncSession, state_hash: bytes, consent_version: str, now: datetime) -> None:
    """Store a sign-in that begins."""
    session.add(SignInRow(state_hash=state_hash, consent_version=consent_version, created_at=now))


async def consume_sign_in(session: AsyncSession, state_hash: bytes, now: datetime) -> str | None:
    """Delete a sign-in and return its consent version; None if it is unknown, expired or was consumed."""
    taken: str | None = await session.scalar(
        delete(SignInRow)
        .where(SignInRow.state_hash == state_hash, SignInRow.created_at > now - SIGN_IN_LIMIT)
        .returning(SignInRow.consent_version)
    )
    return taken


async def purge_expired_sign_ins(session: AsyncSession, now: datetime) -> None:
    """Delete the sign-ins that are beyond the limit."""
    await session.execute(delete(SignInRow).where(SignInRow.created_at <= now - SIGN_IN_LIMIT))
