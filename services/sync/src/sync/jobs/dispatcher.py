"""The dispatcher: releases due jobs to the workers, the most urgent first, no more than there are calls for."""

from datetime import datetime

from shared.contracts.events import JobReleased
from shared.database.engine import Database
from shared.messaging.outbox import emit
from sync.budget import queries as budget_queries
from sync.budget.rules import calls_left
from sync.jobs import queries
from sync.jobs.rules import PRIORITIES, RELEASE_TIMEOUT, RESERVES

#: Jobs that are with the workers or on the way to them: what is released does not give way to what is more urgent.
MAX_OUTSTANDING = 100


async def dispatch(database: Database, now: datetime) -> bool:
    """Release what may be run now; returns whether anything was. Nothing is while another dispatcher does it."""
    async with database.transaction() as session:
        if not await queries.lock_dispatch(session):
            return False
        budget = await budget_queries.get_budget(session, now)
        released_after = now - RELEASE_TIMEOUT
        outstanding = await queries.count_outstanding(session, now, released_after)
        before = outstanding
        for kind in sorted(PRIORITIES, key=PRIORITIES.__getitem__):
            # Every job takes a call at least; the worker asks for each.
            most = min(calls_left(budget, RESERVES[kind], now), MAX_OUTSTANDING) - outstanding
            if most > 0:
                job_ids = await queries.release_jobs(session, kind, most, now, released_after)
                await emit(session, *(JobReleased(job_id=one, kind=kind, released_at=now) for one in job_ids))
                outstanding += len(job_ids)
    return outstanding > before
