"""The worker: claims a released job, makes its calls, publishes what they show, closes the job."""

import asyncio
import random
from datetime import UTC, datetime

import structlog
import uuid_utils.compat as uuid_utils

from shared.contracts.events import JobReleased
from shared.database.engine import is_transient
from shared.errors import AppError, Unavailable
from sync.budget.use_cases import OutOfCalls
from sync.clients.errors import AuthorizationLost
from sync.clients.strava import StravaUnavailable
from sync.fetching import queries
from sync.fetching.calls import Calls, FetchContext
from sync.fetching.job_run import LEASE, JobRun, LeaseLost
from sync.fetching.rules import changes as change_rules
from sync.fetching.rules.changes import Change
from sync.jobs import rules
from sync.jobs.queries import Job, claim_job

#: How long a call that is under way may take when the process is asked to stop.
STOP_GRACE_S = 3.0

log = structlog.stdlib.get_logger(__name__)


class Stopping(AppError):
    """The process is asked to stop; the job goes on at the same place in another."""

    code = "stopping"


class Worker:
    """Runs jobs, each under a lease that outlives a crash by LEASE at most."""

    def __init__(self, context: FetchContext) -> None:
        self._context = context
        self._database = context.database
        self._clock = context.clock
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End every run before its next call, and a call that is under way within STOP_GRACE_S."""
        self._stopping.set()

    async def run_released(self, event: JobReleased) -> None:
        """Run a job that the dispatcher released, until it is done or has to stop."""
        running = asyncio.create_task(self.run(event.job_id))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                await asyncio.wait({running}, timeout=STOP_GRACE_S)
                running.cancel()
            await asyncio.wait({running})
        finally:
            running.cancel()
            stopping.cancel()
        if not running.cancelled():
            running.result()

    async def run(self, job_id: int) -> bool:
        """Run a job; returns whether it was this worker's to run."""
        now = self._clock()
        async with self._database.transaction() as session:
            job = await claim_job(session, job_id, uuid_utils.uuid7(), now, now + LEASE)
            changes = {} if job is None else await queries.list_changes(session, job.athlete_id)
        if job is None:
            return False
        calls = Calls(self._context, job)
        run = JobRun(self._context, job, calls, changes)
        try:
            await self._fetch(job, run, calls, changes)
        except OutOfCalls as out:
            log.info("a job waits for calls", kind=job.kind, until=out.until.isoformat(), reason=out.reason)
            await run.snooze(out.until)
        except (Stopping, asyncio.CancelledError) as stopped:
            await asyncio.shield(run.snooze(self._clock()))
            if isinstance(stopped, asyncio.CancelledError):
                raise
        except AuthorizationLost as lost:
            await run.fail(lost)
        except LeaseLost:
            log.warning("lease lost", job=job.id)
        except Unavailable as away:
            await self._retry_later(job, run, away)
        except Exception as error:
            if not is_transient(error):  # else nothing can be stored: the job is released again when the lease ends
                await self._retry_later(job, run, AppError(f"unforeseen: {type(error).__name__}"))
            raise
        return True

    async def _fetch(self, job: Job, run: JobRun, calls: Calls, changes: dict[int, Change]) -> None:
        if rules.is_given_up(job.attempts):
            raise Unavailable("the workers that tried it died")
        if job.kind == "webhook":
            await self._fetch_changes(job, run, calls, changes)
        else:
            await self._list_all(job, run)

    async def _list_all(self, job: Job, run: JobRun) -> None:
        progress = run.start_or_resume(_since(job, self._clock()))
        while (query := progress.listing.next_query()) is not None:
            self._require_running()
            page, progress = await run.read(query, progress)
            if progress.listing.is_ended:
                await run.finish_listing(page, progress)
            else:
                await run.publish_page(page, progress)

    async def _fetch_changes(self, job: Job, run: JobRun, calls: Calls, changes: dict[int, Change]) -> None:
        plan = change_rules.plan_calls(changes, job.last_synced_at, self._clock())
        details = list(plan.details)
        if plan.lists:
            progress = run.start_or_resume(_since(job, self._clock()))
            query = progress.listing.next_query()
            assert query is not None
            page, progress = await run.read(query, progress)
            is_complete = progress.listing.is_complete
            shown = {one.strava_id for one in page.extracted}
            gone, details = change_rules.left_after_listing(changes, shown, is_complete=is_complete)
            await run.publish_part(page, gone, progress)
        unreadable, failed = [], []
        for strava_id in details:
            try:
                if not await self._fetch_one(job, run, calls, changes[strava_id]):
                    unreadable.append(changes[strava_id])
            except StravaUnavailable as error:  # one activity that Strava fails on blocks no others
                failed.append(changes[strava_id])
                trouble = error
        if failed and len(failed) == len(details) and not plan.lists:
            raise trouble  # it may be Strava, and no fault of theirs
        for change in failed:
            if change_rules.is_given_up(change):
                await run.give_up_one(change.strava_id)
            else:
                unreadable.append(change)
        await run.finish_changes(unreadable)

    async def _fetch_one(self, job: Job, run: JobRun, calls: Calls, change: Change) -> bool:
        """Publish what Strava says of one activity; false when it may become readable."""
        self._require_running()
        activity = await calls.get_activity(change.strava_id)
        if activity is not None:
            await run.publish_one(activity, change.strava_id, _since(job, self._clock()))
        elif change_rules.may_become_readable(change, self._clock()):
            return False
        else:
            await run.publish_vanished(change.strava_id)
        return True

    def _require_running(self) -> None:
        if self._stopping.is_set():
            raise Stopping

    async def _retry_later(self, job: Job, run: JobRun, error: AppError) -> None:
        # Jitter against a herd, not a secret.
        until = rules.retry_at(self._clock(), job.attempts, random.random())  # noqa: S311
        log.warning("fetch failed", reason=error.message, attempts=job.attempts, given_up=until is None)
        if until is None:
            await run.fail(error)
        else:
            await run.retry(until, error)


def _since(job: Job, now: datetime) -> int:
    """From which epoch second on activities are needed; without a word from leaderboard, all of them."""
    if not job.has_window:
        return 0
    since = job.needed_since or now.astimezone(UTC)
    return max(0, int(since.timestamp()))
