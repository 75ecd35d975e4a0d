"""SQL of participants."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.tables import ErasedUserRow, ParticipantRow
from shared.database.bulk import batch_of

# An authorization that comes late does not end an expiry: a newer one was known when it was decided.
_upsert = text(
    """
    insert into participants as t (user_id, athlete_id, display_name, sort_name, joined_at, named_at, authorized_at)
    select cast(:user_id as uuid), cast(:athlete_id as bigint), :display_name, :sort_name,
        cast(:named_at as timestamptz), cast(:named_at as timestamptz), cast(:authorized_at as timestamptz)
    where not exists (select from erased_users where erased_users.user_id = :user_id)
    on conflict (user_id) do update set
        athlete_id = coalesce(excluded.athlete_id, t.athlete_id),
        joined_at = least(t.joined_at, excluded.joined_at),
        named_at = greatest(t.named_at, excluded.named_at),
        display_name = case when t.named_at < excluded.named_at then excluded.display_name else t.display_name end,
        sort_name = case when t.named_at < excluded.named_at then excluded.sort_name else t.sort_name end,
        authorized_at = greatest(t.authorized_at, excluded.authorized_at),
        expired_at = case when t.authorized_at < excluded.authorized_at then null else t.expired_at end
    returning old.display_name is distinct from new.display_name
    """
)
_save_erased = text(
    f"""insert into erased_users (user_id, erased_at)
        select batch.* from {batch_of(ErasedUserRow, ["user_id", "erased_at"])} on conflict do nothing"""  # noqa: S608
)
_expire = text(
    """
    update participants set expired_at = :now
    where user_id = any(array(
        select user_id from participants where expired_at is null and authorized_at < :authorized_before
        order by user_id limit :batch for update skip locked))
    returning user_id, authorized_at
    """
)


async def upsert_participant(
    session: AsyncSession,
    *,
    user_id: UUID,
    display_name: str,
    named_at: datetime,
    athlete_id: int | None = None,
    authorized_at: datetime | None = None,
) -> bool:
    """Add a participant who was not erased, or save what is newer; returns whether a board may look different now.

    The athlete and the authorization are unknown where only a name is told.
    """
    saved = await session.execute(
        _upsert,
        {
            "user_id": user_id,
            "athlete_id": athlete_id,
            "display_name": display_name,
            "sort_name": display_name.casefold(),
            "named_at": named_at,
            "authorized_at": authorized_at,
        },
    )
    return bool(saved.scalar_one_or_none())


async def erase_participants(session: AsyncSession, erased_at: Mapping[UUID, datetime]) -> None:
    """Delete these users, given with the time of their erasure, and remember that they were erased."""
    await session.execute(_save_erased, {"user_id": list(erased_at), "erased_at": list(erased_at.values())})
    await session.execute(delete(ParticipantRow).where(ParticipantRow.user_id.in_(list(erased_at))))


async def expire_participants(
    session: AsyncSession, authorized_before: datetime, now: datetime, batch: int
) -> dict[UUID, datetime]:
    """Mark at most so many who last authorized before that moment as expired.

    Returns who was not marked yet, with their last authorization. Rows that another replica is marking are its own.
    """
    expired = await session.execute(_expire, {"authorized_before": authorized_before, "now": now, "batch": batch})
    return {row.user_id: row.authorized_at for row in expired}
