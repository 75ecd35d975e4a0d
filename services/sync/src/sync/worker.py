"""The worker: takes a job, lists the athlete's activities, publishes them, closes the job."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
import uuid_utils.compat as uuid_utils
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import ActivityFetched, AthleteListed, SyncFinished
from shared.database.engine import Database, is_transient
from shared.errors import AppError, Unavailable
from shared.messaging.outbox import emit
from sync import domain, queries
from sync.domain import ExtractedActivity
from sync.queries import Job
from sync.strava import AuthClient, AuthorizationLost, RateLimited, StravaClient

LEASE = timedelta(minutes=2)

log = structlog.stdlib.get_logger(__name__)


class LeaseLost(AppError):
    """Another worker has this job now."""

    code = "lease_lost"


class JobRun:
    """One run of a job, and what it has seen so far."""

    def __init__(self, database: Database, job: Job, started_at: datetime) -> None:
        self._sessions = database
        self._job = job
        self._started_at = started_at
        self._seen: set[int] = set()
        self.requests = 0

    async def publish(self, page: list[Any]) -> None:
        """Publish what is new on a page; pages shift under our feet, so an activity may come twice."""
        extracted = [one for one in map(domain.extract_activity, page) if one is not None]
        if len(extracted) < len(page):
            log.warning("activities without a usable id", count=len(page) - len(extracted))
        fresh = {one.strava_id: one for one in extracted if one.strava_id not in self._seen}
        now = datetime.now(UTC)
        async with self._sessions.transaction() as session:
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
        """Everything was listed: say so, and close the job."""
        now, job = datetime.now(UTC), self._job
        async with self._sessions.transaction() as session:
            if not await queries.close_job(session, job, "succeeded", now):
                raise LeaseLost
            await queries.mark_synced(session, job.user_id, now)
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
        """Only the athlete or an operator can mend it: close the job."""
        now = datetime.now(UTC)
        async with self._sessions.transaction() as session:
            if await queries.close_job(session, self._job, "failed", now):
                lost = isinstance(error, AuthorizationLost)
                await queries.mark_failed(session, self._job.user_id, error.code, needs_reconnect=lost)
                await self._emit_finished(session, now, error.code)

    async def retry(self, until: datetime) -> None:
        """Give the job back until then."""
        async with self._sessions.transaction() as session:
            await queries.postpone_job(session, self._job, until, costs_attempt=True)

    async def snooze(self, until: datetime) -> None:
        """Give the job back until Strava allows calls again, and let the others wait: refused calls count, too."""
        async with self._sessions.transaction() as session:
            await queries.postpone_job(session, self._job, until, costs_attempt=False)
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


class Worker:
    """Works off jobs, each under a lease that outlives a crash by LEASE at most."""

    def __init__(self, database: Database, auth_client: AuthClient, strava: StravaClient) -> None:
        self._sessions = database
        self._vault = auth_client
        self._strava = strava

    async def step(self) -> bool:
        """Do one due job; returns whether there was one."""
        now = datetime.now(UTC)
        async with self._sessions.transaction() as session:
            job = await queries.claim_job(session, uuid_utils.uuid7(), now, now + LEASE)
        if job is None:
            return False
        fetch = JobRun(self._sessions, job, now)
        try:
            await self._fetch(job, fetch)
        except RateLimited as limited:
            now = datetime.now(UTC)
            until = domain.next_daily_reset(now) if limited.day_is_spent else domain.next_quarter_reset(now)
            log.warning("rate limited", until=until.isoformat())
            await fetch.snooze(until)
        except AuthorizationLost as lost:
            await fetch.fail(lost)
        except LeaseLost:
            log.warning("lease lost", job=job.id)
        except Unavailable as away:
            await self._retry_later(job, fetch, away)
        except Exception as error:
            if not is_transient(error):  # else nothing can be noted: the job is taken up when the lease ends
                await self._retry_later(job, fetch, AppError(f"unforeseen: {type(error).__name__}"))
            raise
        return True

    async def _fetch(self, job: Job, fetch: JobRun) -> None:
        if job.attempts > domain.MAX_ATTEMPTS:
            raise Unavailable("the workers that tried it died")
        token = await self._vault.access_token(job.user_id)
        try:
            await self._list(fetch, token)
        except AuthorizationLost:
            # auth may believe in a token that Strava has forgotten; if the permission is gone, auth learns it now.
            await self._list(fetch, await self._vault.access_token(job.user_id, fresh=True))
        await fetch.finish()

    async def _list(self, fetch: JobRun, token: str) -> None:
        async for page in self._strava.pages(token):
            fetch.requests += 1
            await fetch.publish(page)

    async def _retry_later(self, job: Job, fetch: JobRun, error: AppError) -> None:
        # Jitter against a herd, not a secret.
        until = domain.retry_at(datetime.now(UTC), job.attempts, random.random())  # noqa: S311
        log.warning("fetch failed", reason=error.message, attempts=job.attempts, given_up=until is None)
        if until is None:
            await fetch.fail(error)
        else:
            await fetch.retry(until)
