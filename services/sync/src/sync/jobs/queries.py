"""SQL of athletes and jobs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.versions import next_version
from sync.jobs.rules import Kind
from sync.tables import AthleteRow, ErasedUserRow, JobRow


@dataclass(frozen=True)
class Job:
    """A job under this worker's lease."""

    id: int
    user_id: UUID
    athlete_id: int
    kind: Kind
    attempts: int  # this one included
    fetch_seq: int
    lease: UUID


@dataclass(frozen=True)
class Athlete:
    """What is on record of an athlete; nothing but the time, if they are new."""

    status: str | None
    permission_at: datetime
    last_synced_at: datetime | None


async def lock_permissions(session: AsyncSession) -> None:
    """One event about a permission at a time: what one tells is judged by what the others left."""
    await session.execute(text("select pg_advisory_xact_lock(hashtextextended('permissions', 0))"))


async def find_athlete(session: AsyncSession, user_id: UUID) -> Athlete:
    """What is on record of a user's athlete."""
    row = await session.get(AthleteRow, user_id)
    if row is None:
        return Athlete(None, datetime.min.replace(tzinfo=UTC), None)
    return Athlete(row.status, row.permission_at, row.last_synced_at)


async def save_permission(session: AsyncSession, user_id: UUID, athlete_id: int, status: str, at: datetime) -> bool:
    """Store what the permission is worth; false for who was erased, or is another user by now.

    Somebody who was erased and joined again is another user. User ids are in the order of their creation.
    """
    parameters = {"user_id": user_id, "athlete_id": athlete_id}
    former = "select user_id from athletes where athlete_id = :athlete_id and user_id < :user_id"
    # Jobs before athletes, as workers lock them: the cascade would lock them in the other order.
    await session.execute(text(f"delete from jobs where user_id in ({former})"), parameters)  # noqa: S608 - constants
    await session.execute(text(f"delete from athletes where user_id in ({former})"), parameters)  # noqa: S608
    later = select(AthleteRow.user_id).where(AthleteRow.athlete_id == athlete_id, AthleteRow.user_id > user_id)
    erased = select(ErasedUserRow.user_id).where(ErasedUserRow.user_id == user_id)
    if await session.scalar(later.union_all(erased)) is not None:
        return False
    values = {"athlete_id": athlete_id, "status": status, "permission_at": at, "last_error": None}
    statement = insert(AthleteRow).values(user_id=user_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))
    return True


async def erase_athlete(session: AsyncSession, user_id: UUID, erased_at: datetime) -> None:
    """Delete everything about a user, and remember that they were erased."""
    await session.execute(insert(ErasedUserRow).values(user_id=user_id, erased_at=erased_at).on_conflict_do_nothing())
    await session.execute(delete(JobRow).where(JobRow.user_id == user_id))
    await session.execute(delete(AthleteRow).where(AthleteRow.user_id == user_id))


async def close_open_jobs(session: AsyncSession, user_id: UUID, outcome: str, now: datetime) -> None:
    """Close a user's jobs; a worker that is doing one loses its lease."""
    await session.execute(
        update(JobRow)
        .where(JobRow.user_id == user_id, JobRow.closed_at.is_(None))
        .values(closed_at=now, outcome=outcome, lease=None, lease_until=None)
    )


async def open_job(session: AsyncSession, user_id: UUID, kind: Kind, priority: int, now: datetime) -> None:
    """Open a job, unless one of its kind is open for this athlete already."""
    statement = insert(JobRow).values(user_id=user_id, kind=kind, priority=priority, not_before=now, opened_at=now)
    await session.execute(statement.on_conflict_do_nothing())


async def restart_job(session: AsyncSession, user_id: UUID, kind: Kind, now: datetime) -> None:
    """Make an open job due as if it were new; a worker that is doing it loses its lease."""
    await session.execute(
        update(JobRow)
        .where(JobRow.user_id == user_id, JobRow.kind == kind, JobRow.closed_at.is_(None))
        .values(lease=None, lease_until=None, not_before=now, attempts=0)
    )


async def claim_job(session: AsyncSession, lease: UUID, now: datetime, until: datetime) -> Job | None:
    """Lease the most urgent due job to this worker, with a new `fetch_seq` above those of all fetches before.

    A job whose worker died is due again when its lease has run out.
    """
    row = (
        await session.execute(
            text(
                f"""
                with due as (
                    select id from jobs
                    where closed_at is null and not_before <= :now and (lease_until is null or lease_until < :now)
                    order by priority, not_before, id limit 1 for update skip locked
                ), claimed as (
                    update jobs set lease = :lease, lease_until = :until, attempts = attempts + 1
                    from due where jobs.id = due.id
                    returning jobs.id, jobs.user_id, jobs.kind, jobs.attempts
                )
                update athletes set fetch_seq = {next_version("fetch_seq")} from claimed
                where athletes.user_id = claimed.user_id
                returning claimed.id, claimed.user_id, athletes.athlete_id, claimed.kind, claimed.attempts,
                          athletes.fetch_seq
                """  # noqa: S608 - made of constants
            ),
            {"lease": lease, "now": now, "until": until},
        )
    ).one_or_none()
    return None if row is None else Job(**row._mapping, lease=lease)


async def extend_lease(session: AsyncSession, job: Job, until: datetime) -> bool:
    """Extend the lease; false when another worker has the job now."""
    return await _update_leased(session, job, lease_until=until)


async def postpone_job(session: AsyncSession, job: Job, until: datetime, attempts: int) -> bool:
    """Release the job, due again at `until` with so many attempts made; false when another worker has it now."""
    return await _update_leased(session, job, lease=None, lease_until=None, not_before=until, attempts=attempts)


async def postpone_open_jobs(session: AsyncSession, until: datetime) -> None:
    """Make all jobs without a lease due then, unless they are due later."""
    await session.execute(
        text(
            """update jobs set not_before = :until where id in (
                   select id from jobs where closed_at is null and lease is null and not_before < :until
                   order by id for update skip locked)"""
        ),
        {"until": until},
    )


async def close_job(session: AsyncSession, job: Job, outcome: str, now: datetime) -> bool:
    """Close the job for good; false when another worker has it now."""
    return await _update_leased(session, job, closed_at=now, outcome=outcome, lease_until=None)


async def _update_leased(session: AsyncSession, job: Job, **values: object) -> bool:
    updated = await session.execute(
        update(JobRow)
        .where(JobRow.id == job.id, JobRow.lease == job.lease, JobRow.closed_at.is_(None))
        .values(**values)
        .returning(JobRow.id)
    )
    return updated.scalar_one_or_none() is not None
