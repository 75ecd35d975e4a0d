"""SQL of how fetching goes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

_athletes = text(
    """select status, count(*) as athletes, min(last_synced_at) as oldest_listing_at,
           count(*) filter (where last_synced_at is null) as never_listed
       from athletes group by status"""
)
_queues = text(
    """select kind,
           count(*) filter (where not_before > :now and (lease_until is null or lease_until < :now)) as waiting,
           count(*) filter (where not_before <= :now and (lease_until is null or lease_until < :now)) as due,
           count(*) filter (where lease_until >= :now) as running,
           min(not_before) filter (where not_before > :now) as next_at,
           min(not_before) filter (where not_before <= :now) as oldest_due_at
       from jobs where closed_at is null group by kind order by min(priority)"""
)
_webhooks = text(
    """select a.subscription_id is not null as subscribed, a.subscription_checked_at as checked_at,
           a.subscription_problem as problem, a.gap_ended_at as missed_until,
           (select max(received_at) from webhook_events) as last_event_at,
           (select count(*) from webhook_events where handled_at is null) as pending_events
       from strava_application as a"""
)
_nightly_runs = text(
    """select r.local_date, r.started_at, r.finished_at, r.athletes, counts.*
       from nightly_runs as r cross join lateral (
           select count(*) filter (where outcome = 'succeeded') as succeeded,
               count(*) filter (where closed_at is not null and outcome <> 'succeeded') as failed,
               count(*) filter (where closed_at is null) as open
           from jobs where kind = 'nightly' and opened_at >= r.started_at and opened_at < coalesce(
               (select min(started_at) from nightly_runs as n where n.local_date > r.local_date), 'infinity')
       ) as counts
       order by r.local_date desc limit :most"""
)
_athlete_page = text(
    """select a.user_id, a.status, a.last_synced_at, a.last_fetched_at, a.last_error, a.last_error_at,
           coalesce(array_agg(j.kind order by j.priority) filter (where j.kind is not null), '{}') as open_jobs,
           min(j.not_before) as next_sync_at
       from (
           select * from athletes
           where (cast(:after as uuid) is null or user_id > :after)
               and (cast(:status as text) is null or status = :status)
               and (not :failed or last_error is not null)
           order by user_id limit :most
       ) as a
       left join jobs as j on j.user_id = a.user_id and j.closed_at is null
       group by a.user_id, a.status, a.last_synced_at, a.last_fetched_at, a.last_error, a.last_error_at
       order by a.user_id"""
)
_errors = text(
    """(select user_id, kind, error, attempts, closed_at as failed_at, cast(null as timestamptz) as next_at
        from jobs where error is not null and closed_at is not null order by closed_at desc limit :most)
       union all
       (select user_id, kind, error, attempts, null, not_before
        from jobs where error is not null and closed_at is null order by not_before desc limit :most)
       order by failed_at desc nulls first, next_at desc limit :most"""
)
_needed_since = text("select since from fetch_window")


async def count_athletes(session: AsyncSession) -> Sequence[Row[Any]]:
    """Athletes by status, with their oldest listing."""
    return (await session.execute(_athletes)).all()


async def count_jobs(session: AsyncSession, now: datetime) -> Sequence[Row[Any]]:
    """Open jobs by kind."""
    return (await session.execute(_queues, {"now": now})).all()


async def find_webhooks(session: AsyncSession) -> Row[Any] | None:
    """The subscription, and the events that it brought."""
    return (await session.execute(_webhooks)).one_or_none()


async def list_nightly_runs(session: AsyncSession, most: int) -> Sequence[Row[Any]]:
    """The latest runs with what became of their jobs."""
    return (await session.execute(_nightly_runs, {"most": most})).all()


async def list_athletes(
    session: AsyncSession, after: UUID | None, status: str | None, most: int, *, failed: bool
) -> Sequence[Row[Any]]:
    """Athletes in the order of their user ids."""
    parameters = {"after": after, "status": status, "most": most, "failed": failed}
    return (await session.execute(_athlete_page, parameters)).all()


async def list_errors(session: AsyncSession, most: int) -> Sequence[Row[Any]]:
    """Jobs that failed, the latest first; before them those that are tried again."""
    return (await session.execute(_errors, {"most": most})).all()


async def find_needed_since(session: AsyncSession) -> datetime | None:
    """From when on activities are needed."""
    since: datetime | None = await session.scalar(_needed_since)
    return since
