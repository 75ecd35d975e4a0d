"""SQL of permissions that are to be ended at Strava."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from auth.tables import RevocationRow
from auth.token_encryption import EncryptedPair

TABLE = RevocationRow.__tablename__


@dataclass(frozen=True)
class Revocation:
    """A revocation under this process's lease."""

    id: UUID
    tokens: EncryptedPair
    created_at: datetime
    attempts: int  # this one included


async def add_revocation(
    session: AsyncSession, revocation_id: UUID, athlete_id: int, tokens: EncryptedPair, now: datetime
) -> None:
    """Have a permission ended."""
    session.add(
        RevocationRow(
            id=revocation_id,
            athlete_id=athlete_id,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            created_at=now,
            not_before=now,
            attempts=0,
        )
    )


async def claim_revocation(session: AsyncSession, now: datetime, until: datetime) -> Revocation | None:
    """Lease the revocation that is due first."""
    due = (
        select(RevocationRow.id)
        .where(
            RevocationRow.ended_at.is_(None),
            RevocationRow.not_before <= now,
            or_(RevocationRow.lease_until.is_(None), RevocationRow.lease_until < now),
        )
        .order_by(RevocationRow.not_before)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = await session.scalar(
        update(RevocationRow)
        .where(RevocationRow.id == due)
        .values(lease_until=until, attempts=RevocationRow.attempts + 1)
        .returning(RevocationRow)
    )
    if row is None:
        return None
    assert row.access_token is not None
    assert row.refresh_token is not None
    return Revocation(row.id, EncryptedPair(row.access_token, row.refresh_token), row.created_at, row.attempts)


async def update_tokens(session: AsyncSession, revocation_id: UUID, tokens: EncryptedPair) -> None:
    """Store the tokens that a refresh gave."""
    await session.execute(
        update(RevocationRow)
        .where(RevocationRow.id == revocation_id)
        .values(access_token=tokens.access_token, refresh_token=tokens.refresh_token)
    )


async def postpone_revocation(session: AsyncSession, revocation_id: UUID, until: datetime) -> None:
    """Release the revocation, due again then."""
    await session.execute(
        update(RevocationRow).where(RevocationRow.id == revocation_id).values(not_before=until, lease_until=None)
    )


async def end_revocation(session: AsyncSession, revocation_id: UUID, now: datetime) -> None:
    """Forget the tokens; the rest stays for a while, so that a sign-in sees what came in between."""
    await session.execute(
        update(RevocationRow)
        .where(RevocationRow.id == revocation_id)
        .values(access_token=None, refresh_token=None, ended_at=now, lease_until=None)
    )


@dataclass(frozen=True)
class Conflicts:
    """How the revocations of an athlete stand to a sign-in of theirs."""

    is_running: bool
    last_ended_at: datetime | None


async def cancel_revocations(session: AsyncSession, athlete_id: int, now: datetime) -> Conflicts:
    """Delete the athlete's revocations that nobody has begun: they would end a permission that is wanted again."""
    rows = (
        await session.scalars(select(RevocationRow).where(RevocationRow.athlete_id == athlete_id).with_for_update())
    ).all()
    running = [row for row in rows if row.ended_at is None and row.lease_until is not None and row.lease_until >= now]
    for row in rows:
        if row.ended_at is None and row not in running:
            await session.delete(row)
    return Conflicts(bool(running), max((row.ended_at for row in rows if row.ended_at is not None), default=None))


async def purge_revocations(session: AsyncSession, ended_before: datetime) -> None:
    """Delete revocations that ended before that."""
    await session.execute(delete(RevocationRow).where(RevocationRow.ended_at < ended_before))
