"""SQL of the tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from auth.tables import TokenRow, UserRow
from auth.token_encryption import EncryptedPair

TABLE = TokenRow.__tablename__


@dataclass(frozen=True)
class StoredTokens:
    """The tokens of a user; `grant_id` names the pair as Strava gave it."""

    user_id: UUID
    athlete_id: int
    grant_id: UUID
    tokens: EncryptedPair
    expires_at: datetime
    refreshed_at: datetime


async def find_status(session: AsyncSession, user_id: UUID) -> str | None:
    """Whether Strava gives access to the user's data; None for an unknown user."""
    status: str | None = await session.scalar(select(UserRow.status).where(UserRow.id == user_id))
    return status


async def find_tokens(session: AsyncSession, user_id: UUID) -> StoredTokens | None:
    """The tokens of a user; None for somebody unknown, and when Strava gives no access."""
    row = (
        await session.execute(
            select(TokenRow, UserRow.athlete_id)
            .join(UserRow, UserRow.id == TokenRow.user_id)
            .where(TokenRow.user_id == user_id)
        )
    ).one_or_none()
    return None if row is None else _to_stored(row.TokenRow, row.athlete_id)


def _to_stored(row: TokenRow, athlete_id: int) -> StoredTokens:
    encrypted = EncryptedPair(row.access_token, row.refresh_token)
    return StoredTokens(row.user_id, athlete_id, row.grant_id, encrypted, row.expires_at, row.refreshed_at)


async def upsert_tokens(session: AsyncSession, stored: StoredTokens) -> None:
    """Store the tokens of a sign-in, in place of any before; a refresh of those is of no use then."""
    values = {**_columns(stored), "lease_until": None}
    statement = insert(TokenRow).values(user_id=stored.user_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))


async def lease_for_refresh(
    session: AsyncSession, seen: StoredTokens, now: datetime, until: datetime
) -> EncryptedPair | None:
    """Claim the one refresh that may run for this user; returns the tokens as they are encrypted now.

    None while another one holds the lease, or when `seen` was replaced meanwhile: its refresh token may be dead.
    """
    leased = (
        await session.execute(
            update(TokenRow)
            .where(
                TokenRow.user_id == seen.user_id,
                TokenRow.grant_id == seen.grant_id,
                or_(TokenRow.lease_until.is_(None), TokenRow.lease_until < now),
            )
            .values(lease_until=until)
            .returning(TokenRow.access_token, TokenRow.refresh_token)
        )
    ).one_or_none()
    return None if leased is None else EncryptedPair(leased.access_token, leased.refresh_token)


async def replace_tokens(session: AsyncSession, replaced: UUID, fresh: StoredTokens) -> bool:
    """Store refreshed tokens and end the lease; false when the pair that they replace is not there any more."""
    updated = await session.scalar(
        update(TokenRow)
        .where(TokenRow.user_id == fresh.user_id, TokenRow.grant_id == replaced)
        .values(**_columns(fresh), lease_until=None)
        .returning(TokenRow.user_id)
    )
    return updated is not None


def _columns(stored: StoredTokens) -> dict[str, Any]:
    return {
        "access_token": stored.tokens.access_token,
        "refresh_token": stored.tokens.refresh_token,
        "expires_at": stored.expires_at,
        "refreshed_at": stored.refreshed_at,
        "grant_id": stored.grant_id,
    }


async def release_lease(session: AsyncSession, seen: StoredTokens) -> None:
    """End the lease of a refresh that failed."""
    await session.execute(
        update(TokenRow)
        .where(TokenRow.user_id == seen.user_id, TokenRow.grant_id == seen.grant_id)
        .values(lease_until=None)
    )


async def mark_lost(session: AsyncSession, seen: StoredTokens) -> bool:
    """Delete tokens that Strava does not accept any more; false when others are in their place by now."""
    # The user before the tokens, as a sign-in locks them.
    await session.execute(select(UserRow.id).where(UserRow.id == seen.user_id).with_for_update())
    deleted = await session.scalar(
        delete(TokenRow)
        .where(TokenRow.user_id == seen.user_id, TokenRow.grant_id == seen.grant_id)
        .returning(TokenRow.user_id)
    )
    if deleted is None:
        return False
    await session.execute(update(UserRow).where(UserRow.id == seen.user_id).values(status="reauthorization_needed"))
    return True


async def delete_tokens(session: AsyncSession, user_id: UUID) -> EncryptedPair | None:
    """Delete the tokens of a user; returns what they were."""
    row = (
        await session.execute(
            delete(TokenRow)
            .where(TokenRow.user_id == user_id)
            .returning(TokenRow.access_token, TokenRow.refresh_token)
        )
    ).one_or_none()
    return None if row is None else EncryptedPair(row.access_token, row.refresh_token)


async def has_tokens(session: AsyncSession, user_id: UUID) -> bool:
    """Whether the user has tokens."""
    return bool(await session.scalar(select(exists().where(TokenRow.user_id == user_id))))
