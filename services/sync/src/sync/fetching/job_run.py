"""One run of a job: publishes what was fetched, stores how far it has got and how it ended."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.events import ActivityFetched, ActivityVanished, AthleteListed, FetchedActivity, SyncFinished
from shared.errors import AppError
from shared.messaging.outbox import emit
from sync import metrics
from sync.clients.errors import AuthorizationLost
from sync.fetching import queries
from sync.fetching.calls import Calls, FetchContext
from sync.fetching.rules.changes import Change, next_try_at
from sync.fetching.rules.extraction import ExtractedActivity, extract_activity, start_bounds
from sync.fetching.rules.listing import ListedItem, Listing, ListQuery
from sync.jobs import queries as jobs
from sync.jobs.queries import Job
from sync.jobs.rules import Kind, next_webhook_run_at

LEASE = timedelta(minutes=2)

log = structlog.stdlib.get_logger(__name__)


class LeaseLost(AppError):
    """Another worker has this job now."""

    code = "lease_lost"


@dataclass(frozen=True)
class Progress:
    """A listing and what was known when it began, which decides what it says about the past.

    `last_event_id` is that of the latest webhook event by then: what was told later is not answered by this listing.
    """

    listing: Listing
    fetch_seq: int
    began_at: datetime
    last_event_id: int

    def to_json(self) -> dict[str, Any]:
        """For the job's row."""
        return {**asdict(self), "began_at": self.began_at.isoformat()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Progress":
        """From the job's row."""
        began_at = datetime.fromisoformat(stored["began_at"])
        return cls(**{**stored, "began_at": began_at, "listing": Listing(**stored["listing"])})


@dataclass(frozen=True)
class Page:
    """The usable items of an answer: as the listing's rule needs them, and as they are published."""

    items: Sequence[ListedItem]
    extracted: Sequence[ExtractedActivity]  # those that a challenge may need and no page has shown before


class JobRun:
    """A job under this worker's lease. `seen` are the ids that its listing has shown so far."""

    def __init__(self, context: FetchContext, job: Job, calls: Calls, changes: Mapping[int, Change]) -> None:
        self._database = context.database
        self._clock = context.clock
        self._per_page = context.per_page
        self._freshness = context.freshness
        self._job = job
        self._calls = calls
        self._changes = changes
        self._activities = job.activities
        self._claimed_at = context.clock()
        self.seen = set(job.listed_ids)

    def start_or_resume(self, since: int) -> Progress:
        """A new listing of everything from `since`, or the one that an earlier worker has begun."""
        job = self._job
        if job.listing is not None:
            return Progress.from_json(job.listing)
        last_event_id = max((change.last_event_id for change in self._changes.values()), default=0)
        return Progress(Listing(since), job.fetch_seq, self._clock(), last_event_id)

    async def read(self, query: ListQuery, progress: Progress) -> tuple[Page, Progress]:
        """The answer to a listing's query, and how far that is after it."""
        answered = await self._calls.list_page(query)
        page = self._read_page(answered, progress.listing.since)
        is_full = len(answered) >= self._per_page
        return page, replace(progress, listing=progress.listing.after_page(page.items, self.seen, is_full=is_full))

    def _read_page(self, page: Sequence[Any], since: int) -> Page:
        extracted = [one for one in map(extract_activity, page) if one is not None]
        if len(extracted) < len(page):
            log.warning("activities without a usable id", count=len(page) - len(extracted))
        items, needed = [], []
        for one in extracted:
            bounds = start_bounds(one)
            items.append(ListedItem(one.strava_id, *(bounds or (None, None))))
            if one.strava_id not in self.seen and (bounds is None or bounds[1] >= since):
                needed.append(one)
        return Page(items, needed)

    async def publish_page(self, page: Page, progress: Progress) -> None:
        """Publish what is on a page of a listing, and store how far that has got."""
        async with self._database.transaction() as session:
            await self._extend(session, listing=progress.to_json(), listed_ids=sorted(self._see(page)))
            await self._emit_fetched(session, page.extracted)

    async def publish_part(self, page: Page, gone: Collection[int], progress: Progress) -> None:
        """Publish a page that answers webhook events; the job goes on with what it did not show."""
        now = self._clock()
        seen = self._see(page)
        async with self._database.transaction() as session:
            await jobs.find_athlete(session, self._job.user_id)
            await self._extend(session)
            await self._emit_fetched(session, page.extracted)
            if progress.listing.is_complete:
                await self._emit_listed(session, progress)
            await self._vanish(session, dict.fromkeys(gone, "deleted"))
            await self._mark_handled(session, [*seen, *gone], progress.last_event_id, now)

    async def publish_one(self, activity: Mapping[str, Any], strava_id: int, since: int) -> None:
        """Publish an activity that was asked for by itself, if a challenge may need it."""
        needed = [one for one in self._read_page([activity], since).extracted if one.strava_id == strava_id]
        self._activities += len(needed)
        async with self._database.transaction() as session:
            await self._extend(session)
            await self._emit_fetched(session, needed)
            await self._mark_handled(session, [strava_id], self._changes[strava_id].last_event_id, self._clock())

    async def publish_vanished(self, strava_id: int) -> None:
        """Publish that Strava does not show an activity."""
        change = self._changes[strava_id]
        reason: Literal["deleted", "not_found"] = "deleted" if change.is_deleted else "not_found"
        async with self._database.transaction() as session:
            await self._extend(session)
            await self._vanish(session, {strava_id: reason})
            await self._mark_handled(session, [strava_id], change.last_event_id, self._clock())

    async def give_up_one(self, strava_id: int) -> None:
        """Leave an activity to the next listing, because Strava does not answer about it."""
        log.warning("an activity cannot be read, and is left to the next listing", strava_id=strava_id)
        async with self._database.transaction() as session:
            await self._extend(session)
            await self._mark_handled(session, [strava_id], self._changes[strava_id].last_event_id, self._clock())

    async def finish_listing(self, page: Page, progress: Progress) -> None:
        """The last page is read: publish it and what the listing means, and close every job that it does."""
        now, job = self._clock(), self._job
        seen = self._see(page)
        listing = progress.listing
        gone = [
            change.strava_id
            for change in self._changes.values()
            if change.is_deleted and listing.is_complete and change.strava_id not in seen
        ]
        async with self._database.transaction() as session:
            await jobs.find_athlete(session, job.user_id)  # locks them, before their jobs
            await self._close(session, "succeeded", now)
            await self._emit_fetched(session, page.extracted)
            if listing.is_complete:
                await self._emit_listed(session, progress)
            else:
                log.warning("a listing cannot be called complete", pages=listing.pages)
                await queries.mark_fetched(session, job.user_id, now)
            await self._vanish(session, dict.fromkeys(gone, "deleted"))
            await self._mark_handled(session, [*seen, *gone], progress.last_event_id, now)
            others = await jobs.close_satisfied_jobs(session, job.user_id, progress.began_at, now)
            await self._emit_finished(session, job.kind, now)
            for kind in others:
                await self._emit_finished(session, kind, now, is_other=True)

    async def finish_changes(self, failed: Sequence[Change]) -> None:
        """Close a job about webhook events; it is due again if more have come, or `failed` are to be tried again."""
        now, job = self._clock(), self._job
        async with self._database.transaction() as session:
            await jobs.find_athlete(session, job.user_id)
            if failed:
                await queries.count_tries(session, job.athlete_id, [change.strava_id for change in failed])
            if await queries.has_changes(session, job.athlete_id):
                until = next_try_at(failed, now) if failed else next_webhook_run_at(now, now, self._freshness)
                if not await jobs.postpone_job(session, job, until, self._counts(), attempts=0):
                    raise LeaseLost
            else:
                await self._close(session, "succeeded", now)
                await self._emit_finished(session, job.kind, now)
            if self._calls.made:
                await queries.mark_fetched(session, job.user_id, now)

    async def fail(self, error: AppError) -> None:
        """Close the job as failed: only the athlete, an operator or the next night can do something about it.

        An athlete who has signed in since the run began has another permission than the one that was lost.
        """
        now, job = self._clock(), self._job
        async with self._database.transaction() as session:
            known = await jobs.find_athlete(session, job.user_id)
            lost = isinstance(error, AuthorizationLost)
            if lost and known.permission_at > self._claimed_at:
                await jobs.postpone_job(session, job, now, self._counts(), attempts=job.attempts)
            elif await jobs.close_job(session, job, now, self._counts(), outcome="failed", error=error.code):
                metrics.JOBS_DONE.labels(job.kind, "failed").inc()
                await queries.mark_failed(session, job.user_id, error.code, now, needs_reconnect=lost)
                await self._emit_finished(session, job.kind, now, error.code)
                if lost:
                    await jobs.close_open_jobs(session, job.user_id, "needs_reconnect", now)

    async def retry(self, until: datetime, error: AppError) -> None:
        """Release the job until then."""
        async with self._database.transaction() as session:
            await jobs.postpone_job(
                session, self._job, until, self._counts(), attempts=self._job.attempts, error=error.code
            )

    async def snooze(self, until: datetime) -> None:
        """Release the job until then, at no attempt: nothing went wrong."""
        async with self._database.transaction() as session:
            await jobs.postpone_job(session, self._job, until, self._counts(), attempts=self._job.attempts - 1)

    def _see(self, page: Page) -> set[int]:
        self.seen |= {one.strava_id for one in page.extracted}
        self._activities += len(page.extracted)
        return self.seen

    def _counts(self) -> dict[str, int]:
        return {"requests": self._job.requests + self._calls.made, "activities": self._activities}

    async def _extend(self, session: AsyncSession, **progress: object) -> None:
        until = self._clock() + LEASE
        if not await jobs.extend_lease(session, self._job, until, **self._counts(), **progress):
            raise LeaseLost

    async def _close(self, session: AsyncSession, outcome: str, now: datetime) -> None:
        if not await jobs.close_job(session, self._job, now, self._counts(), outcome=outcome):
            raise LeaseLost
        metrics.JOBS_DONE.labels(self._job.kind, outcome).inc()

    async def _emit_fetched(self, session: AsyncSession, extracted: Iterable[ExtractedActivity]) -> None:
        activities = tuple(
            FetchedActivity(id=one.strava_id, malformed=one.malformed, **one.fields) for one in extracted
        )
        if activities:
            job = self._job
            await emit(
                session,
                ActivityFetched(
                    user_id=job.user_id,
                    athlete_id=job.athlete_id,
                    fetch_seq=job.fetch_seq,
                    fetched_at=self._clock(),
                    activities=activities,
                ),
            )

    async def _emit_listed(self, session: AsyncSession, progress: Progress) -> None:
        since = datetime.fromtimestamp(progress.listing.since, UTC)
        await emit(
            session,
            AthleteListed(
                user_id=self._job.user_id,
                fetch_seq=progress.fetch_seq,
                after=since if progress.listing.since else None,
                before=progress.began_at,
                strava_ids=tuple(sorted(self.seen)),
            ),
        )
        await queries.mark_listed(session, self._job.user_id, progress.began_at, since)

    async def _vanish(self, session: AsyncSession, reasons: Mapping[int, Literal["deleted", "not_found"]]) -> None:
        await emit(
            session,
            *(
                ActivityVanished(
                    user_id=self._job.user_id, strava_id=strava_id, fetch_seq=self._job.fetch_seq, reason=reason
                )
                for strava_id, reason in reasons.items()
            ),
        )

    async def _mark_handled(
        self, session: AsyncSession, strava_ids: Collection[int], last_event_id: int, now: datetime
    ) -> None:
        told = [strava_id for strava_id in strava_ids if strava_id in self._changes]
        if told:
            await queries.mark_handled(session, self._job.athlete_id, told, last_event_id, now)

    async def _emit_finished(
        self,
        session: AsyncSession,
        kind: Kind,
        now: datetime,
        error_class: str | None = None,
        *,
        is_other: bool = False,
    ) -> None:
        job = self._job
        counts = {"requests": 0, "activities": 0} if is_other else self._counts()
        await emit(
            session,
            SyncFinished(
                user_id=job.user_id,
                reason=kind,
                outcome="failed" if error_class else "succeeded",
                activities=counts["activities"],
                requests_used=counts["requests"],
                started_at=job.started_at,
                finished_at=now,
                error_class=error_class,
            ),
        )
