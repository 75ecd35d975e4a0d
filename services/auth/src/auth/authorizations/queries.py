"""SQL of authorizations under way."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from auth.tables import AuthorizationRow


async def add_authorization(session: AsyncSession, state_hash: bytes, consent_version: str, now: datetime) -> None:
    """Store an authorization that begins."""
    session.add(AuthorizationRow(state_hash=state_hash, consent_version=consent_version, created_at=now))


async def consume_authorization(session: AsyncSession, state_hash: bytes, begun_after: datetime) -> str | None:
    """Delete an authorization and return its consent version; None if it is unknown, too old or was consumed."""
    consumed: str | None = await session.scalar(
        delete(AuthorizationRow)
        .where(AuthorizationRow.state_hash == state_hash, AuthorizationRow.created_at > begun_after)
        .returning(AuthorizationRow.consent_version)
    )
    return consumed


async def purge_authorizations(session: AsyncSession, begun_before: datetime) -> None:
    """Delete the authorizations that never came back."""
    await session.execute(delete(AuthorizationRow).where(AuthorizationRow.created_at <= begun_before))
