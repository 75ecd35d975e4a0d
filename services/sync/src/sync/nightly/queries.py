"""SQL of the nightly runs."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from sync.tables import AthleteRow, NightlyRunRow, StravaApplicationRow


async def begin_run(session: AsyncSession, local_date: date, now: datetime, *, webhooks_healthy: bool) -> bool:
    """Begin the run of a date; false when it, or that of a later date, has begun before."""
    later = await session.scalar(
        select(NightlyRunRow.local_date).where(NightlyRunRow.local_date > local_date).limit(1)
    )
    if later is not None:
        return False
    begun = await session.execute(
        insert(NightlyRunRow)
        .values(local_date=local_date, started_at=now, athletes=0, webhooks_healthy=webhooks_healthy)
        .on_conflict_do_nothing()
        .returning(NightlyRunRow.local_date)
    )
    return begun.scalar_one_or_none() is not None


async def has_run(session: AsyncSession, local_date: date) -> bool:
    """Whether the run of a date has begun; cheaper than trying to begin it."""
    return await session.get(NightlyRunRow, local_date) is not None


async def save_athletes(session: AsyncSession, local_date: date, athletes: int) -> None:
    """Store for how many athletes the run has opened a job."""
    await session.execute(
        update(NightlyRunRow).where(NightlyRunRow.local_date == local_date).values(athletes=athletes)
    )


async def count_authorized(session: AsyncSession) -> int:
    """How many athletes may be fetched."""
    counted = select(func.count()).select_from(AthleteRow).where(AthleteRow.status == "authorized")
    return (await session.execute(counted)).scalar_one()


async def list_due(session: AsyncSession, before: datetime, most: int) -> list[UUID]:
    """Athletes whose last complete listing began before then, or failed; those first that waited the longest."""
    due = await session.execute(
        text(
            """select user_id from athletes
               where status = 'authorized'
                   and (last_synced_at is null or last_synced_at < :before or last_error is not null)
               order by last_synced_at nulls first, user_id limit :most"""
        ),
        {"before": before, "most": most},
    )
    return list(due.scalars())


async def finish_runs(session: AsyncSession, now: datetime) -> None:
    """Store when the jobs of the latest run were all done."""
    await session.execute(
        text(
            """update nightly_runs set finished_at = :now where finished_at is null
               and not exists (select from jobs where kind = 'nightly' and closed_at is null)"""
        ),
        {"now": now},
    )


async def find_health(session: AsyncSession) -> tuple[bool, datetime | None]:
    """Whether Strava's webhooks reach us as far as is known, and until when they may have told in vain."""
    row = await session.get(StravaApplicationRow, 1)
    if row is None:
        return False, None
    return row.subscription_id is not None and row.subscription_problem is None, row.gap_ended_at
