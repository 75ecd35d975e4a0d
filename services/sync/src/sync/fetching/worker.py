"""The worker: claims a job, lists the athlete's activities, publishes them, closes the job."""

import random
from datetime import UTC, datetime

import structlog
import uuid_utils.compat as uuid_utils

from shared.database.engine import Database, is_transient
from shared.errors import AppError, Unavailable
from sync.clients.auth import AuthClient
from sync.clients.errors import AuthorizationLost
from sync.clients.strava import RateLimited, StravaClient
from sync.fetching.job_run import LEASE, JobRun, LeaseLost
from sync.jobs import rules
from sync.jobs.queries import Job, claim_job

log = structlog.stdlib.get_logger(__name__)


class Worker:
    """Runs jobs, each under a lease that outlives a crash by LEASE at most."""

    def __init__(self, database: Database, auth_client: AuthClient, strava: StravaClient) -> None:
        self._database = database
        self._auth = auth_client
        self._strava = strava

    async def step(self) -> bool:
        """Do one due job; returns whether there was one."""
        now = datetime.now(UTC)
        async with self._database.transaction() as session:
            job = await claim_job(session, uuid_utils.uuid7(), now, now + LEASE)
        if job is None:
            return False
        run = JobRun(self._database, job, now)
        try:
            await self._fetch(job, run)
        except RateLimited as limited:
            until = rules.next_calls_at(datetime.now(UTC), day_is_spent=limited.day_is_spent)
            log.warning("rate limited", until=until.isoformat())
            await run.snooze(until)
        except AuthorizationLost as lost:
            await run.fail(lost)
        except LeaseLost:
            log.warning("lease lost", job=job.id)
        except Unavailable as away:
            await self._retry_later(job, run, away)
        except Exception as error:
            if not is_transient(error):  # else nothing can be stored: the job is claimed again when the lease ends
                await self._retry_later(job, run, AppError(f"unforeseen: {type(error).__name__}"))
            raise
        return True

    async def _fetch(self, job: Job, run: JobRun) -> None:
        if rules.is_given_up(job.attempts):
            raise Unavailable("the workers that tried it died")
        token = await self._auth.access_token(job.user_id)
        try:
            await self._list(run, token)
        except AuthorizationLost:
            # auth may hold a token that Strava has revoked; if the permission is gone, auth finds out now.
            await self._list(run, await self._auth.access_token(job.user_id, fresh=True))
        await run.finish()

    async def _list(self, run: JobRun, token: str) -> None:
        async for page in self._strava.pages(token):
            run.requests += 1
            await run.publish(page)

    async def _retry_later(self, job: Job, run: JobRun, error: AppError) -> None:
        # Jitter against a herd, not a secret.
        until = rules.retry_at(datetime.now(UTC), job.attempts, random.random())  # noqa: S311
        log.warning("fetch failed", reason=error.message, attempts=job.attempts, given_up=until is None)
        if until is None:
            await run.fail(error)
        else:
            await run.retry(until)
