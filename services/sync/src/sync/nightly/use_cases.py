"""The nightly run: one a local date, whichever process comes first."""

from datetime import tzinfo

import structlog

from shared.database.engine import Database
from sync import metrics
from sync.budget import queries as budget_queries
from sync.clock import Clock
from sync.jobs.queries import open_jobs
from sync.jobs.rules import RESERVES
from sync.nightly import queries
from sync.nightly.rules import due_date, listed_before, most_listings

log = structlog.stdlib.get_logger(__name__)


async def run_if_due(database: Database, clock: Clock, zone: tzinfo, relist_days: int) -> bool:
    """Open the jobs of the night once it is due; a crash before the commit leaves it to the next look."""
    now = clock()
    local_date = due_date(now, zone)
    async with database.transaction() as session:
        await queries.finish_runs(session, now)
        if await queries.has_run(session, local_date):
            return False
        webhooks_healthy, gap_ended_at = await queries.find_health(session)
        if not await queries.begin_run(session, local_date, now, webhooks_healthy=webhooks_healthy):
            return False
        before = listed_before(now, gap_ended_at, relist_days, webhooks_healthy=webhooks_healthy)
        # Whoever does not fit into a day's calls is first the next night.
        budget = await budget_queries.get_budget(session, now)
        athletes = await queries.count_authorized(session)
        rotates = webhooks_healthy and gap_ended_at is not None and gap_ended_at < before
        most = most_listings(athletes, budget.day.limit, RESERVES["nightly"], relist_days, rotates=rotates)
        due = await queries.list_due(session, before, most)
        opened = await open_jobs(session, due, "nightly", now)
        await queries.save_athletes(session, local_date, opened)
    metrics.NIGHTLY_STARTED.set(now.timestamp())
    log.info("the nightly run began", athletes=opened, webhooks_healthy=webhooks_healthy)
    return False
