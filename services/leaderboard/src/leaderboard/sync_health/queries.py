"""SQL of how fetching goes for each user, and of when everybody was last asked for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

_NOT_ERASED = "not exists (select from erased_users where erased_users.user_id = :user_id)"
# Of an attempt that comes after a later one only the newest success and the newest failure are looked at.
_save_attempt = text(
    f"""
    insert into sync_health as t (user_id, last_attempt_at, last_success_at, last_failure_at, last_outcome,
        last_error_class, failures_in_row, requests_used_last)
    select cast(:user_id as uuid), cast(:at as timestamptz), case when :succeeded then cast(:at as timestamptz) end,
        case when not :succeeded then cast(:at as timestamptz) end, :outcome,
        cast(:error_class as text), case when :succeeded then 0 else 1 end, cast(:requests_used as integer)
    where {_NOT_ERASED}
    on conflict (user_id) do update set
        last_success_at = greatest(t.last_success_at, excluded.last_success_at),
        last_error_class = case when excluded.last_failure_at > coalesce(t.last_failure_at, '-infinity')
            then excluded.last_error_class else t.last_error_class end,
        last_failure_at = greatest(t.last_failure_at, excluded.last_failure_at),
        failures_in_row = case when t.last_attempt_at >= excluded.last_attempt_at then t.failures_in_row
            when :succeeded then 0 else t.failures_in_row + 1 end,
        last_outcome = case when t.last_attempt_at >= excluded.last_attempt_at
            then t.last_outcome else excluded.last_outcome end,
        requests_used_last = case when t.last_attempt_at >= excluded.last_attempt_at
            then t.requests_used_last else excluded.requests_used_last end,
        last_attempt_at = greatest(t.last_attempt_at, excluded.last_attempt_at),
        updated_at = now()
    """
)
# A permission that is given in the moment in which it is lost is there.
_save_permission = text(
    f"""
    insert into sync_health as t (user_id, needs_reconnection, reconnection_reason, permission_changed_at)
    select cast(:user_id as uuid), cast(:reason as text) is not null, cast(:reason as text),
        cast(:at as timestamptz)
    where {_NOT_ERASED}
    on conflict (user_id) do update set
        needs_reconnection = excluded.needs_reconnection,
        reconnection_reason = excluded.reconnection_reason,
        permission_changed_at = excluded.permission_changed_at,
        updated_at = now()
    where coalesce(t.permission_changed_at, '-infinity') < excluded.permission_changed_at
        or t.permission_changed_at = excluded.permission_changed_at and not excluded.needs_reconnection
    """
)
_claim_everybody = text(
    """insert into sync_requests as t (id, everybody_at) values (1, :now)
       on conflict (id) do update set everybody_at = excluded.everybody_at where t.everybody_at <= :last_before
       returning id"""
)


@dataclass(frozen=True)
class Attempt:
    """A fetch of a user's activities, which has ended."""

    user_id: UUID
    at: datetime
    succeeded: bool
    error_class: str | None
    requests_used: int


async def save_attempt(session: AsyncSession, attempt: Attempt) -> None:
    """Note how a fetch went, unless the user was erased."""
    outcome = "succeeded" if attempt.succeeded else "failed"
    await session.execute(_save_attempt, {**vars(attempt), "outcome": outcome})


async def save_permission(session: AsyncSession, user_id: UUID, at: datetime, reason: str | None) -> None:
    """Note that a user has to connect again, and why, or with None that they need not, unless they were erased."""
    await session.execute(_save_permission, {"user_id": user_id, "at": at, "reason": reason})


async def erase_health(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """Delete how fetching goes for these users."""
    await session.execute(text("delete from sync_health where user_id = any(:ids)"), {"ids": list(user_ids)})


async def list_failures(session: AsyncSession, limit: int) -> Sequence[Row[Any]]:
    """The last failure of each user, the latest first."""
    rows = await session.execute(
        text(
            """select user_id, last_error_class as error_class, last_failure_at as failed_at, failures_in_row
               from sync_health where last_failure_at is not null
               order by last_failure_at desc, user_id limit :limit"""
        ),
        {"limit": limit},
    )
    return rows.all()


async def find_participant(session: AsyncSession, user_id: UUID) -> Row[Any] | None:
    """Whether this participant has to connect again; None when there is no such participant."""
    found = await session.execute(
        text(
            """select coalesce(needs_reconnection, false) as needs_reconnection
               from participants left join sync_health using (user_id) where participants.user_id = :user_id"""
        ),
        {"user_id": user_id},
    )
    return found.one_or_none()


async def claim_everybody(session: AsyncSession, now: datetime, last_before: datetime) -> bool:
    """Note that everybody is asked for now; false when somebody did so after `last_before`."""
    claimed = await session.execute(_claim_everybody, {"now": now, "last_before": last_before})
    return claimed.scalar_one_or_none() is not None
