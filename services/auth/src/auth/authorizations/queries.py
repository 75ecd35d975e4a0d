"""SQL of authorizations under way."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from auth.tables import AuthorizationRow


@dataclass(frozen=True)
class Begun:
    """With what an authorization began: the consent, and what web wants back."""

    consent_version: str
    return_to: str


async def add_authorization(session: AsyncSession, state_hash: bytes, begun: Begun, now: datetime) -> None:
    """Store an authorization that begins."""
    session.add(
        AuthorizationRow(
            state_hash=state_hash, consent_version=begun.consent_version, return_to=begun.return_to, created_at=now
        )
    )


async def consume_authorization(session: AsyncSession, state_hash: bytes, begun_after: datetime) -> Begun | None:
    """Delete an authorization and return with what it began; None if it is unknown, too old or was consumed."""
    consumed = await session.execute(
        delete(AuthorizationRow)
        .where(AuthorizationRow.state_hash == state_hash, AuthorizationRow.created_at > begun_after)
        .returning(AuthorizationRow.consent_version, AuthorizationRow.return_to)
    )
    row = consumed.one_or_none()
    return Begun(row.consent_version, row.return_to) if row else None


async def purge_authorizations(session: AsyncSession, begun_before: datetime) -> None:
    """Delete the authorizations that never came back."""
    await session.execute(delete(AuthorizationRow).where(AuthorizationRow.created_at <= begun_before))
