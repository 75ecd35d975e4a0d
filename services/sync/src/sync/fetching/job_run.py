"""One run of a job: publishes what was listed, and stores how it ended."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import ActivityFetched, AthleteListed, SyncFinished
from shared.database.engine import Database
from shared.errors import AppError
from shared.messaging.outbox import emit
from sync.clients.errors import AuthorizationLost
from sync.fetching.queries import mark_failed, mark_synced
from sync.fetching.rules import ExtractedActivity, extract_activity
from sync.jobs import queries
from sync.jobs.queries import Job

LEASE = timedelta(minutes=2)

log = structlog.stdlib.get_logger(__name__)


class LeaseLost(AppError):
    """Another worker has this job now."""

    code = "lease_lost"


class JobRun:
    """A job under this worker's lease, and the activities that were listed so far."""

    def __init__(self, database: Database, job: Job, started_at: datetime) -> None:
        self._database = database
        self._job = job
        self._started_at = started_at
        self._seen: set[int] = set()
        self.requests = 0

    async def publish(self, page: list[Any]) -> None:
        """Publish what is new on a page; pages shift while they are read, so an activity may come twice."""
        extracted = [one for one in map(extract_activity, page) if one is not None]
        if len(extracted) < len(page):
            log.warning("activities without a usable id", count=len(page) - len(extracted))
        fresh = {one.strava_id: one for one in extracted if one.strava_id not in self._seen}
        now = datetime.now(UTC)
        async with self._database.transaction() as session:
            if not await queries.extend_lease(session, self._job, now + LEASE):
                raise LeaseLost
            await emit(session, *self._events(fresh.values(), now))
        self._seen |= fresh.keys()

    def _events(self, extracted: Iterable[ExtractedActivity], now: datetime) -> list[ActivityFetched]:
        job = self._job
        return [
            ActivityFetched(
                user_id=job.user_id,
                athlete_id=job.athlete_id,
                fetch_seq=job.fetch_seq,
                fetched_at=now,
                id=one.strava_id,
                malformed=one.malformed,
                **one.fields,
            )
            for one in extracted
        ]

    async def finish(self) -> None:
        """Everything was listed: publish that, and close the job."""
        now, job = datetime.now(UTC), self._job
        async with self._database.transaction() as session:
            if not await queries.close_job(session, job, "succeeded", now):
                raise LeaseLost
            await mark_synced(session, job.user_id, now)
            await emit(
                session,
                AthleteListed(
                    user_id=job.user_id,
                    fetch_seq=job.fetch_seq,
                    after=None,
                    before=self._started_at,
                    strava_ids=tuple(sorted(self._seen)),
                ),
            )
            await self._emit_finished(session, now, None)

    async def fail(self, error: AppError) -> None:
        """Close the job as failed: only the athlete or an operator can do something about it.

        An athlete who has signed in since the run began has another permission than the one that was lost.
        """
        now = datetime.now(UTC)
        async with self._database.transaction() as session:
            known = await queries.find_athlete(session, self._job.user_id)
            if isinstance(error, AuthorizationLost) and known.permission_at > self._started_at:
                await queries.postpone_job(session, self._job, now, self._job.attempts)
            elif await queries.close_job(session, self._job, "failed", now):
                lost = isinstance(error, AuthorizationLost)
                await mark_failed(session, self._job.user_id, error.code, needs_reconnect=lost)
                await self._emit_finished(session, now, error.code)

    async def retry(self, until: datetime) -> None:
        """Release the job until then."""
        async with self._database.transaction() as session:
            await queries.postpone_job(session, self._job, until, self._job.attempts)

    async def snooze(self, until: datetime) -> None:
        """Release the job until Strava allows calls again, at no attempt, and the others too: refused calls count."""
        async with self._database.transaction() as session:
            await queries.postpone_job(session, self._job, until, self._job.attempts - 1)
            await queries.postpone_open_jobs(session, until)

    async def _emit_finished(self, session: AsyncSession, now: datetime, error_class: str | None) -> None:
        await emit(
            session,
            SyncFinished(
                user_id=self._job.user_id,
                reason=self._job.kind,
                outcome="failed" if error_class else "succeeded",
                activities=len(self._seen),
                requests_used=self.requests,
                started_at=self._started_at,
                finished_at=now,
                error_class=error_class,
            ),
        )
