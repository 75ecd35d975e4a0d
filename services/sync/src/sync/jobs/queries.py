"""SQL of athletes and jobs. Whoever locks an athlete and their jobs locks the athlete first.

They are locked for a change of no key, which lets others open jobs for them meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.versions import next_version
from sync.jobs.rules import LISTING_KINDS, PRIORITIES, Kind
from sync.tables import AthleteRow, ErasedUserRow, FetchWindowRow, JobRow

#: Athletes of whom a job is opened in one statement.
_OPEN_BATCH = 10_000


@dataclass(frozen=True)
class Job:
    """A job under this worker's lease, and what it needs to know of its athlete."""

    id: int
    user_id: UUID
    kind: Kind
    attempts: int  # this one included
    lease: UUID
    started_at: datetime  # when it was first claimed
    listing: Mapping[str, Any] | None  # how far an earlier worker has got
    listed_ids: Sequence[int]
    requests: int
    activities: int
    athlete_id: int
    fetch_seq: int
    last_synced_at: datetime | None
    has_window: bool  # whether leaderboard has said which activities are needed
    needed_since: datetime | None  # None: none are


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
    """What is on record of a user's athlete, who is locked."""
    row = await session.get(AthleteRow, user_id, with_for_update={"key_share": True})
    if row is None:
        return Athlete(None, datetime.min.replace(tzinfo=UTC), None)
    return Athlete(row.status, row.permission_at, row.last_synced_at)


async def save_permission(session: AsyncSession, user_id: UUID, athlete_id: int, status: str, at: datetime) -> bool:
    """Store what the permission is worth; false for who was erased, or is another user by now.

    Somebody who was erased and joined again is another user. User ids are in the order of their creation.
    """
    parameters = {"user_id": user_id, "athlete_id": athlete_id}
    await session.execute(
        text("delete from athletes where athlete_id = :athlete_id and user_id < :user_id"), parameters
    )
    later = select(AthleteRow.user_id).where(AthleteRow.athlete_id == athlete_id, AthleteRow.user_id > user_id)
    erased = select(ErasedUserRow.user_id).where(ErasedUserRow.user_id == user_id)
    if await session.scalar(later.union_all(erased)) is not None:
        return False
    values = {"athlete_id": athlete_id, "status": status, "permission_at": at, "last_error": None}
    statement = insert(AthleteRow).values(user_id=user_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values))
    return True


async def erase_athlete(session: AsyncSession, user_id: UUID, athlete_id: int, erased_at: datetime) -> None:
    """Delete everything about a user, and remember that they were erased."""
    await session.execute(insert(ErasedUserRow).values(user_id=user_id, erased_at=erased_at).on_conflict_do_nothing())
    await session.execute(delete(AthleteRow).where(AthleteRow.user_id == user_id))  # and their jobs, by cascade
    # Unless the same athlete has joined again as another user.
    await session.execute(
        text(
            """delete from webhook_events where athlete_id = :athlete_id
               and not exists (select from athletes where athletes.athlete_id = :athlete_id)"""
        ),
        {"athlete_id": athlete_id},
    )


async def close_open_jobs(session: AsyncSession, user_id: UUID, outcome: str, now: datetime) -> None:
    """Close a user's jobs; a worker that is doing one loses its lease."""
    await session.execute(
        update(JobRow)
        .where(JobRow.user_id == user_id, JobRow.closed_at.is_(None))
        .values(closed_at=now, outcome=outcome, lease=None, lease_until=None)
    )


async def open_job(session: AsyncSession, user_id: UUID, kind: Kind, not_before: datetime, now: datetime) -> None:
    """Open a job, unless one of its kind is open for this athlete already."""
    statement = insert(JobRow).values(
        user_id=user_id, kind=kind, priority=PRIORITIES[kind], not_before=not_before, opened_at=now
    )
    await session.execute(statement.on_conflict_do_nothing())


async def open_jobs(session: AsyncSession, user_ids: Sequence[UUID], kind: Kind, now: datetime) -> int:
    """Open a job for each of these athletes who has none of its kind; returns how many were opened."""
    opened = await session.execute(
        text(
            """insert into jobs (user_id, kind, priority, not_before, opened_at)
               select user_id, :kind, :priority, :now, :now
               from unnest(cast(:user_ids as uuid[])) with ordinality as wanted (user_id, position)
               join athletes using (user_id) where athletes.status = 'authorized'
               order by position
               on conflict do nothing returning id"""
        ),
        {"user_ids": list(user_ids), "kind": kind, "priority": PRIORITIES[kind], "now": now},
    )
    return len(opened.all())


async def list_authorized(session: AsyncSession) -> list[UUID]:
    """Every athlete who may be fetched, those first who were listed the longest ago."""
    rows = await session.execute(
        text(
            """select user_id from athletes where status = 'authorized'
               order by last_synced_at nulls first, user_id limit :limit"""
        ),
        {"limit": _OPEN_BATCH},
    )
    return list(rows.scalars())


async def restart_job(session: AsyncSession, user_id: UUID, kind: Kind, now: datetime) -> None:
    """Make an open job due as if it were new; a worker that is doing it loses its lease."""
    await session.execute(
        update(JobRow)
        .where(JobRow.user_id == user_id, JobRow.kind == kind, JobRow.closed_at.is_(None))
        .values(
            lease=None,
            lease_until=None,
            released_at=None,
            opened_at=now,
            not_before=now,
            attempts=0,
            listing=None,
            listed_ids=[],
        )
    )


async def lock_dispatch(session: AsyncSession) -> bool:
    """Whether this is the only dispatcher until the transaction ends."""
    return bool(await session.scalar(text("select pg_try_advisory_xact_lock(hashtextextended('dispatch', 0))")))


async def count_outstanding(session: AsyncSession, now: datetime, released_after: datetime) -> int:
    """How many jobs are with the workers, or on the way to them."""
    counted: int = (
        await session.execute(
            text(
                """select count(*) from jobs where closed_at is null and not_before <= :now
                   and (lease_until >= :now or (lease is null and released_at > :released_after))"""
            ),
            {"now": now, "released_after": released_after},
        )
    ).scalar_one()
    return counted


async def release_jobs(
    session: AsyncSession, kind: Kind, most: int, now: datetime, released_after: datetime
) -> list[int]:
    """Mark the most urgent due jobs of a kind as released; returns their ids.

    One athlete has one job at a time. What was released before `released_after` and not taken is due again, and so is
    what a worker that died had taken, when its lease has run out.
    """
    released = await session.execute(
        text(
            """
            with due as (
                select jobs.id from jobs join athletes using (user_id)
                where closed_at is null and kind = :kind and not_before <= :now and athletes.status = 'authorized'
                    and (lease_until is null or lease_until < :now)
                    and (released_at is null or released_at <= :released_after or lease is not null)
                    and not exists (
                        select from jobs as other where other.user_id = jobs.user_id and other.id <> jobs.id
                            and other.closed_at is null and other.not_before <= :now
                            and (other.lease_until >= :now
                                or (other.lease is null and other.released_at > :released_after)))
                order by not_before, jobs.id limit :most for update of jobs skip locked
            )
            update jobs set released_at = :now, lease = null, lease_until = null from due where jobs.id = due.id
            returning jobs.id
            """
        ),
        {"kind": kind, "most": most, "now": now, "released_after": released_after},
    )
    return sorted(released.scalars())


async def claim_job(session: AsyncSession, job_id: int, lease: UUID, now: datetime, until: datetime) -> Job | None:
    """Lease a due job to this worker, with a new `fetch_seq` above those of all fetches before.

    None when it is not due, is another worker's, or another job of its athlete is being run: what two fetches of one
    athlete say could not be told old from new. A job whose worker died is due when its lease has run out.
    """
    owner = "select user_id from athletes where user_id = (select user_id from jobs where id = :id) for no key update"
    await session.execute(text(owner), {"id": job_id})
    claimed = await session.execute(
        text(
            f"""
            with claimed as (
                update jobs set lease = :lease, lease_until = :until, attempts = attempts + 1, released_at = null,
                    started_at = coalesce(started_at, :now)
                where id = :id and closed_at is null and not_before <= :now
                    and (lease_until is null or lease_until < :now)
                    and not exists (
                        select from jobs as other where other.user_id = jobs.user_id and other.id <> jobs.id
                            and other.closed_at is null and other.lease_until >= :now)
                    and exists (
                        select from athletes where athletes.user_id = jobs.user_id and status = 'authorized')
                returning id, user_id, kind, attempts, lease, started_at, listing, listed_ids, requests, activities
            )
            update athletes set fetch_seq = {next_version("fetch_seq")} from claimed
            where athletes.user_id = claimed.user_id
            returning claimed.*, athletes.athlete_id, athletes.fetch_seq, athletes.last_synced_at,
                (select changed_at from fetch_window) is not null as has_window,
                (select since from fetch_window) as needed_since
            """  # noqa: S608 - made of constants
        ),
        {"id": job_id, "lease": lease, "now": now, "until": until},
    )
    row = claimed.one_or_none()
    return None if row is None else Job(**row._mapping)


async def extend_lease(session: AsyncSession, job: Job, until: datetime, **progress: object) -> bool:
    """Extend the lease, and store how far the job has got; false when another worker has it now."""
    return await _update_leased(session, job, lease_until=until, **progress)


async def postpone_job(
    session: AsyncSession,
    job: Job,
    until: datetime,
    counts: Mapping[str, int],
    *,
    attempts: int,
    error: str | None = None,
) -> bool:
    """Release the job, due again at `until` with so many attempts made; false when another worker has it now."""
    values = {"lease": None, "lease_until": None, "not_before": until, "attempts": attempts, "error": error}
    return await _update_leased(session, job, **values, **counts)


async def close_job(
    session: AsyncSession,
    job: Job,
    now: datetime,
    counts: Mapping[str, int],
    *,
    outcome: str,
    error: str | None = None,
) -> bool:
    """Close the job for good; false when another worker has it now."""
    values = {"closed_at": now, "outcome": outcome, "error": error, "lease_until": None}
    return await _update_leased(session, job, **values, listing=None, listed_ids=[], **counts)


async def close_satisfied_jobs(
    session: AsyncSession, user_id: UUID, opened_before: datetime, now: datetime
) -> list[Kind]:
    """Close the athlete's other jobs that a complete listing has done as well; returns their kinds."""
    closed = await session.execute(
        update(JobRow)
        .where(
            JobRow.user_id == user_id,
            JobRow.closed_at.is_(None),
            JobRow.kind.in_(LISTING_KINDS),
            JobRow.opened_at <= opened_before,
        )
        .values(closed_at=now, outcome="succeeded", lease=None, lease_until=None, error=None)
        .returning(JobRow.kind)
    )
    return list(closed.scalars())  # type: ignore[arg-type]


async def _update_leased(session: AsyncSession, job: Job, **values: object) -> bool:
    updated = await session.execute(
        update(JobRow)
        .where(JobRow.id == job.id, JobRow.lease == job.lease, JobRow.closed_at.is_(None))
        .values(**values)
        .returning(JobRow.id)
    )
    return updated.scalar_one_or_none() is not None


async def purge_jobs(session: AsyncSession, closed_before: datetime, batch: int = 5_000) -> bool:
    """Delete some jobs that were closed long ago; returns whether there may be more."""
    gone = await session.execute(
        text(
            """delete from jobs where id = any(array(
                   select id from jobs where closed_at < :before order by closed_at limit :batch))"""
        ),
        {"before": closed_before, "batch": batch},
    )
    return bool(gone.rowcount == batch)  # type: ignore[attr-defined]


async def save_fetch_window(session: AsyncSession, since: datetime | None, changed_at: datetime) -> bool:
    """Store which activities are needed; false when what is stored is newer."""
    values = {"since": since, "changed_at": changed_at}
    saved = await session.execute(
        insert(FetchWindowRow)
        .values(id=1, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values, where=FetchWindowRow.changed_at < changed_at)
        .returning(FetchWindowRow.id)
    )
    return saved.scalar_one_or_none() is not None


async def list_listed_later_than(session: AsyncSession, since: datetime) -> list[UUID]:
    """Athletes whose listing does not go back so far."""
    rows = await session.execute(
        select(AthleteRow.user_id)
        .where(AthleteRow.status == "authorized", AthleteRow.listed_since > since)
        .order_by(AthleteRow.last_synced_at, AthleteRow.user_id)
    )
    return list(rows.scalars())
