"""SQL of API keys."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.tables import ApiKeyRow

ERASED = "an erased user"

_insert = text(
    """insert into api_keys (name, folded_name, key_hash, scopes, created_by, created_at)
       values (:name, :folded_name, :key_hash, :scopes, :created_by, :now)
       on conflict (folded_name) do nothing returning id"""
)
# One statement, so that requests at the same time, at whichever replica, are each counted; a clock that is behind
# counts in the window of the one that is ahead.
_use = text(
    """update api_keys
       set requests = case when window_start >= :window then requests + 1 else 1 end,
           window_start = greatest(window_start, :window),
           last_used_at = greatest(last_used_at, :now)
       where id = :id and key_hash = :hash and revoked_at is null
       returning name, scopes, requests"""
)


@dataclass(frozen=True)
class UsedKey:
    """A valid key, and how many requests it has made in this minute."""

    name: str
    scopes: tuple[str, ...]
    requests: int


async def insert_key(
    session: AsyncSession,
    *,
    name: str,
    folded_name: str,
    key_hash: bytes,
    scopes: Collection[str],
    created_by: str,
    now: datetime,
) -> ApiKeyRow | None:
    """Create a key; None when there is or was one of that name."""
    created = await session.execute(
        _insert,
        {
            "name": name,
            "folded_name": folded_name,
            "key_hash": key_hash,
            "scopes": sorted(scopes),
            "created_by": created_by,
            "now": now,
        },
    )
    key_id = created.scalar_one_or_none()
    return None if key_id is None else await find_key(session, key_id)


async def use_key(
    session: AsyncSession, key_id: int, key_hash: bytes, window: datetime, now: datetime
) -> UsedKey | None:
    """Count a request with this key in the window that began then; None when there is no such key."""
    used = await session.execute(_use, {"id": key_id, "hash": key_hash, "window": window, "now": now})
    row = used.one_or_none()
    return None if row is None else UsedKey(row.name, tuple(row.scopes), row.requests)


async def find_key(session: AsyncSession, key_id: int) -> ApiKeyRow | None:
    """The key with this id."""
    return await session.get(ApiKeyRow, key_id, populate_existing=True)


async def list_keys(session: AsyncSession) -> Sequence[ApiKeyRow]:
    """All keys, the latest first."""
    return (await session.execute(select(ApiKeyRow).order_by(ApiKeyRow.id.desc()))).scalars().all()


async def revoke_key(session: AsyncSession, key_id: int, now: datetime) -> bool:
    """Make a key invalid; false when it was already."""
    revoked = await session.execute(
        text("update api_keys set revoked_at = :now where id = :id and revoked_at is null returning id"),
        {"id": key_id, "now": now},
    )
    return revoked.scalar_one_or_none() is not None


async def erase_creators(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """Forget which of the keys were made by these users."""
    await session.execute(
        text("update api_keys set created_by = :erased where created_by = any(:names)"),
        {"erased": ERASED, "names": [f"user {user_id}" for user_id in user_ids]},
    )
