"""Every SQL statement of auth."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from auth.tables import TokenRow, UserRow


@dataclass(frozen=True)
class EncryptedTokens:
    """Both tokens as ciphertext."""

    access_token: str
    refresh_token: str
    expires_at: datetime


async def lock_athlete(session: AsyncSession, athlete_id: int) -> None:
    """Make sign-ins of one athlete wait for each other, also when there is no row to lock yet."""
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended('athlete:' || :id, 0))"), {"id": str(athlete_id)}
    )


async def find_user_by_athlete(session: AsyncSession, athlete_id: int) -> UserRow | None:
    """The user that this Strava athlete is."""
    return (await session.execute(select(UserRow).where(UserRow.athlete_id == athlete_id))).scalar_one_or_none()


async def upsert_tokens(
    session: AsyncSession, user_id: UUID, tokens: EncryptedTokens, scopes: tuple[str, ...]
) -> None:
    """Store the tokens of a fresh sign-in, in place of any before."""
    values = {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_at": tokens.expires_at,
        "scopes": list(scopes),
        "lease_until": None,
    }
    statement = insert(TokenRow).values(user_id=user_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))


async def find_tokens(session: AsyncSession, user_id: UUID) -> EncryptedTokens | None:
    """The tokens of a user."""
    row = await session.get(TokenRow, user_id)
    if row is None:
        return None
    return EncryptedTokens(row.access_token, row.refresh_token, row.expires_at)


async def lease_for_refresh(
    session: AsyncSession, user_id: UUID, seen: EncryptedTokens, now: datetime, until: datetime
) -> bool:
    """Claim the one refresh that may run for this user.

    False while another one holds the lease, or when `seen` was replaced meanwhile: its refresh token may be dead.
    """
    leased = await session.execute(
        update(TokenRow)
        .where(
            TokenRow.user_id == user_id,
            TokenRow.refresh_token == seen.refresh_token,
            (TokenRow.lease_until.is_(None)) | (TokenRow.lease_until < now),
        )
        .values(lease_until=until)
        .returning(TokenRow.user_id)
    )
    return leased.scalar_one_or_none() is not None


async def update_refreshed_tokens(
    session: AsyncSession, user_id: UUID, replaced: str, tokens: EncryptedTokens
) -> None:
    """Store refreshed tokens and end the lease, unless the athlete signed in anew meanwhile."""
    await session.execute(
        update(TokenRow)
        .where(TokenRow.user_id == user_id, TokenRow.refresh_token == replaced)
        .values(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            expires_at=tokens.expires_at,
            lease_until=None,
        )
    )


async def release_lease(session: AsyncSession, user_id: UUID, tried: str) -> None:
    """End the lease of a refresh that failed."""
    await session.execute(
        update(TokenRow).where(TokenRow.user_id == user_id, TokenRow.refresh_token == tried).values(lease_until=None)
    )
